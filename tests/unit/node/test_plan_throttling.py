"""A registry that answers 429: every pull from it pauses, growing, and then one at a time asks."""

from daemon.api.nodeimage import Phase
from daemon.api.reasons import Reason
from tests.unit.node.virtual_node import DONE, PRESENT, THROTTLED, UNAVAILABLE, VirtualNode, image, key_of


def test_a_throttled_registry_pauses_every_pull_from_it() -> None:
    """Also of images that have not asked yet."""
    node = VirtualNode(slots=1)
    node.want(image("a"), image("b"))

    node.end(THROTTLED, name="a")
    node.advance(4.9)
    assert ["a"] == node.starts

    node.advance(0.1)
    assert ["a", "a"] == node.starts


def test_other_registries_go_on_meanwhile() -> None:
    """Throttling is about one registry's host."""
    node = VirtualNode(slots=1)
    node.want(image("a"), image("other.example/b"))

    node.end(THROTTLED, name="a")

    assert ["a", "b"] == node.starts


def test_the_pause_grows_with_each_throttled_probe() -> None:
    """5, 10, 20 seconds (here without the part by chance)."""
    node = VirtualNode()
    node.want(image(backoff_limit=10))

    for _ in range(3):
        node.end(THROTTLED)
        node.advance(300)

    starts = [started.seconds - node.started[0].seconds for started in node.started]
    assert [0.0, 5.0, 310.0, 620.0] == starts


def test_after_a_pause_one_pull_at_a_time_asks() -> None:
    """Until one has succeeded; then all slots serve again."""
    node = VirtualNode(slots=3)
    node.want(image("a"), image("b"), image("c"), image("d"))
    for name in "abc":
        node.end(THROTTLED, name=name)

    node.advance(5)
    assert ["a", "b", "c", "a"] == node.starts

    node.end(DONE, name="a")
    assert ["a", "b", "c", "a", "b", "c", "d"] == node.starts


def test_another_failure_of_the_probe_leaves_one_pull_at_a_time() -> None:
    """Only a success shows that the registry serves."""
    node = VirtualNode(slots=2)
    node.want(image("a"), image("b"))
    node.end(THROTTLED, name="a")
    node.end(THROTTLED, name="b")
    node.advance(5)

    node.end(UNAVAILABLE, name="a")
    node.advance(60)

    assert ["a", "b", "a", "b"] == node.starts


def test_an_image_that_was_there_already_does_not_end_the_throttling() -> None:
    """The registry was not asked for it, so nothing is known."""
    node = VirtualNode(slots=1)
    node.want(image("a"), image("b", priority=1), image("c"))
    node.end(PRESENT, name="b")
    node.end(THROTTLED, name="a")
    node.lose("b")

    node.advance(5)
    node.end(PRESENT, name="b")

    assert "registry.example" in node.state.throttles


def test_pulls_that_meet_one_limit_together_are_one_pause() -> None:
    """Two slots do not make the first pause twice as long."""
    node = VirtualNode(slots=2)
    node.want(image("a"), image("b"))

    node.end(THROTTLED, name="a")
    node.end(THROTTLED, name="b")

    assert 1 == node.state.throttles["registry.example"].pauses


def test_a_pull_begun_before_the_pause_does_not_end_it() -> None:
    """A long download that happens to finish says nothing of the limit that others met since."""
    node = VirtualNode(slots=2)
    node.want(image("a"), image("b"))

    node.end(THROTTLED, name="a")
    node.end(DONE, name="b")

    assert "registry.example" in node.state.throttles


def test_throttling_spends_attempts_and_ends_with_its_reason() -> None:
    """A registry that never serves fails the image with RegistryThrottled."""
    node = VirtualNode()
    node.want(image(backoff_limit=1))
    node.end(THROTTLED)
    node.advance(5)

    node.end(THROTTLED)

    assert Phase.FAILED is node.phase()
    assert Reason.REGISTRY_THROTTLED is node.task().reason
    assert "429 Too Many Requests" == node.task().message


def test_a_suspended_image_is_no_probe() -> None:
    """The probe goes to the next that may start."""
    node = VirtualNode(slots=1)
    node.want(image("a"), image("b"))
    node.end(THROTTLED, name="a")

    node.want(image("a", is_suspended=True), image("b"))
    node.advance(5)

    assert ["a", "b"] == node.starts
    assert node.state.tasks[key_of("a")].running is None


def test_a_registry_that_nothing_is_wanted_of_is_forgotten_after_its_pause() -> None:
    """Not before, or a withdrawal and a new grant would ask at once; and not never, for a node may meet many."""
    node = VirtualNode()
    node.want(image("other.example/a"))
    node.end(THROTTLED, name="other.example/a")

    node.want()
    during = list(node.state.throttles)
    node.advance(6)
    node.want(image())

    assert ["other.example"] == during
    assert {} == node.state.throttles
