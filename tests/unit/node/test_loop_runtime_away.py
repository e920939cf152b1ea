"""The runtime can be away at start or at any time: the loop stays up, says so, and goes on when it is back."""

import threading

import pytest

from daemon.api.nodeimage import Phase, TagStatus
from daemon.api.reasons import Reason
from daemon.node.report import report_of
from tests.servers.scripted_cri import ScriptedCri
from tests.unit.node.running_node import DEADLINE_SECONDS, Offered, RunningNode, SetClock
from tests.unit.node.virtual_node import image


APP = "registry.example/app:v1"


@pytest.fixture(autouse=True)
def _quick_probes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ask an absent runtime more often than each second, and give up a frozen one sooner than after four."""
    monkeypatch.setattr("daemon.node.warmth.PROBE_SECONDS", 0.05)
    monkeypatch.setattr("daemon.runtime.cri.UNARY_TIMEOUT_SECONDS", 0.3)


def test_an_idle_node_notices_that_its_runtime_is_away(cri: ScriptedCri, monkeypatch: pytest.MonkeyPatch) -> None:
    """With every image there nothing else would ask it, and the node must not call itself healthy."""
    monkeypatch.setattr("daemon.node.warmth.LOOK_SECONDS", 0.02)
    with RunningNode(cri.endpoint, is_kept_warm=True) as node:
        node.want(image())
        node.wait_for_phase(Phase.SUCCEEDED)
        cri.kill()
        node.wait_until(lambda state: not state.is_runtime_up, what="a runtime that is away")

        cri.start()
        node.wait_until(lambda state: state.is_runtime_up, what="a runtime that is back")

        assert Phase.SUCCEEDED is node.task().phase


def test_a_node_without_a_wish_notices_that_its_runtime_is_away(cri: ScriptedCri) -> None:
    """Where nothing is wanted no image is asked for, at the start too; it is noticed within a second of its return."""
    cri.kill()
    with RunningNode(cri.endpoint, is_kept_warm=True) as node:
        node.want()
        node.wait_until(lambda state: not state.is_runtime_up, what="a runtime that is away")

        cri.start()
        node.wait_until(lambda state: state.is_runtime_up, what="a runtime that is back")

    assert node.error is None


@pytest.mark.parametrize("image_id", ["registry.example/app@sha256:1", ""], ids=["told", "not told"])
def test_what_was_told_before_is_verified_when_a_runtime_that_hung_answers_again(
    cri: ScriptedCri, image_id: str
) -> None:
    """An earlier process said that the image is there; it is not, and the look for it met a runtime that hangs."""
    there = TagStatus(tag="v1", phase=Phase.SUCCEEDED, version=1, image_id=image_id)
    with RunningNode(cri.endpoint, is_kept_warm=True) as node:
        node.wait_until(lambda state: bool(state.runtime), what="a runtime that answers")
        cri.freeze()
        node.want(image(), answers={image().key: there})
        node.wait_until(lambda state: not state.is_runtime_up, what="a runtime that hangs")
        assert Phase.SUCCEEDED is node.task().phase

        cri.thaw()
        cri.wait_until(lambda: bool(cri.pulls), what="a pull")
        node.wait_for_phase(Phase.SUCCEEDED)

    assert 1 == len(cri.pulls)


def test_a_runtime_killed_midway_costs_no_attempt(cri: ScriptedCri) -> None:
    """The pull is made again when it is back, as the same attempt, and the report has said that it was away."""
    cri.hold(APP)

    with RunningNode(cri.endpoint) as node:
        node.want(image())
        cri.wait_until(lambda: bool(cri.running()), what="a pull")
        cri.kill()
        # The watch of removals may tell of it before the pull does.
        node.wait_until(lambda state: state.tasks[image().key].reason is not None, what="the pull's reason")
        away = node.state

        cri.start()
        cri.wait_until(lambda: 2 == len(cri.pulls) and bool(cri.running()), what="a second pull")
        cri.finish(APP)
        node.wait_for_phase(Phase.SUCCEEDED)

    assert not report_of(away).is_runtime_up
    assert Reason.RUNTIME_UNAVAILABLE is away.tasks[image().key].reason
    assert node.state.is_runtime_up
    assert 1 == node.task().attempt


def test_a_runtime_that_is_away_at_start_is_waited_for(cri: ScriptedCri) -> None:
    """Without a word of failure about the image."""
    cri.kill()

    with RunningNode(cri.endpoint) as node:
        node.want(image(backoff_limit=0))
        node.wait_until(lambda state: not state.is_runtime_up, what="a runtime that is away")
        assert Phase.WAITING is node.task().phase

        cri.start()
        node.wait_for_phase(Phase.SUCCEEDED)


def test_a_frozen_runtime_is_away_too(cri: ScriptedCri) -> None:
    """A socket that takes calls and never answers holds the loop up as little as none."""
    cri.freeze()

    with RunningNode(cri.endpoint) as node:
        node.want(image(backoff_limit=0))
        node.wait_until(lambda state: not state.is_runtime_up, what="a runtime that is away")
        node.want(image(backoff_limit=0), image("late"))
        node.wait_until(lambda state: len(state.tasks) == 2, what="a loop that still listens")

        cri.thaw()
        node.wait_for_phase(Phase.SUCCEEDED)
        node.wait_for_phase(Phase.SUCCEEDED, name="late")


def test_a_runtime_that_freezes_midway_is_left_at_the_timeout(cri: ScriptedCri) -> None:
    """The attempt's own timeout cancels, whatever the runtime says to it."""
    cri.hold(APP)
    clock = SetClock()

    with RunningNode(cri.endpoint, clock=clock) as node:
        node.want(image(timeout_seconds=60))
        cri.wait_until(lambda: bool(cri.running()), what="a pull")
        cri.freeze()
        clock.advance(60)
        node.plan_again()
        node.wait_until(lambda state: state.tasks[image().key].running is None, what="the end of the attempt")
        assert Reason.ATTEMPT_TIMEOUT is node.task().reason

        cri.thaw()
        clock.advance(30)
        node.plan_again()
        cri.wait_until(lambda: 2 == len(cri.pulls) and bool(cri.running()), what="a second pull")
        cri.finish(APP)
        node.wait_for_phase(Phase.SUCCEEDED)


def test_a_frozen_runtime_does_not_hold_up_the_end(cri: ScriptedCri) -> None:
    """Stop returns within its grace."""
    cri.hold(APP)

    with RunningNode(cri.endpoint) as node:
        node.want(image())
        cri.wait_until(lambda: bool(cri.running()), what="a pull")
        cri.freeze()
        node.stop()

    assert node.error is None


def test_what_a_worker_dies_of_ends_the_loop_with_that_error(cri: ScriptedCri, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing unforeseen is lost, and nobody waits out the grace for a worker that is no more."""
    monkeypatch.setattr("daemon.node.loop.STOP_GRACE_SECONDS", 10 * DEADLINE_SECONDS)

    def search(_cancelled: threading.Event) -> None:
        raise ZeroDivisionError("unforeseen")

    with RunningNode(cri.endpoint, credentials=Offered(search=search)) as node:
        node.want(image())
        node.join()

    assert isinstance(node.error, RuntimeError)
    assert "pull-" in str(node.error)
    assert isinstance(node.error.__cause__, ZeroDivisionError)
