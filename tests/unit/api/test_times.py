"""Which texts are times, as an API server's schema has it too."""

import pytest

from daemon.api.times import format_time, parse_time


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-01-31T02:00:00Z", "2026-01-31T02:00:00Z"),
        ("2026-01-31t02:00:00z", "2026-01-31T02:00:00Z"),
        ("2026-01-31T02:00:00.999Z", "2026-01-31T02:00:00Z"),
        ("2026-01-31T02:00:00+23:59", "2026-01-30T02:01:00Z"),
    ],
)
def test_a_time_has_its_offset_and_comes_out_in_utc(text: str, expected: str) -> None:
    """Whole seconds, with Z, as Kubernetes writes them."""
    assert expected == format_time(parse_time(text))


@pytest.mark.parametrize(
    "text",
    [
        "2026-01-31",
        "2026-01-31T02:00:00",
        "2026-01-31T24:00:00Z",
        "2026-01-31T02:00:00+10:75",
        "2026-01-31T02:00:00+24:00",
        "2026-02-30T02:00:00Z",
        "0001-01-01T00:00:00+01:00",
    ],
)
def test_what_an_api_server_refuses_is_no_time(text: str) -> None:
    """Whatever this Python would make of it."""
    with pytest.raises(ValueError, match=r"."):
        parse_time(text)
