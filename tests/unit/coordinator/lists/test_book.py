"""On how many nodes the jobs of a list pull at once, counted a change at a time."""

from collections import Counter

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.coordinator.lists.book import ListBook
from tests.unit.coordinator.lists.told import ONE, THREE, TWO, image_list


LIST = image_list(ONE).key


def book_of(limit: int | str | None) -> ListBook:
    """Return a book with one list."""
    book = ListBook()
    prewarm = {} if limit is None else {"listParallelism": limit}
    book.seen(image_list(ONE, TWO, prewarm=prewarm))
    return book


def test_a_node_that_pulls_several_images_counts_once() -> None:
    """It may pull one more; another node may not."""
    book = book_of(1)
    book.held(LIST, node="a", step=1)
    is_first_free = book.held(LIST, node="a", step=1)

    assert not is_first_free
    assert [True, False] == [book.may_hold(LIST, node=node, desired=9) for node in "ab"]
    assert book.is_full(LIST, desired=9)


def test_a_node_is_free_when_its_last_pull_has_ended() -> None:
    """And whoever waits is told then."""
    book = book_of(1)
    for _ in range(2):
        book.held(LIST, node="a", step=1)
    told = [book.held(LIST, node="a", step=-1) for _ in range(2)]

    assert [False, True] == told
    assert book.may_hold(LIST, node="b", desired=9)
    assert () == tuple(book.holding(LIST))


@pytest.mark.parametrize(
    ("limit", "desired", "most"), [("50%", 4, 2), ("1%", 4, 1), ("0%", 4, 0), (0, 4, 0), (3, 1, 3), ("100%", 3, 3)]
)
def test_a_percentage_is_of_the_nodes_that_count_rounded_up(limit: int | str, desired: int, most: int) -> None:
    """As a job's parallelism; nothing pauses the list."""
    book = book_of(limit)
    granted = 0
    for number in range(9):
        if book.may_hold(LIST, node=f"n{number}", desired=desired):
            book.held(LIST, node=f"n{number}", step=1)
            granted += 1

    assert most == granted


def test_without_a_bound_each_image_has_its_own_alone() -> None:
    """OpenKruise's behaviour; so has a job without a list."""
    book = book_of(None)
    for number in range(50):
        book.held(LIST, node=f"n{number}", step=1)

    assert [True, True] == [book.may_hold(key, node="x", desired=9) for key in (LIST, "")]
    assert not book.is_full(LIST, desired=9)


def test_an_edit_of_the_bound_holds_from_then_on() -> None:
    """What is older than what is known says nothing."""
    book = book_of(1)
    book.held(LIST, node="a", step=1)
    newer = msgspec.structs.replace(image_list(ONE, prewarm={"listParallelism": 2}), version=8)

    assert [True, False] == [book.seen(newer), book.seen(image_list(ONE))]
    assert book.may_hold(LIST, node="b", desired=9)


def test_images_have_their_place_in_the_list() -> None:
    """One that is listed no more comes last; of a list that is gone nobody knows."""
    book = book_of(1)
    book.add(LIST, job="x")
    places = [book.place(LIST, image=image) for image in (TWO, ONE, THREE)]
    book.gone(LIST)

    assert [1, 0, 2] == [place[1] for place in places if place is not None]
    assert None is book.place(LIST, image=ONE)


def test_a_list_is_forgotten_when_nothing_is_left_of_it() -> None:
    """Neither itself, nor a job, nor a slot."""
    book = book_of(1)
    book.add(LIST, job="x")
    book.held(LIST, node="a", step=1)
    book.gone(LIST)
    with_job = dict(book.records)
    book.held(LIST, node="a", step=-1)
    book.remove(LIST, job="x")

    assert [LIST] == list(with_job)
    assert {} == book.records


@given(st.lists(st.tuples(st.sampled_from("abc"), st.booleans()), max_size=40))
def test_the_nodes_that_pull_are_those_that_hold_a_slot(steps: list[tuple[str, bool]]) -> None:
    """Whatever begins and ends in which order."""
    book, counted = book_of(2), Counter[str]()
    for node, begins in steps:
        if begins or counted[node]:
            counted[node] += 1 if begins else -1
            book.held(LIST, node=node, step=1 if begins else -1)

    assert {node for node in counted if counted[node]} == set(book.holding(LIST))
