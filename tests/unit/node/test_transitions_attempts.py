"""What an attempt's end leads to: done, failed, or another attempt and when."""

import msgspec
import pytest

from daemon.api.nodeimage import Phase
from daemon.api.reasons import Reason
from daemon.node import transitions
from daemon.node.task import AttemptEnd, CancelCause, Ending
from daemon.runtime.interface import Progress, Stage
from tests.unit.node.virtual_node import (
    DONE,
    LOW,
    PRESENT,
    RUNTIME_DOWN,
    THROTTLED,
    UNAVAILABLE,
    VirtualNode,
    cancelled,
    image,
    key_of,
    moment,
)


PERMANENT = (Reason.INVALID_REFERENCE, Reason.PLATFORM_MISMATCH, Reason.REFUSED_BY_POLICY)
RETRIED = (
    Reason.UNAUTHORIZED,
    Reason.FORBIDDEN,
    Reason.IMAGE_NOT_FOUND,
    Reason.REGISTRY_UNAVAILABLE,
    Reason.REGISTRY_TLS,
    Reason.CORRUPT_CONTENT,
    Reason.DISK_FULL,
    Reason.PULL_FAILED,
)


def failure(reason: Reason | None) -> AttemptEnd:
    """Return the end of an attempt that the runtime refused."""
    return AttemptEnd(ending=Ending.FAILED, reason=reason, message="the runtime's words")


@pytest.mark.parametrize("backoff_limit", [0, 1, 3])
def test_attempts_are_one_more_than_backoff_limit(backoff_limit: int) -> None:
    """The last of them fails the image with the runtime's words."""
    node = VirtualNode()
    node.want(image(backoff_limit=backoff_limit))

    while node.pulls:
        node.end(UNAVAILABLE)
        node.advance(60)

    assert backoff_limit + 1 == len(node.started)
    assert backoff_limit + 1 == node.task().attempt
    assert Phase.FAILED is node.phase()
    assert (Reason.REGISTRY_UNAVAILABLE, "connection refused") == (node.task().reason, node.task().message)


@pytest.mark.parametrize("reason", PERMANENT)
def test_a_permanent_failure_fails_at_once(reason: Reason) -> None:
    """Asking again would not help."""
    node = VirtualNode()
    node.want(image(backoff_limit=5))

    node.end(failure(reason))

    assert Phase.FAILED is node.phase()
    assert reason is node.task().reason
    assert 1 == node.task().attempt


@pytest.mark.parametrize("reason", RETRIED)
def test_denied_not_found_and_transient_are_retried(reason: Reason) -> None:
    """A secret or a tag may arrive, a registry come back."""
    node = VirtualNode()
    node.want(image())
    node.end(failure(reason))

    assert Phase.WAITING is node.phase()
    assert reason is node.task().reason
    node.advance(30)
    assert 2 == len(node.started)


def test_a_failure_without_a_reason_is_pull_failed() -> None:
    """The list of reasons is closed."""
    node = VirtualNode()
    node.want(image(backoff_limit=0))

    node.end(failure(None))

    assert Reason.PULL_FAILED is node.task().reason


def test_each_wait_is_the_backoff_of_its_attempt() -> None:
    """1, 2, 4 ... at most 30 seconds (here without jitter)."""
    node = VirtualNode()
    node.want(image(backoff_limit=7))

    waits = []
    for _ in range(7):
        node.end(UNAVAILABLE)
        waits.append(node.task().not_before_seconds - node.seconds)
        node.advance(waits[-1])

    assert [1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0] == waits
    assert 8 == len(node.started)


def test_there_is_no_wait_after_the_last_attempt() -> None:
    """The image is Failed in the moment that its last attempt ends (8.2 number 10)."""
    node = VirtualNode()
    node.want(image(backoff_limit=0))
    node.advance(7)

    node.end(UNAVAILABLE)

    assert moment(node.seconds).at == node.task().completed_at
    assert node.decided.wake_seconds is None


def test_success_has_the_digest_and_what_lies_on_the_node() -> None:
    """And no reason, nor words of an earlier failure."""
    node = VirtualNode()
    node.want(image())
    node.end(UNAVAILABLE)
    node.advance(1)

    node.end(AttemptEnd(ending=Ending.DONE, image_id="r@sha256:2", digest="sha256:3", is_fetched=True, is_changed=True))

    task = node.task()
    assert Phase.SUCCEEDED is task.phase
    assert ("r@sha256:2", "sha256:3") == (task.image_id, task.digest)
    assert (True, True) == (task.is_changed, task.is_fetched)
    assert (None, "") == (task.reason, task.message)
    assert moment(node.seconds).at == task.completed_at


