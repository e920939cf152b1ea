"""An image that is removed under a standing entry is pulled again."""

import msgspec
import pytest

from daemon.api.nodeimage import Phase
from daemon.api.reasons import Reason
from daemon.node.eviction import refill_seconds
from tests.unit.node.virtual_node import DONE, UNAVAILABLE, VirtualNode, image


DAY_SECONDS = 86400.0


def test_a_removed_image_is_pulled_again_at_once() -> None:
    """The first time in a day, in the same version, Waiting again (kruise#1419, 8.2 number 2: stays Succeeded)."""
    node = VirtualNode()
    node.want(image())
    node.end(DONE)

    node.lose()

    assert 2 == len(node.started)
    assert (Phase.WAITING, 1, "") == (node.phase(), node.task().wanted.version, node.task().image_id)
    assert node.task().completed_at is None


def test_a_refill_of_an_always_image_only_wants_it_back() -> None:
    """The registry is asked anew by a new version, not by an eviction."""
    node = VirtualNode()
    node.want(image(policy="Always"))
    node.end(DONE)

    node.lose()

    assert node.task().is_refill


@pytest.mark.parametrize(
    ("evictions", "seconds"),
    [(1, 0.0), (2, 10.0), (3, 20.0), (4, 40.0), (10, 2560.0), (11, 3600.0), (1000, 3600.0)],
)
def test_later_removals_wait_ten_seconds_doubling_to_an_hour(evictions: int, seconds: float) -> None:
    """A kubelet that is short of disk would take the image again."""
    assert seconds == refill_seconds(evictions)


def test_the_second_removal_of_a_day_waits() -> None:
    """And the plan sets its own alarm for it."""
    node = VirtualNode()
    node.want(image())
    node.end(DONE)
    node.lose()
    node.end(DONE)

    node.lose()
    assert 2 == len(node.started)

    node.advance(10)
    assert 3 == len(node.started)


def test_three_removals_in_a_day_are_an_eviction_loop() -> None:
    """Told while it waits and when it is there, with what the kubelet does and what helps."""
    node = VirtualNode()
    node.want(image())
    node.end(DONE)
    for _ in range(3):
        assert node.task().reason is None
        node.lose()
        waiting = node.task()
        node.advance(60)
        node.end(DONE)

    assert Reason.EVICTION_LOOP is waiting.reason
    assert (Phase.SUCCEEDED, Reason.EVICTION_LOOP) == (node.phase(), node.task().reason)
    assert "removed 3 times in a day" in node.task().message
    words = ("imageGCHighThresholdPercent", "imagefs.available", "evictionHard")
    assert [] == [word for word in words if word not in node.task().message]


def test_removals_of_another_day_are_forgotten() -> None:
    """Three in a month are no loop, and the next pull is at once again."""
    node = VirtualNode()
    node.want(image())
    node.end(DONE)

    for _ in range(4):
        node.lose()
        node.end(DONE)
        node.advance(DAY_SECONDS)

    assert 5 == len(node.started)
    assert node.task().reason is None


def test_a_new_version_a_day_later_is_no_eviction_loop() -> None:
    """Its success says what holds now."""
    node = VirtualNode()
    node.want(image())
    node.end(DONE)
    for _ in range(3):
        node.lose()
        node.advance(60)
        node.end(DONE)
    node.advance(DAY_SECONDS)

    node.want(image(version=2, policy="Always"))
    node.end(DONE)

    assert node.task().reason is None


def test_a_new_version_remembers_the_removals_of_the_day() -> None:
    """A refresh does not hide an eviction loop."""
    node = VirtualNode()
    node.want(image())
    node.end(DONE)
    for _ in range(3):
        node.lose()
        node.advance(60)
        node.end(DONE)

    node.want(image(version=2, policy="Always"))
    node.end(DONE)

    assert Reason.EVICTION_LOOP is node.task().reason


def test_a_refill_has_all_its_attempts() -> None:
    """And its whole deadline: what the first pull spent does not count."""
    node = VirtualNode()
    node.want(image(backoff_limit=1, active_deadline_seconds=100))
    node.end(UNAVAILABLE)
    node.advance(1)
    node.end(DONE)

    node.lose()

    assert (1, 0.0) == (node.task().attempt, node.task().spent_seconds)


def test_a_failed_image_that_is_removed_stays_failed_and_cold() -> None:
    """An older image that lay there is not what was wanted, but its absence is told."""
    node = VirtualNode()
    node.want(image(backoff_limit=0))
    node.end(msgspec.structs.replace(UNAVAILABLE, image_id="r@sha256:old"))
    assert "r@sha256:old" == node.task().image_id

    node.lose()

    assert (Phase.FAILED, "") == (node.phase(), node.task().image_id)
    assert 1 == len(node.started)


def test_the_removal_of_an_older_image_is_told_while_its_task_waits() -> None:
    """The imageID is what lies on the node now, in every phase."""
    node = VirtualNode()
    node.want(image())
    node.end(DONE)
    node.want(image(version=2, is_suspended=True))

    node.lose()

    assert (Phase.WAITING, "") == (node.phase(), node.task().image_id)


def test_a_removal_while_it_is_pulled_changes_nothing() -> None:
    """The pull's end tells what is there."""
    node = VirtualNode()
    node.want(image())
    before = node.state

    node.lose()

    assert before == node.state


def test_a_removal_of_what_nobody_wants_changes_nothing() -> None:
    """Other images of the node are none of ours."""
    node = VirtualNode()
    before = node.state

    node.lose()

    assert before == node.state


def test_a_suspended_image_is_not_refilled_until_it_is_resumed() -> None:
    """Suspended means that nothing is pulled."""
    node = VirtualNode()
    node.want(image())
    node.end(msgspec.structs.replace(DONE, digest="sha256:3"))
    node.want(image(is_suspended=True))

    node.lose()
    assert (Phase.WAITING, 1) == (node.phase(), len(node.started))
    assert ("", "", None) == (node.task().image_id, node.task().digest, node.task().started_at)

    node.want(image())
    assert 2 == len(node.started)
