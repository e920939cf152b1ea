"""What a change of what is wanted does to the tasks: new versions, adoption, suspension, withdrawal."""

import pytest

from daemon.api.nodeimage import Phase
from daemon.api.reasons import Reason
from daemon.node.report import status_of
from daemon.node.task import AttemptEnd, CancelCause, Ending
from daemon.node.wanted import WantedImage
from tests.unit.node.virtual_node import (
    DONE,
    LOW,
    PRESENT,
    RUNTIME_DOWN,
    UNAVAILABLE,
    VirtualNode,
    cancelled,
    image,
    key_of,
)


def test_a_new_version_of_an_ended_task_is_a_new_task() -> None:
    """Under Always it asks the registry again; what lies on the node is still told meanwhile."""
    node = VirtualNode(slots=1)
    node.want(image(policy="Always"))
    node.end(DONE)

    node.want(image(version=2, policy="Always", is_suspended=True))
    assert (Phase.WAITING, 2, 0) == (node.phase(), node.task().wanted.version, node.task().attempt)
    assert DONE.image_id == node.task().image_id

    node.want(image(version=2, policy="Always"))
    assert [1, 2] == [started.version for started in node.started]


def test_the_same_version_is_not_asked_for_again() -> None:
    """An edit of priority, owners or timeouts is no new round."""
    node = VirtualNode()
    node.want(image())
    node.end(DONE)

    node.want(image(priority=7, timeout_seconds=1))

    assert Phase.SUCCEEDED is node.phase()
    assert 7 == node.task().wanted.priority
    assert 1 == len(node.started)


def test_a_task_that_has_not_begun_is_replaced_by_a_new_version() -> None:
    """So a joiner that says Always still costs one pull alone."""
    node = VirtualNode(slots=1)
    node.want(image("busy"), image("app"))

    node.want(image("busy"), image("app", version=2, policy="Always"))
    node.end(DONE, name="busy")
    node.end(DONE, name="app")

    assert Phase.SUCCEEDED is node.phase()
    assert [("busy", 1), ("app", 2)] == list(zip(node.starts, [one.version for one in node.started], strict=True))


def test_a_new_version_has_all_its_attempts() -> None:
    """Failures of the last round do not count in this one."""
    node = VirtualNode()
    node.want(image(backoff_limit=1))
    node.end(UNAVAILABLE)

    node.want(image(version=2, backoff_limit=1))
    assert (1, None) == (node.task().attempt, node.task().reason)
    node.end(UNAVAILABLE)

    assert Phase.WAITING is node.phase()


@pytest.mark.parametrize("policy", ["Always", "IfNotPresent"])
def test_a_running_pull_is_never_restarted_for_the_same_reference(policy: str) -> None:
    """A higher version adopts it: no cancel, no second pull beside it."""
    node = VirtualNode()
    node.want(image())

    node.want(image(version=2, policy=policy))

    assert [] == node.cancels
    assert 1 == len(node.pulls)
    assert (2, 1) == (node.task().wanted.version, node.task().attempt)


def test_an_adopting_version_has_all_its_attempts_and_its_whole_deadline() -> None:
    """The running pull is its first attempt; what the last version spent is not its own."""
    node = VirtualNode()
    node.want(image(backoff_limit=1, active_deadline_seconds=100))
    node.advance(50)
    node.end(UNAVAILABLE)
    node.advance(1)
    assert (2, 51.0) == (node.task().attempt, node.task().spent_seconds)

    node.want(image(version=2, backoff_limit=1, active_deadline_seconds=100))

    assert (1, 0.0) == (node.task().attempt, node.task().spent_seconds)
    node.end(UNAVAILABLE)
    assert Phase.WAITING is node.phase()


def test_under_if_not_present_an_adopted_pull_answers_the_new_version() -> None:
    """One pull serves both."""
    node = VirtualNode()
    node.want(image())
    node.want(image(version=2))

    node.end(DONE)

    assert Phase.SUCCEEDED is node.phase()
    assert 1 == len(node.started)