def test_an_image_that_came_otherwise_is_a_success_without_the_old_reason() -> None:
    """A Pod brought it between two attempts."""
    node = VirtualNode()
    node.want(image())
    node.end(UNAVAILABLE)
    node.advance(1)

    node.end(PRESENT)

    assert (Phase.SUCCEEDED, None, "") == (node.phase(), node.task().reason, node.task().message)


@pytest.mark.parametrize("end", [DONE, cancelled(CancelCause.SUSPENDED), LOW, RUNTIME_DOWN])
def test_progress_is_of_the_running_pull_alone(end: AttemptEnd) -> None:
    """What the next pull will need to fetch, it will tell."""
    node = VirtualNode()
    node.want(image())
    serial = next(iter(node.pulls))
    progress = Progress(stage=Stage.DOWNLOADING, bytes_done=1, bytes_total=2)
    node.state = transitions.progressed(node.state, key_of("app"), serial=serial, progress=progress)
    assert progress == node.task().progress

    node.end(end)

    assert node.task().progress is None


def test_the_next_attempt_begins_without_the_last_one_s_progress_and_asks_without_its_words() -> None:
    """While it waits, what was fetched and why it failed are told; once the registry is asked again, neither."""
    node = VirtualNode()
    node.want(image())
    serial = next(iter(node.pulls))
    progress = Progress(stage=Stage.DOWNLOADING, bytes_done=1, bytes_total=2)
    node.state = transitions.progressed(node.state, key_of("app"), serial=serial, progress=progress)
    node.end(UNAVAILABLE)
    assert (progress, "connection refused") == (node.task().progress, node.task().message)

    node.advance(1)
    assert (None, "connection refused") == (node.task().progress, node.task().message)

    node.ask_registry()
    assert (Phase.PULLING, None, "") == (node.phase(), node.task().reason, node.task().message)


def test_a_success_ends_the_count_of_interruptions_and_the_wait_for_space() -> None:
    """The next round of the same entry begins with none of either."""
    node = VirtualNode()
    node.want(image(timeout_seconds=60))
    node.end(LOW)
    node.advance(2)
    node.end(RUNTIME_DOWN)
    node.runtime_answers()
    node.advance(2)
    node.end(DONE)
    node.advance(60)

    node.lose()

    assert (0, None) == (node.task().interruptions, node.task().low_since_seconds)
    node.end(LOW)
    assert Phase.WAITING is node.phase()


def test_an_image_that_is_there_counts_as_unchanged_and_unfetched() -> None:
    """`changed` says whether the repository's digest did."""
    node = VirtualNode()
    node.want(image())

    node.end(PRESENT)

    assert (False, False) == (node.task().is_changed, node.task().is_fetched)


def test_low_space_waits_without_spending_an_attempt() -> None:
    """However often it is looked at."""
    node = VirtualNode()
    node.want(image(backoff_limit=0, timeout_seconds=600))

    for _ in range(5):
        node.end(LOW)
        assert Phase.WAITING is node.phase()
        assert (Reason.DISK_LOW, "1.00 GiB free") == (node.task().reason, node.task().message)
        node.advance(2)

    assert 6 == len(node.started)
    assert 1 == node.task().attempt
    node.end(DONE)
    assert Phase.SUCCEEDED is node.phase()


def test_low_space_is_looked_at_again_after_two_seconds() -> None:
    """Not in a tight loop."""
    node = VirtualNode()
    node.want(image())

    node.end(LOW)
    node.advance(1.9)
    assert 1 == len(node.started)

    node.advance(0.1)
    assert 2 == len(node.started)


def test_a_failed_attempt_ends_the_wait_for_space() -> None:
    """There was space enough to ask the registry, so the next shortage is another."""
    node = VirtualNode()
    node.want(image(timeout_seconds=10))
    node.end(LOW)
    node.advance(9)
    node.end(UNAVAILABLE)
    node.advance(5)

    node.end(LOW)

    assert Phase.WAITING is node.phase()


def test_a_failed_refill_of_an_always_image_asks_the_registry_in_its_next_round() -> None:
    """A failed image is nothing to get back, and shows no progress."""
    node = VirtualNode()
    node.want(image(backoff_limit=0))
    node.end(DONE)
    node.lose()
    serial = next(iter(node.pulls))
    progress = Progress(stage=Stage.DOWNLOADING, bytes_done=1, bytes_total=2)
    node.state = transitions.progressed(node.state, key_of("app"), serial=serial, progress=progress)

    node.end(UNAVAILABLE)

    assert (Phase.FAILED, False, None) == (node.phase(), node.task().is_refill, node.task().progress)


