"""When the stand-in fails an entry, and what it writes then."""

from datetime import timedelta

import msgspec

from tests.servers.openkruise.manager_nodeimage import EntryPolicy, ImageStatus, NodeImage, TagStatus
from tests.servers.openkruise.manager_pace import Limits, Pace
from tests.servers.openkruise.manager_watchdog import watched
from tests.unit.openkruise.given import NOW, PACE, REPOSITORY, entry, node_image, status


LATE = Pace(now=NOW + timedelta(seconds=6), speed=100)
LIMITS = Limits()


def statuses_of(node: NodeImage) -> dict[str, ImageStatus]:
    """Return what is told of a NodeImage."""
    return node.status.image_statuses or {}


def test_a_node_that_says_nothing_of_a_version_for_ten_minutes_has_failed_it() -> None:
    """An older version's end says nothing of this one."""
    node = node_image(entries=(entry(version=1),), statuses=(status(),))

    assert watched(node, pace=PACE, limits=LIMITS) is None

    found = watched(node, pace=LATE, limits=LIMITS)
    assert found is not None
    message = "node has not responded for a long time"
    expected = TagStatus(tag="v1", phase="Failed", completion_time=LATE.now, version=1, message=message)
    assert (expected,) == statuses_of(found.node_image)[REPOSITORY].tags
    assert [message] == [failure.message for failure in found.failures]


def test_a_node_that_has_said_anything_is_not_silent() -> None:
    """Without a deadline it may pull for ever."""
    node = node_image(entries=(entry(),), statuses=(status(phase="Waiting"),))

    assert watched(node, pace=LATE, limits=LIMITS) is None


def test_an_open_pull_fails_ten_minutes_after_its_deadline() -> None:
    """Counted from the entry's time, not from the pull's start."""
    bound = msgspec.structs.replace(entry(), pull_policy=EntryPolicy(active_deadline_seconds=60))
    node = node_image(entries=(bound,), statuses=(status(phase="Pulling"),))

    assert watched(node, pace=LATE, limits=LIMITS) is None

    found = watched(node, pace=Pace(now=NOW + timedelta(seconds=7), speed=100), limits=LIMITS)
    assert found is not None
    assert "pulling exceeds the activeDeadlineSeconds" == found.failures[0].message


def test_a_failure_prunes_what_is_wanted_no_more_and_counts_anew_but_for_waiting() -> None:
    """The counters are those that OpenKruise counts."""
    told = (status("done"), status("gone"), status("open", phase="Pulling"))
    node = node_image(entries=(entry("done"), entry("open"), entry("silent")), statuses=told)
    stale = msgspec.structs.replace(node, status=msgspec.structs.replace(node.status, waiting=9))

    found = watched(stale, pace=LATE, limits=LIMITS)

    assert found is not None
    counts = found.node_image.status
    assert ["done", "open", "silent"] == [each.tag for each in statuses_of(found.node_image)[REPOSITORY].tags]
    assert (3, 1, 1, 1, 9) == (counts.desired, counts.pulling, counts.succeeded, counts.failed, counts.waiting)