def test_under_always_one_more_pull_follows_an_adopted_one() -> None:
    """The adopted pull may have asked the registry before the new version was wanted."""
    node = VirtualNode()
    node.want(image(policy="Always"))
    node.want(image(version=2, policy="Always"))
    node.want(image(version=3, policy="Always"))

    node.end(DONE)
    assert not node.task().is_ended
    assert 2 == len(node.started)

    node.end(PRESENT)
    assert Phase.SUCCEEDED is node.phase()
    assert 2 == len(node.started)
    assert node.task().is_changed


def test_an_adopted_pull_that_fails_for_good_is_followed_by_none() -> None:
    """A permanent failure answers the new version too."""
    node = VirtualNode()
    node.want(image(policy="Always"))
    node.want(image(version=2, policy="Always"))

    node.end(AttemptEnd(ending=Ending.FAILED, reason=Reason.PLATFORM_MISMATCH, message="no match for platform"))
    node.advance(3600)

    assert (Phase.FAILED, 1) == (node.phase(), len(node.started))
    assert not node.task().is_pull_due_again


def test_a_retry_after_adoption_is_that_one_more_pull() -> None:
    """It began after the new version was wanted, so nothing follows it."""
    node = VirtualNode()
    node.want(image(policy="Always"))
    node.want(image(version=2, policy="Always"))

    node.end(UNAVAILABLE)
    node.advance(1)
    node.end(DONE)

    assert Phase.SUCCEEDED is node.phase()
    assert 2 == len(node.started)


def test_the_one_more_pull_after_an_adopted_refill_asks_the_registry() -> None:
    """A refill only wants the image back; the new version wants the registry's answer."""
    node = VirtualNode()
    node.want(image(policy="Always"))
    node.end(DONE)
    node.lose()
    node.want(image(version=2, policy="Always"))

    node.end(DONE)

    assert 3 == len(node.started)
    assert not node.task().is_refill


def test_an_adopted_pull_that_waited_for_space_may_wait_again() -> None:
    """The new version has its whole timeoutSeconds for it."""
    node = VirtualNode()
    node.want(image(timeout_seconds=10))
    node.end(LOW)
    node.advance(8)
    node.want(image(version=2, timeout_seconds=10))
    node.advance(4)

    node.end(LOW)

    assert Phase.WAITING is node.phase()


def test_another_object_under_the_same_name_starts_anew() -> None:
    """Another uid is another NodeImage: no answer of the old one counts."""
    node = VirtualNode()
    node.want(image(), uid="first")
    node.end(DONE)

    node.want(image(), uid="second")

    assert 2 == len(node.started)
    assert not node.task().is_ended


def test_another_object_adopts_a_running_pull() -> None:
    """The pull in the runtime is the same, whoever wants it."""
    node = VirtualNode()
    node.want(image(), uid="first")

    node.want(image(), uid="second")

    assert ([], 1) == (node.cancels, len(node.started))


def test_suspension_cancels_the_running_pull() -> None:
    """And reports Waiting with reason Suspended once it has ended."""
    node = VirtualNode()
    node.want(image())
    node.ask_registry()

    node.want(image(is_suspended=True))
    assert [(key_of("app"), CancelCause.SUSPENDED)] == node.cancels

    node.end(cancelled(CancelCause.SUSPENDED))
    status = status_of(node.task())
    assert (Phase.WAITING, Reason.SUSPENDED) == (status.phase, status.reason)
    assert node.decided.wake_seconds is None


def test_a_resumed_image_goes_on_with_the_same_attempt() -> None:
    """Same version, same attempt afterwards."""
    node = VirtualNode()
    node.want(image(backoff_limit=1))
    node.end(UNAVAILABLE)
    node.advance(1)
    assert 2 == node.task().attempt

    node.want(image(backoff_limit=1, is_suspended=True))
    node.end(cancelled(CancelCause.SUSPENDED))
    node.want(image(backoff_limit=1))

    assert (2, 3) == (node.task().attempt, len(node.started))
    node.end(DONE)
    assert Phase.SUCCEEDED is node.phase()


