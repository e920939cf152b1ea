"""A lookout permits to lead where nobody else serves, says so once a change, and asks little."""

import threading

import pytest

from daemon.beside.lookout import LOOK_SECONDS, OURS_SECONDS, SOON_SECONDS, SWEPT_SECONDS, THEIRS_SECONDS, Lookout
from daemon.beside.verdict import Finding, Row
from daemon.cluster.errors import ClusterError, Denied, ServerFailed, Unreachable
from tests.servers.processes import until
from tests.unit.beside.cluster import GATE_OFF, UNANSWERED, Cluster
from tests.unit.cluster.clock import SetClock


DEFAULTED = {"spec": {"pullPolicy": {"timeoutSeconds": 600, "backoffLimit": 3}}}


class Watched:
    """A lookout, turned by hand, with all that it tells; itself who hears it."""

    def __init__(self) -> None:
        self.cluster = Cluster()
        self.clock = SetClock()
        self.last: Finding | None = None
        self.changes: list[Row] = []
        self.errors: list[ClusterError] = []
        self.permissions: list[bool] = []
        self.renewals = 0
        self.lookout = Lookout(
            self.cluster,
            namespace="prewarm-system",
            listener=self,
            turned=lambda: self.permissions.append(self.lookout.permits()),
            clock=self.clock,
        )

    def found(self, finding: Finding) -> None:
        """Keep it."""
        self.last = finding

    def changed(self, finding: Finding) -> None:
        """Note its row."""
        self.changes.append(finding.row)

    def missed(self, error: ClusterError) -> None:
        """Note it."""
        self.errors.append(error)

    def turn(self, *, after_seconds: float = 0.0) -> float:
        """Let time pass, and let it look."""
        self.clock.seconds += after_seconds
        return self.lookout.turn()

    def renewed_turn(self, *, after_seconds: float = LOOK_SECONDS) -> float:
        """The same, after a renewal."""
        self.renewals += 1
        self.cluster.renew(self.renewals)
        return self.turn(after_seconds=after_seconds)


@pytest.fixture
def watched() -> Watched:
    """A cluster without OpenKruise, not looked at yet."""
    return Watched()


def test_where_openkruise_never_was_one_look_is_enough(watched: Watched) -> None:
    """One read, one dry run, and no line of a log."""
    before = watched.lookout.permits()

    pause_seconds = watched.turn()

    assert (False, True, LOOK_SECONDS) == (before, watched.lookout.permits(), pause_seconds)
    assert (["lease", "job"], [], [True]) == (watched.cluster.asked, watched.changes, watched.permissions)


def test_where_nothing_changes_a_job_is_tried_each_ten_minutes(watched: Watched) -> None:
    """Each look is one read."""
    for _ in range(int(2 * OURS_SECONDS / LOOK_SECONDS)):
        watched.turn(after_seconds=LOOK_SECONDS)

    assert (240, 2) == (watched.cluster.asked.count("lease"), watched.cluster.asked.count("job"))


def test_a_manager_that_renews_is_stood_aside_for(watched: Watched) -> None:
    """Nothing is permitted before it is known, and the change is told once."""
    watched.cluster.job = DEFAULTED
    pauses = [watched.renewed_turn() for _ in range(4)]

    assert ([], [Row.THEIR_MANAGER]) == (watched.permissions, watched.changes)
    assert LOOK_SECONDS == pauses[-1]


def test_a_stale_lease_is_waited_for_once(watched: Watched) -> None:
    """Looked at each second until what its holder promised is over."""
    watched.cluster.renew(1)

    pause_seconds = watched.turn()
    for _ in range(14):
        watched.turn(after_seconds=SOON_SECONDS)
    before = list(watched.permissions)
    watched.turn(after_seconds=SOON_SECONDS)

    assert (SOON_SECONDS, [], [True]) == (pause_seconds, before, watched.permissions)
    assert [Row.UNDECIDED, Row.ALONE] == watched.changes


