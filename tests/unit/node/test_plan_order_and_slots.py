"""Which waiting images start, and how many at once."""

from datetime import timedelta

from daemon.node.task import CancelCause
from tests.unit.node.virtual_node import DONE, EPOCH, RUNTIME_DOWN, UNAVAILABLE, VirtualNode, cancelled, image


def test_no_more_attempts_run_than_there_are_slots() -> None:
    """At most --max-concurrent-pulls attempts run, and each end lets the next begin."""
    node = VirtualNode(slots=2)

    node.want(*(image(name) for name in "abcd"))
    assert ["a", "b"] == node.starts

    node.end(DONE, name="a")
    assert ["a", "b", "c"] == node.starts


def test_a_cancelled_pull_keeps_its_slot_until_the_runtime_has_ended_it() -> None:
    """A pull that is being cancelled still loads the node, as one."""
    node = VirtualNode(slots=2)
    node.want(image("a"))

    node.want(image("b"), image("c"))
    assert ["a", "b"] == node.starts

    node.end(cancelled(CancelCause.WITHDRAWN), name="a")
    assert ["a", "b", "c"] == node.starts


def test_higher_priority_starts_first() -> None:
    """The rest wait by priority first."""
    node = VirtualNode(slots=1)

    node.want(image("low", priority=-5), image("plain"), image("high", priority=100))

    assert ["high"] == node.starts


def test_of_equal_priority_the_longest_waiting_starts_first() -> None:
    """Then they wait by age, whatever the order in which the NodeImage lists them."""
    node = VirtualNode(slots=1)
    node.want(image("busy"), image("old"))
    node.advance(10)
    node.want(image("new"), image("busy"), image("old"))

    node.end(DONE, name="busy")

    assert ["busy", "old"] == node.starts


def test_after_a_restart_the_older_entry_starts_first() -> None:
    """What is first seen together is ordered by createdAt."""
    node = VirtualNode(slots=1)
    young = image("young", created_at=EPOCH + timedelta(hours=1))
    old = image("old", created_at=EPOCH)

    node.want(image("ageless"), young, old)

    assert ["old"] == node.starts


def test_a_retried_image_keeps_its_place_before_a_later_one() -> None:
    """A failed attempt does not send an image to the end of the queue."""
    node = VirtualNode(slots=1)
    node.want(image("a"), image("b"))
    node.advance(1)
    node.want(image("a"), image("b"), image("c"))
    node.end(UNAVAILABLE, name="a")
    node.advance(5)

    node.end(DONE, name="b")

    assert ["a", "b", "a"] == node.starts


def test_a_task_that_waits_for_its_backoff_holds_no_slot() -> None:
    """Backoff is a not-before time, and another image uses the slot meanwhile."""
    node = VirtualNode(slots=1)
    node.want(image("a"), image("b"))

    node.end(UNAVAILABLE, name="a")

    assert ["a", "b"] == node.starts


def test_a_suspended_image_takes_no_slot() -> None:
    """A suspended grant takes no slot; resumed, it counts again."""
    node = VirtualNode(slots=1)

    node.want(image("a", is_suspended=True), image("b"))
    assert ["b"] == node.starts

    node.want(image("a"), image("b"))
    node.end(DONE, name="b")
    assert ["b", "a"] == node.starts


def test_nothing_starts_while_the_runtime_is_away() -> None:
    """Waiting images stay waiting until the runtime answers again."""
    node = VirtualNode(slots=2)
    node.want(image("a"), image("b"), image("c"))

    node.end(RUNTIME_DOWN, name="a")
    node.advance(3600)
    assert ["a", "b"] == node.starts

    node.runtime_answers()
    assert ["a", "b", "a"] == node.starts


def test_nothing_to_do_means_sleeping_until_an_event() -> None:
    """A node with everything on it sets no alarm."""
    node = VirtualNode()
    node.want(image("a"))

    node.end(DONE, name="a")

    assert node.decided.wake_seconds is None