def test_an_image_resumed_before_its_pull_has_ended_starts_again_after_that() -> None:
    """No wake-up is lost between the two."""
    node = VirtualNode()
    node.want(image())
    node.want(image(is_suspended=True))
    node.want(image())

    node.end(cancelled(CancelCause.SUSPENDED))

    assert 2 == len(node.started)


def test_suspension_of_an_ended_image_changes_nothing() -> None:
    """It is still there, and says so."""
    node = VirtualNode()
    node.want(image())
    node.end(DONE)

    node.want(image(is_suspended=True))

    assert (Phase.SUCCEEDED, "") == (status_of(node.task()).phase, status_of(node.task()).reason)


def test_withdrawal_cancels_the_running_pull() -> None:
    """A pull that nobody wants any more is cancelled in the runtime, and no longer reported."""
    node = VirtualNode()
    node.want(image())

    node.want()

    assert [(key_of("app"), CancelCause.WITHDRAWN)] == node.cancels
    assert {} == node.state.tasks


def test_a_withdrawn_image_is_let_go_by_its_worker() -> None:
    """After its pull has ended, so that nothing is left to do."""
    node = VirtualNode()
    node.want(image())
    node.want()

    node.end(cancelled(CancelCause.WITHDRAWN))

    assert {} == node.state.leaving
    assert {} == node.releases


@pytest.mark.parametrize("cause", [CancelCause.TIMEOUT, CancelCause.SUSPENDED, CancelCause.DEADLINE])
def test_a_pull_that_is_being_cancelled_for_another_cause_is_let_go_after_withdrawal(cause: CancelCause) -> None:
    """Its worker knows the first cause only, so a release follows."""
    node = VirtualNode()
    node.want(image(timeout_seconds=10))
    node.advance(10)
    node.want()

    node.end(cancelled(cause))
    assert [key_of("app")] == list(node.releases.values())

    node.finish_release()
    assert {} == node.state.leaving


@pytest.mark.parametrize("end", [UNAVAILABLE, RUNTIME_DOWN, PRESENT])
def test_a_pull_that_ended_as_it_was_withdrawn_is_let_go(end: AttemptEnd) -> None:
    """Its worker was gone before it could hear of the withdrawal, so a release follows."""
    node = VirtualNode()
    node.want(image())
    node.want()

    node.end(end)

    assert [key_of("app")] == list(node.releases.values())


@pytest.mark.parametrize("end", [UNAVAILABLE, RUNTIME_DOWN])
def test_a_waiting_image_that_may_hold_something_is_released_on_withdrawal(end: AttemptEnd) -> None:
    """Also without a running worker, partial downloads are deleted."""
    node = VirtualNode()
    node.want(image())
    node.end(end)

    node.want()

    assert [key_of("app")] == list(node.releases.values())
    node.finish_release()
    assert {} == node.state.leaving


def test_a_failed_image_is_released_on_withdrawal() -> None:
    """After a failed round the hold stays while the entry stands, and no longer."""
    node = VirtualNode()
    node.want(image(backoff_limit=0))
    node.end(UNAVAILABLE)

    node.want()

    assert [key_of("app")] == list(node.releases.values())


def test_what_an_earlier_version_holds_is_released_on_withdrawal() -> None:
    """A new version that never began does not forget the hold of the last round."""
    node = VirtualNode(slots=1)
    node.want(image("app", backoff_limit=0))
    node.end(UNAVAILABLE)
    node.want(image("busy"), image("app", version=2))

    node.want(image("busy"))

    assert [key_of("app")] == list(node.releases.values())


@pytest.mark.parametrize("ending", [None, DONE])
def test_an_image_that_holds_nothing_leaves_without_a_release(ending: AttemptEnd | None) -> None:
    """Neither one that never began nor one that succeeded."""
    node = VirtualNode(slots=1)
    node.want()
    node.want(image("app") if ending else image("app", is_suspended=True))
    if ending:
        node.end(ending)

    node.want()

    assert ({}, {}) == (node.state.leaving, node.releases)