def test_a_manager_that_comes_is_stood_aside_for_before_a_job_is_tried(watched: Watched) -> None:
    """A webhook may take its time; meanwhile nothing of ours is sent."""
    watched.turn()
    watched.cluster.job = Unreachable("no answer in time")

    watched.renewed_turn()

    assert ([True, False], [Row.THEIR_MANAGER]) == (watched.permissions, watched.changes)


def test_a_manager_that_is_gone_gives_way(watched: Watched) -> None:
    """After what it promised, once its webhooks are gone too."""
    watched.cluster.job = DEFAULTED
    for _ in range(3):
        watched.renewed_turn()
    watched.cluster.job = {}

    for _ in range(3):
        watched.turn(after_seconds=LOOK_SECONDS)

    assert ([True], [Row.THEIR_MANAGER, Row.ALONE]) == (watched.permissions, watched.changes)


def test_between_two_leaders_of_theirs_ours_does_not_step_in(watched: Watched) -> None:
    """Webhooks that answer show that its manager runs, and a job is tried at each look then."""
    watched.cluster.job = DEFAULTED
    for _ in range(3):
        watched.renewed_turn()
    asked = watched.cluster.asked.count("job")

    for _ in range(6):
        watched.turn(after_seconds=LOOK_SECONDS)

    assert ([], [Row.THEIR_MANAGER]) == (watched.permissions, watched.changes)
    assert 4 == watched.cluster.asked.count("job") - asked


def test_a_gate_that_is_turned_on_is_seen_within_a_minute(watched: Watched) -> None:
    """From a manager that refuses every job to one that serves."""
    watched.cluster.job = Denied(GATE_OFF, code=403)
    for _ in range(3):
        watched.renewed_turn()
    watched.cluster.job = DEFAULTED

    for _ in range(int(THEIRS_SECONDS / LOOK_SECONDS)):
        watched.renewed_turn()

    assert ([Row.THEIR_MANAGER_REFUSES, Row.THEIR_MANAGER], []) == (watched.changes, watched.permissions)


def test_leftover_webhooks_do_not_keep_it_from_leading(watched: Watched) -> None:
    """Nobody else does; it is told, and so is their end."""
    watched.cluster.job = ServerFailed(UNANSWERED, code=500)
    watched.turn()
    watched.cluster.job = {}

    watched.turn(after_seconds=SWEPT_SECONDS)

    assert ([Row.LEFTOVER_WEBHOOKS, Row.ALONE], [True]) == (watched.changes, watched.permissions)


def test_what_may_not_be_looked_at_is_told_once(watched: Watched) -> None:
    """It goes on by what is known, which is here that nobody else is seen."""
    watched.cluster.lease_error = Denied("cannot get resource leases", code=403)
    watched.cluster.job = Denied("cannot create resource imagepulljobs", code=403)

    for _ in range(30):
        watched.turn(after_seconds=LOOK_SECONDS)

    assert ([Row.ALONE], [True], []) == (watched.changes, watched.permissions, watched.errors)


def test_a_look_that_fails_changes_nothing(watched: Watched) -> None:
    """Neither who leads nor who stands aside; before the first one nobody leads."""
    watched.cluster.lease_error = Unreachable("no answer")
    soon_seconds = watched.turn()
    watched.cluster.lease_error = None
    watched.turn()
    watched.cluster.lease_error = Unreachable("no answer")

    watched.turn(after_seconds=LOOK_SECONDS)

    assert (SOON_SECONDS, [True], 2) == (soon_seconds, watched.permissions, len(watched.errors))


def test_it_ends_when_it_is_told(watched: Watched) -> None:
    """Also in the midst of a pause."""
    thread = threading.Thread(target=watched.lookout.run)
    thread.start()
    until(watched.lookout.permits, what="the first look", timeout_seconds=10)

    watched.lookout.stop()
    thread.join(timeout=10)

    assert not thread.is_alive()
