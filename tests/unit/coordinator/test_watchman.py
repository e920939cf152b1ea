"""What a coordinator says of its API server: in the log once, and in /readyz for as long as it holds."""

import io
import json
from collections.abc import Iterator

import pytest

from daemon.cluster.errors import Denied, NotFound, Unreachable
from daemon.coordinator.watchman import Watchman
from daemon.observe.logs import configure, logger
from tests.unit.cluster.clock import SetClock
from tests.unit.observe.before import logging_as_before


class Seen:
    """A watchman with its log and its clock."""

    def __init__(self) -> None:
        self._stream = io.StringIO()
        configure("json", stream=self._stream)
        self.clock = SetClock()
        self.watchman = Watchman(logger(), clock=self.clock)

    def standing_by(self) -> str:
        """Return what is wrong for one that stands by."""
        return self.watchman.problem(is_leading=False, last_sync=None)

    def leading(self, *, synced_seconds_ago: float | None) -> str:
        """Return what is wrong for a leader whose watches were last right so long ago."""
        last_sync = None if synced_seconds_ago is None else self._ago(synced_seconds_ago)
        return self.watchman.problem(is_leading=True, last_sync=last_sync.now() if last_sync else None)

    def _ago(self, seconds: float) -> SetClock:
        clock = SetClock()
        clock.seconds = self.clock.seconds - seconds
        return clock

    def synced(self, *resources: str) -> None:
        """Let the watches of these resources be right now."""
        self.watchman.synced(dict.fromkeys(resources, self.clock.now()))

    def events(self) -> list[str]:
        """Return the names of all lines."""
        return [json.loads(line)["event"] for line in self._stream.getvalue().splitlines()]


@pytest.fixture
def seen() -> Iterator[Seen]:
    """A watchman whose Lease has been read."""
    with logging_as_before():
        made = Seen()
        made.watchman.requested("get", "leases", "200")
        yield made


def test_before_the_lease_was_asked_for_nothing_is_ready() -> None:
    """A Pod that has just started can't be counted on."""
    watchman = Watchman(logger(), clock=SetClock())

    assert "not asked for the Lease yet" == watchman.problem(is_leading=False, last_sync=None)


def test_one_that_stands_by_is_ready_with_the_lease_alone(seen: Seen) -> None:
    """It holds no watches; a rollout must not wait for it to lead."""
    assert "" == seen.standing_by()


def test_a_lease_that_cannot_be_had_is_told_until_it_can(seen: Seen) -> None:
    """With the server's words."""
    seen.watchman.lease_failed(Denied("get leases: forbidden", code=403))
    seen.watchman.lease_failed(Denied("get leases: forbidden", code=403))
    failing = seen.standing_by()
    seen.watchman.requested("get", "leases", "403")
    still = seen.standing_by()
    seen.watchman.requested("update", "leases", "409")

    assert "lease leases: Denied: get leases: forbidden" == failing
    assert failing == still
    assert "" == seen.standing_by()
    assert ["lease_failed", "lease_works_again"] == seen.events()


def test_a_leader_is_ready_once_it_has_listed_everything(seen: Seen) -> None:
    """Until then it acts on nothing."""
    assert "not synced yet" == seen.leading(synced_seconds_ago=None)
    assert "" == seen.leading(synced_seconds_ago=0)


def test_absent_crds_are_told_in_words(seen: Seen) -> None:
    """What a person has forgotten stands in /readyz."""
    seen.watchman.watch_failed("imagepulljobs", NotFound("no version of apps.kruise.io is served", code=404))

    expected = "watch imagepulljobs: NotFound: no version of apps.kruise.io is served"
    assert expected == seen.leading(synced_seconds_ago=None)
    assert "" == seen.standing_by()


def test_a_watch_that_failed_is_told_until_all_are_right_again(seen: Seen) -> None:
    """Of several the newest, each once in the log."""
    seen.watchman.watch_failed("nodes", Unreachable("list nodes: no answer"))
    seen.clock.seconds += 1
    seen.watchman.watch_failed("nodeimages", Unreachable("list nodeimages: no answer"))

    failing = seen.leading(synced_seconds_ago=5)
    seen.clock.seconds += 5
    seen.synced("nodes", "nodeimages")

    assert "watch nodeimages: Unreachable: list nodeimages: no answer" == failing
    assert "" == seen.leading(synced_seconds_ago=0)
    assert ["watch_failed"] * 2 + ["watch_works_again"] * 2 == seen.events()


def test_a_watch_that_works_again_waits_for_no_other(seen: Seen) -> None:
    """One on which nothing happens is known to be right each minute only; it keeps no leader from being ready."""
    seen.watchman.watch_failed("nodeimages", Unreachable("list nodeimages: no answer"))
    seen.clock.seconds += 1
    seen.synced("nodes")
    failing = seen.leading(synced_seconds_ago=5)
    seen.synced("nodeimages")

    assert "watch nodeimages: Unreachable: list nodeimages: no answer" == failing
    assert "" == seen.leading(synced_seconds_ago=5)


def test_another_failure_is_another_line(seen: Seen) -> None:
    """One that repeats is none."""
    for message in ("no answer", "no answer", "certificate has expired"):
        seen.watchman.event_failed(Unreachable(message))

    assert ["events_failed"] * 2 == seen.events()


def test_a_term_that_is_over_is_not_told_of(seen: Seen) -> None:
    """What its watches met is of no one's concern any more."""
    seen.watchman.watch_failed("nodes", Unreachable("no answer"))

    seen.watchman.term_ended()

    assert "not synced yet" == seen.leading(synced_seconds_ago=None)
