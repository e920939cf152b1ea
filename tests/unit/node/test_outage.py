"""What a person is told of an image that waits for a runtime that is away."""

from daemon.api.reasons import Reason
from daemon.node import transitions
from tests.unit.node.virtual_node import DONE, RUNTIME_DOWN, VirtualNode, image


def away(node: VirtualNode) -> None:
    """Let the runtime go."""
    node.state = transitions.runtime_away(node.state, problem="no such socket")
    node.decide()


def told(node: VirtualNode, name: str = "app") -> tuple[Reason | None, str]:
    """Return the reason and message of an image."""
    return node.task(name).reason, node.task(name).message


def test_an_image_that_is_wanted_while_the_runtime_is_away_says_so() -> None:
    """It need not have been tried: nothing is."""
    node = VirtualNode()
    away(node)

    node.want(image())

    assert (Reason.RUNTIME_UNAVAILABLE, "no such socket") == told(node)
    assert [] == node.started


def test_an_image_that_waits_for_a_slot_says_so_when_the_runtime_goes() -> None:
    """And the one whose attempt the runtime ended has that attempt's words."""
    node = VirtualNode(slots=1)
    node.want(image("busy"), image("app"))

    node.end(RUNTIME_DOWN, name="busy")

    assert (Reason.RUNTIME_UNAVAILABLE, RUNTIME_DOWN.message) == told(node, "app") == told(node, "busy")


def test_nothing_of_it_is_told_when_the_runtime_is_back() -> None:
    """An image that waits for a slot then waits for a slot alone."""
    node = VirtualNode(slots=1)
    away(node)
    node.want(image("first"), image("second"))

    node.runtime_answers()

    assert (None, "") == told(node, "second")
    node.end(DONE, name="first")
    assert (None, "") == told(node, "first")


def test_an_image_that_stands_is_not_in_doubt() -> None:
    """What lies on the disk lies there without a runtime too."""
    node = VirtualNode()
    node.want(image())
    node.end(DONE)

    away(node)

    assert (None, "") == told(node)


def test_an_image_that_waits_for_something_else_keeps_its_reason() -> None:
    """The first cause is not hidden by a second."""
    node = VirtualNode()
    node.want(image(backoff_limit=5))
    node.end(RUNTIME_DOWN)
    before = told(node)

    away(node)

    assert before == told(node)
