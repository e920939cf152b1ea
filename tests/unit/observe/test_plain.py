"""Whatever is logged becomes a value that JSON holds."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from enum import Enum
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daemon.api.credential import Credential
from daemon.api.reasons import Reason
from daemon.observe.plain import MOST_CHARACTERS, MOST_ITEMS, plain


class Grumpy:
    """A value whose every word raises."""

    def __repr__(self) -> str:
        """Refuse."""
        raise ZeroDivisionError


class Shade(Enum):
    """An enumeration of values that are no text."""

    DARK = b"\xff"


@pytest.mark.parametrize(
    ("expected", "value"),
    [
        (None, None),
        (True, True),
        (7, 7),
        (0.5, 0.5),
        ("nan", float("nan")),
        ("-inf", float("-inf")),
        (str(2**70), 2**70),
        ("DiskLow", Reason.DISK_LOW),
        ("\\xff", Shade.DARK),
        ("a\\xffb", b"a\xffb"),
        ("\\udc80", "\udc80"),
        ("2026-01-31T02:00:00.120Z", datetime(2026, 1, 31, 3, 0, 0, 120500, timezone(timedelta(hours=1)))),
        ("ValueError: no", ValueError("no")),
        ("/run/x", Path("/run/x")),
        (["a", 1], ("a", 1)),
        ({"1": "2026-01-31T00:00:00.000Z"}, {1: datetime(2026, 1, 31, tzinfo=UTC)}),
        ("<a Grumpy that raises ZeroDivisionError>", Grumpy()),
        (["<a Grumpy that raises ZeroDivisionError>"], [Grumpy()]),
    ],
)
def test_a_value_becomes_what_json_holds(expected: object, value: object) -> None:
    """Numbers stay numbers where a reader can take them; all else is text that a person understands."""
    assert expected == plain(value)


@pytest.mark.parametrize("wrap", [lambda it: it, lambda it: [it], lambda it: {"k": it}, lambda it: ((it,),)])
def test_a_credential_names_its_source_alone(wrap: Callable[[object], object]) -> None:
    """A Struct that must not be encoded is not, wherever it stands."""
    credential = Credential(username="ann", password="hush-1", identity_token="hush-2", source="team/regcred")

    shown = msgspec.json.encode(plain(wrap(credential))).decode()

    assert "team/regcred" in shown
    assert "hush" not in shown


def test_a_long_text_is_cut() -> None:
    """A dump does not flood the log; its length is told."""
    shown = str(plain("x" * (MOST_CHARACTERS + 5)))

    assert shown.endswith(f"... ({MOST_CHARACTERS + 5} characters)")


def test_a_long_list_is_cut_and_a_deep_one_is_words() -> None:
    """A value of values has an end, also one that holds itself."""
    endless: list[object] = []
    endless.append(endless)

    assert [*range(MOST_ITEMS)] == plain([*range(1000)])
    assert "[...]" in str(plain(endless))


@settings(deadline=None)
@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats()
        | st.text(st.characters())
        | st.binary()
        | st.datetimes()
        | st.builds(ValueError, st.text()),
        lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(), inner) | st.tuples(inner),
        max_leaves=20,
    )
)
def test_every_value_is_encoded(value: object) -> None:
    """JSON takes what comes of any text, bytes, number, date, exception, and any nesting of them."""
    assert msgspec.json.encode(plain(value))
