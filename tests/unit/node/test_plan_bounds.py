"""What bounds an attempt and a wait: timeoutSeconds, activeDeadlineSeconds, and a name that is none."""

from daemon.api.nodeimage import Phase
from daemon.api.reasons import Reason
from daemon.node.plan import attempt_limit_seconds
from daemon.node.task import CancelCause
from daemon.node.wanted import WantedImage
from tests.unit.node.virtual_node import DONE, RUNTIME_DOWN, UNAVAILABLE, VirtualNode, cancelled, image, key_of


def test_an_attempt_is_cancelled_at_timeout_seconds() -> None:
    """Not earlier, and by an alarm of the plan's own."""
    node = VirtualNode()
    node.want(image(timeout_seconds=60))

    node.advance(59.9)
    assert [] == node.cancels

    node.advance(0.1)
    assert [(key_of("app"), CancelCause.TIMEOUT)] == node.cancels


def test_a_cancel_is_told_once() -> None:
    """A worker that needs long to end is not told again at each plan."""
    node = VirtualNode()
    node.want(image(timeout_seconds=60))

    node.advance(600)

    assert [(key_of("app"), CancelCause.TIMEOUT)] == node.cancels


def test_a_timed_out_attempt_says_so_and_is_retried() -> None:
    """The attempt's timeout is retried like any transient failure."""
    node = VirtualNode()
    node.want(image(timeout_seconds=60))
    node.advance(60)

    node.end(cancelled(CancelCause.TIMEOUT))

    assert Phase.WAITING is node.phase()
    assert Reason.ATTEMPT_TIMEOUT is node.task().reason
    assert "no end within timeoutSeconds (60)" == node.task().message
    node.advance(1)
    assert ["app", "app"] == node.starts


def test_every_attempt_has_its_own_timeout() -> None:
    """The timeout bounds one attempt, not all of them."""
    node = VirtualNode()
    node.want(image(timeout_seconds=60))
    node.advance(50)
    node.end(UNAVAILABLE)
    node.advance(50)

    assert 2 == len(node.starts)
    assert [] == node.cancels


def test_the_deadline_counts_attempts_and_backoff() -> None:
    """It is spent by what the agent does and by its backoff, and then cancels."""
    node = VirtualNode()
    node.want(image(active_deadline_seconds=100, backoff_limit=10))
    node.advance(50)
    node.end(UNAVAILABLE)
    node.advance(1)

    node.advance(48)
    assert [] == node.cancels
    node.advance(1)
    assert [(key_of("app"), CancelCause.DEADLINE)] == node.cancels

    node.end(cancelled(CancelCause.DEADLINE))
    assert Phase.FAILED is node.phase()
    assert Reason.DEADLINE_EXCEEDED is node.task().reason
    assert "activeDeadlineSeconds (100)" in node.task().message


def test_waiting_for_a_slot_counts_towards_no_deadline() -> None:
    """An image that waits an hour for its turn still has its whole deadline (8.2 number 13)."""
    node = VirtualNode(slots=1)
    node.want(image("first", timeout_seconds=7200, priority=1), image("second", active_deadline_seconds=10))
    node.advance(3600)
    node.end(DONE, name="first")

    assert 0.0 == node.task("second").spent_seconds
    node.end(DONE, name="second")
    assert Phase.SUCCEEDED is node.phase("second")


def test_suspension_counts_towards_no_deadline() -> None:
    """A night of suspension does not fail the job in the morning."""
    node = VirtualNode()
    node.want(image(active_deadline_seconds=10, is_suspended=True))
    node.advance(36000)

    node.want(image(active_deadline_seconds=10))
    node.end(DONE)

    assert Phase.SUCCEEDED is node.phase()


def test_a_runtime_that_is_away_counts_towards_no_deadline() -> None:
    """Only attempts and backoff do."""
    node = VirtualNode()
    node.want(image(active_deadline_seconds=10))
    node.advance(5)
    node.end(RUNTIME_DOWN)
    node.advance(3600)

    node.runtime_answers()

    assert 0.0 == node.task().spent_seconds
    assert 2 == len(node.starts)


def test_a_backoff_that_would_reach_the_deadline_is_not_waited_for() -> None:
    """The failure is told at once, with what the last attempt said."""
    node = VirtualNode()
    node.want(image(active_deadline_seconds=50))
    node.advance(49.5)

    node.end(UNAVAILABLE)

    assert Phase.FAILED is node.phase()
    assert Reason.DEADLINE_EXCEEDED is node.task().reason
    assert node.task().message.endswith("the last attempt: RegistryUnavailable: connection refused")


def test_the_tighter_of_timeout_and_what_is_left_of_the_deadline_bounds_an_attempt() -> None:
    """And it is named after what it was."""
    node = VirtualNode()

    node.want(image("a", timeout_seconds=60, active_deadline_seconds=100), image("b", timeout_seconds=60))
    assert (60.0, CancelCause.TIMEOUT) == attempt_limit_seconds(node.task("a"))
    assert (60.0, CancelCause.TIMEOUT) == attempt_limit_seconds(node.task("b"))

    node.advance(50)
    node.end(UNAVAILABLE, name="a")
    assert (49.0, CancelCause.DEADLINE) == attempt_limit_seconds(node.task("a"))


def test_a_name_that_is_no_reference_fails_at_once_without_an_attempt() -> None:
    """InvalidReference is permanent, takes no slot and says what is wrong with the name."""
    node = VirtualNode()
    bad = WantedImage(key=key_of("app"), version=1, reference=None, problem="tag is empty")

    node.want(bad)

    assert Phase.FAILED is node.phase()
    assert Reason.INVALID_REFERENCE is node.task().reason
    assert "tag is empty" == node.task().message
    assert [] == node.started


def test_a_suspended_name_that_is_no_reference_fails_when_it_is_resumed() -> None:
    """While it is suspended it is reported as that."""
    node = VirtualNode()
    bad = image(reference=None, problem="tag is empty")

    node.want(image(reference=None, problem="tag is empty", is_suspended=True))
    assert Phase.WAITING is node.phase()

    node.want(bad)
    assert Phase.FAILED is node.phase()
