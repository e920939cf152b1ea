"""A runtime that goes away, hangs or is not there yet: no attempt is spent on it, and work goes on by itself."""

from collections.abc import Callable

import pytest

from daemon.api.nodeimage import Phase
from daemon.api.reasons import Reason
from daemon.node.task import NodeState, Task
from daemon.node.wanted import WantedImage
from tests.lab.engine import RETRY_SECONDS, Engine, wanted_image
from tests.servers.containerd import Containerd
from tests.servers.images import Push, PushedImage
from tests.servers.processes import until
from tests.servers.proxy import FaultProxy
from tests.servers.traffic import Kind


LAYER_BYTES = 1 << 20


@pytest.fixture
def image(push: Push, faults: FaultProxy) -> PushedImage:
    """Two layers, at a rate that lets a test stop the network half-way."""
    faults.limit(2 * LAYER_BYTES)
    return push(layers=[LAYER_BYTES] * 2).at(faults.host)


def stall_half_way(faults: FaultProxy) -> None:
    """Let the network stand still half-way; `faults.clear()` lets it go on."""
    until(lambda: faults.traffic.blob_bytes() > LAYER_BYTES, what="the pull half way", timeout_seconds=60)
    faults.limit(1)


def is_given_up(state: NodeState, wanted: WantedImage) -> bool:
    """Tell whether the runtime counts as away and the attempt that met it has ended; the watcher may notice first."""
    task = state.tasks.get(wanted.key)
    has_ended = task is not None and task.running is None and task.reason is Reason.RUNTIME_UNAVAILABLE
    return has_ended and not state.is_runtime_up


def away_until(engine: Engine, wanted: WantedImage, *, back: Callable[[], object]) -> tuple[NodeState, Task]:
    """See the runtime away, let it come back, and return the state while it was away and the task at its end."""
    down = engine.until_state(lambda state: is_given_up(state, wanted))
    back()
    engine.until_state(lambda state: state.is_runtime_up)
    engine.jump(RETRY_SECONDS)
    return down, engine.ended(wanted)


def test_a_runtime_killed_in_a_pull_costs_no_attempt(
    containerd: Containerd, image: PushedImage, faults: FaultProxy
) -> None:
    """Killed mid-pull, the runtime is waited for, and the pull goes on as the same attempt when it is back."""
    wanted = wanted_image(image.reference, backoff_limit=0)

    def back() -> None:
        faults.clear()
        containerd.start()

    with Engine(containerd.endpoint) as engine:
        engine.want(wanted)
        stall_half_way(faults)
        containerd.kill()
        down, task = away_until(engine, wanted, back=back)

    waiting = down.tasks[wanted.key]
    assert (Phase.WAITING, 0, Reason.RUNTIME_UNAVAILABLE) == (waiting.phase, waiting.attempt, waiting.reason)
    assert (Phase.SUCCEEDED, 1, None) == (task.phase, task.attempt, task.reason)
    assert image.digest == containerd.images()[image.reference]


def test_a_runtime_that_is_not_there_yet_is_waited_for(containerd: Containerd, push: Push) -> None:
    """Started before its runtime, the node says that it is away, and begins when it answers."""
    wanted = wanted_image(push().reference, backoff_limit=0)
    containerd.stop()

    with Engine(containerd.endpoint) as engine:
        engine.want(wanted)
        down, task = away_until(engine, wanted, back=containerd.start)

    assert Reason.RUNTIME_UNAVAILABLE is down.tasks[wanted.key].reason
    assert (Phase.SUCCEEDED, 1) == (task.phase, task.attempt)


def test_a_runtime_frozen_in_a_pull_goes_on_when_thawed(
    containerd: Containerd, image: PushedImage, faults: FaultProxy
) -> None:
    """A runtime that hangs for a while is not given up: the same pull ends well, every blob asked for once."""
    wanted = wanted_image(image.reference, backoff_limit=0)

    with Engine(containerd.endpoint) as engine:
        engine.want(wanted)
        stall_half_way(faults)
        containerd.freeze()
        answered = containerd.answers()
        faults.clear()
        containerd.thaw()
        task = engine.ended(wanted)

    blobs = [request.reference for request in faults.traffic.requests(Kind.BLOB, method="GET")]
    assert not answered
    assert (Phase.SUCCEEDED, 1) == (task.phase, task.attempt)
    assert sorted(set(blobs)) == sorted(blobs)


def test_a_runtime_that_answers_nothing_is_away(containerd: Containerd, push: Push) -> None:
    """Frozen before the first question, the runtime counts as away, without an attempt spent; thawed, it is asked."""
    wanted = wanted_image(push().reference, backoff_limit=0)
    containerd.freeze()

    with Engine(containerd.endpoint) as engine:
        engine.want(wanted)
        down, task = away_until(engine, wanted, back=containerd.thaw)

    assert (0, Reason.RUNTIME_UNAVAILABLE) == (down.tasks[wanted.key].attempt, down.tasks[wanted.key].reason)
    assert (Phase.SUCCEEDED, 1) == (task.phase, task.attempt)


def test_a_runtime_frozen_for_too_long_times_the_attempt_out(
    containerd: Containerd, image: PushedImage, faults: FaultProxy
) -> None:
    """An attempt ends at its timeout even if the runtime cannot hear of it, and the next one brings the image."""
    wanted = wanted_image(image.reference, timeout_seconds=600)

    with Engine(containerd.endpoint) as engine:
        engine.want(wanted)
        stall_half_way(faults)
        containerd.freeze()
        engine.jump(600)
        cut = engine.until(wanted, lambda task: task.reason is Reason.ATTEMPT_TIMEOUT)
        containerd.thaw()
        faults.clear()
        engine.jump(RETRY_SECONDS)
        task = engine.ended(wanted)

    assert (Phase.WAITING, 1) == (cut.phase, cut.attempt)
    assert Phase.SUCCEEDED is task.phase
