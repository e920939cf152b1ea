"""Equal values become one, in a table that does not grow without end."""

from hypothesis import given
from hypothesis import strategies as st

from daemon.coordinator.sharing import Shared, shared_labels


def _fresh(text: str) -> str:
    """Return another object with the same text."""
    return text.encode().decode()


def test_equal_values_become_one() -> None:
    """The first of them stands for all."""
    table: Shared[tuple[int, ...]] = Shared(limit=8)
    first, second = tuple(range(3)), tuple(range(3))

    assert first is table.one(first)
    assert first is table.one(second)


def test_values_without_a_hash_stand_under_a_key() -> None:
    """What holds a dict is shared by what is in it."""
    table: Shared[dict[str, int]] = Shared(limit=8)
    first = {"a": 1}

    assert first is table.under("a=1", first)
    assert first is table.under("a=1", {"a": 1})


@given(values=st.lists(st.integers(0, 50), max_size=200), limit=st.integers(1, 10))
def test_it_gives_equal_values_and_holds_at_most_twice_its_limit(values: list[int], limit: int) -> None:
    """Whatever is asked in whatever order."""
    table: Shared[int] = Shared(limit=limit)

    assert values == [table.one(value) for value in values]
    assert 2 * limit >= len(table)


def test_a_value_that_is_asked_for_outlives_those_that_are_not() -> None:
    """A name that occurs once drives out no label that every node has."""
    table: Shared[str] = Shared(limit=4)
    common = table.one(_fresh("zone-a"))

    for number in range(100):
        table.one(f"node-{number}")
        assert common is table.one(_fresh("zone-a"))


def test_labels_are_equal_to_what_they_were() -> None:
    """Only the strings are exchanged."""
    assert {"a": "b", "c": ""} == shared_labels({"a": "b", "c": ""})
