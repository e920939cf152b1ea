"""Durations and digests are written as kubectl writes them."""

import pytest

from daemon.overview.words import brief, short, shortened, until
from tests.unit.overview.objects import NOW


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (-5, "0s"),
        (0.9, "0s"),
        (119, "119s"),
        (120, "2m"),
        (200, "3m20s"),
        (599, "9m59s"),
        (600, "10m"),
        (10_799, "179m"),
        (10_800, "3h"),
        (18_720, "5h12m"),
        (28_800, "8h"),
        (172_799, "47h"),
        (172_800, "2d"),
        (190_800, "2d5h"),
        (691_200, "8d"),
        (63_071_999, "729d"),
        (63_072_000, "2y"),
        (63_072_000 + 86_400, "2y1d"),
        (252_288_000, "8y"),
    ],
)
def test_durations_are_kubectl_s(seconds: float, expected: str) -> None:
    """At each step of apimachinery's HumanDuration."""
    assert expected == short(seconds)


def test_what_is_over_is_now() -> None:
    """A time that has passed is no negative duration."""
    assert ("now", "") == (until(NOW, now=NOW), until(None, now=NOW))


def test_digests_and_texts_are_cut() -> None:
    """To what tells them from others, and to what fits."""
    assert "sha256:0123456789ab" == brief(f"sha256:0123456789ab{'c' * 52}")
    assert ("short", "a lo...") == (shortened("short", characters=7), shortened("a longer text", characters=7))