def test_what_an_earlier_process_may_hold_is_released_on_withdrawal() -> None:
    """After a start nobody knows what is held of the images wanted first, so one that never began is released too."""
    node = VirtualNode(slots=1)
    node.want(image("app", is_suspended=True))

    node.want()

    assert [key_of("app")] == list(node.releases.values())


def test_a_hold_is_dropped_before_the_next_attempt_after_its_tag_has_moved() -> None:
    """What is held of the old image would only fill the disk; the attempt that drops it holds anew."""
    node = VirtualNode(slots=1)
    node.want(image("app", backoff_limit=3))
    node.find_manifest("sha256:old")
    node.end(UNAVAILABLE)
    node.advance(60.0)
    node.find_manifest("sha256:new")

    node.end(UNAVAILABLE)
    is_stale_before = node.task().is_hold_stale
    node.advance(60.0)

    assert (True, False) == (is_stale_before, node.task().is_hold_stale)


def test_a_hold_outlived_by_an_image_that_came_otherwise_is_released_on_withdrawal() -> None:
    """A Pod brought the image between two attempts, and the hold of the first still stands."""
    node = VirtualNode()
    node.want(image())
    node.end(UNAVAILABLE)
    node.advance(1)
    node.end(PRESENT)

    node.want()

    assert [key_of("app")] == list(node.releases.values())


def test_an_image_wanted_again_waits_until_its_pull_has_ended() -> None:
    """A new task for that image waits until the worker has ended the pull and released the hold."""
    node = VirtualNode()
    node.want(image())
    node.want()

    node.want(image(version=2))
    assert 1 == len(node.started)
    assert Phase.WAITING is node.phase()

    node.end(cancelled(CancelCause.WITHDRAWN))
    assert [1, 2] == [started.version for started in node.started]


def test_an_image_wanted_again_waits_until_its_hold_is_released() -> None:
    """A release that comes late would delete what the new pull has fetched."""
    node = VirtualNode()
    node.want(image())
    node.end(UNAVAILABLE)
    node.want()

    node.want(image(version=2))
    assert 1 == len(node.started)

    node.finish_release()
    assert 2 == len(node.started)


def test_an_image_withdrawn_wanted_and_withdrawn_again_leaves_once() -> None:
    """While its one worker ends."""
    node = VirtualNode()
    node.want(image())
    node.want()
    node.want(image(version=2))
    node.want()

    node.end(cancelled(CancelCause.WITHDRAWN))

    assert ({}, {}, {}) == (node.state.tasks, node.state.leaving, node.releases)
    assert 1 == len(node.cancels)


@pytest.mark.parametrize(
    "end",
    [
        cancelled(CancelCause.DEADLINE),
        AttemptEnd(ending=Ending.FAILED, reason=Reason.PLATFORM_MISMATCH),
        UNAVAILABLE,
        DONE,
    ],
)
def test_the_end_of_a_cancelled_pull_says_nothing_of_a_newer_version(end: AttemptEnd) -> None:
    """A deadline of the last version does not fail this one, nor does a late success answer it (8.2 number 10)."""
    node = VirtualNode()
    node.want(image(active_deadline_seconds=10))
    node.advance(10)
    assert [(key_of("app"), CancelCause.DEADLINE)] == node.cancels

    node.want(image(version=2, active_deadline_seconds=10))
    node.end(end)

    assert [1, 2] == [started.version for started in node.started]
    assert (1, 0.0) == (node.task().attempt, node.task().spent_seconds)
    node.end(DONE)
    assert Phase.SUCCEEDED is node.phase()


def test_entries_that_name_one_key_twice_are_one_task() -> None:
    """The last of them holds."""
    node = VirtualNode()
    twice: tuple[WantedImage, ...] = (image(priority=1), image(priority=2))

    node.want(*twice)

    assert [2] == [task.wanted.priority for task in node.state.tasks.values()]


def test_once_something_is_wanted_the_node_knows_what() -> None:
    """An orphaned hold is released only once it is known what is wanted, be it nothing."""
    node = VirtualNode()
    assert not node.state.is_wanted_known

    node.want()

    assert node.state.is_wanted_known
