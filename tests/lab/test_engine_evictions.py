"""Images that others remove: noticed by the runtime's events, brought back, and said aloud when it goes on."""

from collections.abc import Callable

import pytest

from daemon.api.nodeimage import ImagePullPolicy, Phase
from daemon.api.reasons import Reason
from daemon.node.task import Task
from tests.lab.engine import Engine, wanted_image
from tests.servers.containerd import Containerd
from tests.servers.images import Push
from tests.servers.proxy import FaultProxy
from tests.servers.traffic import Kind


Remove = Callable[[Engine, Containerd, str], None]


def by_cri(engine: Engine, containerd: Containerd, image: str) -> None:
    """Remove as the kubelet's garbage collection does."""
    engine.runtime.remove(image)


def by_ctr(engine: Engine, containerd: Containerd, image: str) -> None:
    """Remove the tag alone, as a person with containerd's own client does."""
    containerd.ctr("images", "rm", image)


def is_lost(task: Task) -> bool:
    """Tell whether the image's absence has been noticed."""
    return task.is_refill and task.phase is Phase.WAITING


def is_back(task: Task) -> bool:
    """Tell whether the image is there."""
    return task.phase is Phase.SUCCEEDED


@pytest.mark.parametrize("remove", [by_cri, by_ctr])
@pytest.mark.parametrize("policy", list(ImagePullPolicy))
def test_a_removed_image_is_brought_back_at_once(
    containerd: Containerd, push: Push, faults: FaultProxy, remove: Remove, policy: ImagePullPolicy
) -> None:
    """The first removal in a day is noticed by itself and mended without a wait, under the same version."""
    image = push(layers=[1000]).at(faults.host)
    wanted = wanted_image(image.reference, policy=policy)

    with Engine(containerd.endpoint) as engine:
        engine.want(wanted)
        engine.ended(wanted)
        remove(engine, containerd, image.reference)
        lost = engine.until(wanted, is_lost)
        task = engine.until(wanted, is_back)

    assert ("", "") == (lost.image_id, lost.digest)
    assert (image.digest, 1, 1, None) == (task.digest, task.wanted.version, task.attempt, task.reason)
    assert image.digest == containerd.images()[image.reference]


def test_three_removals_in_a_day_are_an_eviction_loop(containerd: Containerd, push: Push) -> None:
    """The second is mended after 10 s, the third after 20 s, with the reason EvictionLoop and what helps."""
    image = push(layers=[1000])
    wanted = wanted_image(image.reference)

    with Engine(containerd.endpoint) as engine:
        engine.want(wanted)
        engine.until(wanted, is_back)
        lost = []
        for wait_seconds in (0, 10, 20):
            engine.runtime.remove(image.reference)
            lost.append(engine.until(wanted, is_lost))
            engine.jump(wait_seconds)
            task = engine.until(wanted, is_back)

    assert [None, None, Reason.EVICTION_LOOP] == [one.reason for one in lost]
    assert Reason.EVICTION_LOOP is task.reason
    assert "removed 3 times in a day" in task.message
    assert "kubelet" in task.message
    assert image.digest == containerd.images()[image.reference]


def test_a_second_removal_waits_its_ten_seconds(containerd: Containerd, push: Push, faults: FaultProxy) -> None:
    """Until the wait is over the registry is not asked, so that the node does not fight its kubelet."""
    image = push(layers=[1000]).at(faults.host)
    other = push("other", layers=[1000])
    wanted, later = wanted_image(image.reference), wanted_image(other.reference)

    with Engine(containerd.endpoint) as engine:
        engine.want(wanted)
        engine.until(wanted, is_back)
        engine.runtime.remove(image.reference)
        engine.until(wanted, is_lost)
        engine.until(wanted, is_back)
        asked = len(faults.traffic.requests(Kind.MANIFEST))
        engine.runtime.remove(image.reference)
        lost = engine.until(wanted, is_lost)
        # Another image comes and goes through the same loop meanwhile.
        engine.want(wanted, later)
        engine.ended(later)
        still = len(faults.traffic.requests(Kind.MANIFEST))
        engine.jump(10)
        engine.until(wanted, is_back)

    assert 2 == len(lost.evicted_seconds)
    assert asked == still < len(faults.traffic.requests(Kind.MANIFEST))


def test_an_image_removed_just_after_a_restart_is_noticed(containerd: Containerd, push: Push) -> None:
    """Whether events are heard again by then or not: each new subscription looks for what was missed."""
    image = push(layers=[1000])
    wanted = wanted_image(image.reference)

    with Engine(containerd.endpoint) as engine:
        engine.want(wanted)
        engine.until(wanted, is_back)
        containerd.restart()
        by_ctr(engine, containerd, image.reference)
        engine.until(wanted, is_lost)
        task = engine.until(wanted, is_back)

    assert image.digest == task.digest


def test_a_withdrawn_image_is_not_brought_back(containerd: Containerd, push: Push) -> None:
    """What nobody wants any more may go."""
    image, other = push(layers=[1000]), push("other", layers=[1000], seed=1)
    wanted, stays = wanted_image(image.reference), wanted_image(other.reference)

    with Engine(containerd.endpoint) as engine:
        engine.want(wanted, stays)
        engine.until_state(lambda state: bool(state.tasks) and all(is_back(task) for task in state.tasks.values()))
        engine.want(stays)
        engine.until_state(lambda state: wanted.key not in state.tasks)
        for one in (image, other):
            engine.runtime.remove(one.reference)
        engine.until(stays, is_lost)
        engine.until(stays, is_back)

    assert image.reference not in containerd.images()
    assert other.reference in containerd.images()
