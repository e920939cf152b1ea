"""Bounded concurrency: never more pulls at once than there are slots, and yet everything arrives."""

from daemon.api.nodeimage import Phase
from daemon.node.task import NodeState
from tests.lab.engine import Engine, wanted_image
from tests.servers.containerd import Containerd
from tests.servers.images import Push
from tests.servers.proxy import FaultProxy


IMAGES = 20
SLOTS = 2


def running(state: NodeState) -> int:
    """Count the attempts under way."""
    return sum(1 for task in state.tasks.values() if task.running)


def test_twenty_images_take_turns_on_two_slots(containerd: Containerd, push: Push, faults: FaultProxy) -> None:
    """Never more than two attempts run, both slots are used, and all twenty images are there in the end."""
    images = [push(f"app-{number}", layers=[20_000], seed=number).at(faults.host) for number in range(IMAGES)]
    wanted = [wanted_image(image.reference) for image in images]

    with Engine(containerd.endpoint, slots=SLOTS) as engine:
        engine.want(*wanted)
        engine.until_state(lambda state: bool(state.tasks) and all(task.is_ended for task in state.tasks.values()))
        states = engine.story.states

    assert {Phase.SUCCEEDED} == {task.phase for task in states[-1].tasks.values()}
    assert SLOTS == max(running(state) for state in states)
    assert {image.reference: image.digest for image in images}.items() <= containerd.images().items()
    assert [] == [name for name in containerd.leases() if name.startswith("prewarm-")]


def test_a_registry_sees_two_images_at_a_time(containerd: Containerd, push: Push, faults: FaultProxy) -> None:
    """In the order of requests, an image's first comes only after all but one of the earlier images had their last."""
    images = [push(f"app-{number}", layers=[20_000], seed=number).at(faults.host) for number in range(IMAGES)]
    faults.limit(200_000)

    with Engine(containerd.endpoint, slots=SLOTS) as engine:
        engine.want(*(wanted_image(image.reference) for image in images))
        engine.until_state(lambda state: bool(state.tasks) and all(task.is_ended for task in state.tasks.values()))

    asked = [request.repository for request in faults.traffic.requests() if request.repository]
    spans = [(asked.index(image.repository), len(asked) - asked[::-1].index(image.repository)) for image in images]
    at_once = [sum(first <= place < last for first, last in spans) for place in range(len(asked))]
    assert SLOTS == max(at_once)