def test_low_space_fails_with_disk_low_after_one_timeout_seconds() -> None:
    """By an alarm of the plan's own, though nothing else happens."""
    node = VirtualNode()
    node.want(image(timeout_seconds=10))
    begun = node.seconds
    node.end(LOW)

    while node.phase() is Phase.WAITING:
        node.advance(2)
        if node.pulls:
            node.end(LOW)

    assert Phase.FAILED is node.phase()
    assert Reason.DISK_LOW is node.task().reason
    assert 10.0 == node.seconds - begun


def test_a_pull_that_the_floor_cancels_waits_as_one_that_never_began() -> None:
    """Space that a pull itself uses up does not spend its attempts, and does not let it wait for ever."""
    node = VirtualNode()
    node.want(image(timeout_seconds=100, backoff_limit=0))
    node.end(LOW)
    begun = node.seconds

    while node.phase() is not Phase.FAILED:
        node.advance(30)
        if node.pulls:
            node.end(LOW)

    assert Reason.DISK_LOW is node.task().reason
    assert node.seconds - begun <= 130


def test_a_suspended_image_does_not_wait_for_space() -> None:
    """Resumed, it has its whole timeoutSeconds to wait again."""
    node = VirtualNode()
    node.want(image(timeout_seconds=10))
    node.end(LOW)
    node.want(image(timeout_seconds=10, is_suspended=True))
    node.advance(3600)

    node.want(image(timeout_seconds=10))

    assert Phase.WAITING is node.phase()
    assert 2 == len(node.started)


def test_a_runtime_that_goes_away_costs_no_attempt() -> None:
    """Nothing is wrong with the image."""
    node = VirtualNode()
    node.want(image(backoff_limit=0))

    node.end(RUNTIME_DOWN)

    assert not node.state.is_runtime_up
    assert (Phase.WAITING, 0) == (node.phase(), node.task().attempt)
    assert (Reason.RUNTIME_UNAVAILABLE, "no such socket") == (node.task().reason, node.task().message)


def test_a_runtime_that_dies_of_a_pull_again_and_again_is_left_alone_in_the_end() -> None:
    """The first three times cost nothing, and each after that an attempt."""
    node = VirtualNode()
    node.want(image(backoff_limit=1))

    for _ in range(5):
        assert Phase.WAITING is node.phase()
        node.end(RUNTIME_DOWN)
        node.runtime_answers()
        node.advance(60)

    assert Phase.FAILED is node.phase()
    assert Reason.RUNTIME_UNAVAILABLE is node.task().reason


def test_a_runtime_that_answers_but_cannot_pull_yet_is_not_asked_in_a_tight_loop() -> None:
    """The free interruptions are not used up in one instant."""
    node = VirtualNode()
    node.want(image())
    node.end(RUNTIME_DOWN)

    node.runtime_answers()
    assert 1 == len(node.started)

    node.advance(1)
    assert 2 == len(node.started)


def test_an_end_of_an_earlier_worker_changes_nothing() -> None:
    """Only the worker of the running attempt is heard."""
    node = VirtualNode()
    node.want(image())
    serial = next(iter(node.pulls))
    node.end(UNAVAILABLE)
    node.advance(1)
    before = node.state

    node.pulls[serial] = node.started[0].key
    node.end_worker(serial, DONE)

    assert before == node.state


def test_stopping_spends_no_attempt() -> None:
    """The next process begins the same attempt."""
    node = VirtualNode()
    node.want(image(backoff_limit=0))

    node.end(cancelled(CancelCause.STOPPING))

    assert not node.task().is_ended


def test_what_an_attempt_found_on_the_node_is_kept_in_every_phase() -> None:
    """The status has what lies on the node now; an end that does not know leaves it."""
    node = VirtualNode()
    node.want(image(backoff_limit=1))
    node.end(msgspec.structs.replace(UNAVAILABLE, image_id="r@sha256:old"))
    assert (Phase.WAITING, "r@sha256:old") == (node.phase(), node.task().image_id)

    node.advance(1)
    assert "r@sha256:old" == node.task().image_id
    node.end(RUNTIME_DOWN)
    assert "r@sha256:old" == node.task().image_id

    node.runtime_answers()
    node.advance(1)
    node.end(msgspec.structs.replace(THROTTLED, image_id=""))
    assert (Phase.FAILED, "") == (node.phase(), node.task().image_id)
