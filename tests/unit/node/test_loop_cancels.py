"""The loop cancels what runs: withdrawal, timeout, suspension, stop. Nothing else does."""

import pytest

from daemon.api.nodeimage import Phase
from daemon.api.reasons import Reason
from daemon.node.report import status_of
from tests.servers.scripted_cri import ScriptedCri
from tests.unit.node.running_node import DEADLINE_SECONDS, RunningNode, SetClock
from tests.unit.node.virtual_node import image


APP = "registry.example/app:v1"


def wait_for_pulls(cri: ScriptedCri, number: int) -> None:
    """Wait until so many pulls have come in, and the last is under way."""
    cri.wait_until(lambda: number == len(cri.pulls) and bool(cri.running()), what=f"pull number {number} under way")


def wait_for_cancel(cri: ScriptedCri) -> None:
    """Wait until the runtime has seen its first pull cancelled."""
    cri.wait_until(lambda: cri.pulls[0].is_cancelled, what="a cancelled pull")


def test_a_pull_withdrawn_midway_is_cancelled_in_the_runtime(cri: ScriptedCri) -> None:
    """And the node is done with it."""
    cri.hold(APP)

    with RunningNode(cri.endpoint) as node:
        node.want(image())
        wait_for_pulls(cri, 1)

        node.want()
        wait_for_cancel(cri)
        node.wait_until(lambda state: not state.leaving and not state.tasks, what="an empty node")


def test_an_image_wanted_again_is_pulled_after_the_cancelled_pull_has_ended(cri: ScriptedCri) -> None:
    """Two pulls of one image never run beside each other."""
    cri.hold(APP)

    with RunningNode(cri.endpoint) as node:
        node.want(image())
        wait_for_pulls(cri, 1)
        node.want()
        node.want(image(version=2))
        wait_for_cancel(cri)
        wait_for_pulls(cri, 2)
        cri.finish(APP)
        node.wait_for_phase(Phase.SUCCEEDED, version=2)

    assert 2 == len(cri.pulls)


def test_an_attempt_that_exceeds_its_timeout_is_cancelled_and_retried(cri: ScriptedCri) -> None:
    """The status says which bound it was."""
    cri.hold(APP)
    clock = SetClock()

    with RunningNode(cri.endpoint, clock=clock) as node:
        node.want(image(timeout_seconds=60))
        wait_for_pulls(cri, 1)
        clock.advance(60)
        node.plan_again()
        wait_for_cancel(cri)
        node.wait_for_reason(Reason.ATTEMPT_TIMEOUT)

        clock.advance(30)
        node.plan_again()
        wait_for_pulls(cri, 2)
        cri.finish(APP)
        node.wait_for_phase(Phase.SUCCEEDED)

    assert 2 == node.task().attempt


def test_suspension_cancels_and_resuming_makes_the_same_attempt_again(cri: ScriptedCri) -> None:
    """Reported as Waiting with reason Suspended meanwhile."""
    cri.hold(APP)

    with RunningNode(cri.endpoint) as node:
        node.want(image())
        wait_for_pulls(cri, 1)
        node.want(image(is_suspended=True))
        wait_for_cancel(cri)
        node.wait_until(lambda state: state.tasks[image().key].running is None, what="the end of the worker")
        suspended = status_of(node.task())

        node.want(image())
        wait_for_pulls(cri, 2)
        cri.finish(APP)
        node.wait_for_phase(Phase.SUCCEEDED)

    assert (Phase.WAITING, Reason.SUSPENDED) == (suspended.phase, suspended.reason)
    assert 1 == node.task().attempt


@pytest.mark.parametrize(("policy", "pulls"), [("IfNotPresent", 1), ("Always", 2)])
def test_a_new_version_midway_adopts_the_pull(cri: ScriptedCri, policy: str, pulls: int) -> None:
    """The call goes on; under Always one more, cheap, pull follows it."""
    cri.hold(APP)

    with RunningNode(cri.endpoint) as node:
        node.want(image(policy=policy))
        wait_for_pulls(cri, 1)
        node.want(image(version=2, policy=policy))
        node.wait_until(lambda state: state.tasks[image().key].wanted.version == 2, what="the adoption")
        for number in range(1, pulls + 1):
            wait_for_pulls(cri, number)
            cri.finish(APP)
        node.wait_for_phase(Phase.SUCCEEDED, version=2)

    assert [False] * pulls == [pull.is_cancelled for pull in cri.pulls]


def test_stop_cancels_what_runs_and_returns_once_that_has_ended(
    cri: ScriptedCri, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It does not wait out its grace (here: longer than the test waits); the next process begins the same attempts."""
    monkeypatch.setattr("daemon.node.loop.STOP_GRACE_SECONDS", 10 * DEADLINE_SECONDS)
    cri.hold(APP, image("other").image)

    with RunningNode(cri.endpoint) as node:
        node.want(image(), image("other"))
        wait_for_pulls(cri, 2)
        node.stop()
        cri.wait_until(lambda: all(pull.is_cancelled for pull in cri.pulls), what="two cancelled pulls")

    assert node.error is None


def test_an_idle_loop_stops_at_once(cri: ScriptedCri) -> None:
    """Also one that has never been told what is wanted."""
    with RunningNode(cri.endpoint, is_kept_warm=True) as node:
        node.stop()

    assert node.error is None
