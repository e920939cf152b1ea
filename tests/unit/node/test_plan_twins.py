"""Two keys of one image, such as its short and its long name: they share a hold, so they never work side by side."""

from msgspec.structs import replace

from daemon.api.nodeimage import Phase
from daemon.node.wanted import Key, WantedImage
from tests.unit.node.virtual_node import DONE, UNAVAILABLE, VirtualNode, image


def twin(wanted: WantedImage) -> WantedImage:
    """Want the same image under another key."""
    return replace(wanted, key=Key(f"docker.io/{wanted.key.repository}", wanted.key.tag))


def running(node: VirtualNode) -> int:
    """Count the tasks that are worked for."""
    return sum(1 for task in node.state.tasks.values() if task.running)


def test_two_keys_of_one_image_are_pulled_one_after_the_other() -> None:
    """The second begins when the first has ended."""
    node = VirtualNode(slots=2)
    node.want(image("app"), twin(image("app")))
    first = running(node)

    node.end(DONE)

    assert (1, 1) == (first, running(node))


def test_a_withdrawn_key_leaves_the_hold_to_its_twin() -> None:
    """What the first has fetched is what the second goes on with."""
    node = VirtualNode(slots=1)
    other = twin(image("app", priority=-1))
    node.want()
    node.want(image("app"), other)
    node.end(UNAVAILABLE)

    node.want(other)

    assert {} == node.state.leaving
    assert Phase.WAITING is node.state.tasks[other.key].phase
