"""A candidate leads while its renewals get through in time, and never on what it remembers of before it slept."""

import threading
from collections.abc import Callable

import msgspec
import pytest

from daemon.cluster.errors import ClusterError, Conflict, Denied, Unreachable
from daemon.cluster.interface import Write
from daemon.cluster.lease import LeaderElection
from daemon.cluster.tenure import LeaseTiming
from tests.servers.processes import until
from tests.unit.cluster.clock import SetClock
from tests.unit.cluster.leases import NAMESPACE, Leading, Leases


class Candidate:
    """One candidate, turned by hand, with all that it tells."""

    def __init__(self, leases: Leases, clock: SetClock, *, identity: str = "me") -> None:
        self.leading = Leading()
        self.missed: list[ClusterError] = []
        self.leases = leases
        self.clock = clock
        self.election = LeaderElection(
            leases,
            namespace=NAMESPACE,
            identity=identity,
            listener=self.leading,
            clock=clock,
            missed=self.missed.append,
        )

    @property
    def words(self) -> list[str]:
        """What its listener heard."""
        return self.leading.words

    def turn(self, *, after_seconds: float = 0.0) -> float:
        """Let time pass, and let it try."""
        self.clock.seconds += after_seconds
        return self.election.turn()


@pytest.fixture
def leases() -> Leases:
    """No Lease yet."""
    return Leases()


@pytest.fixture
def clock() -> SetClock:
    """A clock that the test moves."""
    return SetClock()


@pytest.fixture
def me(leases: Leases, clock: SetClock) -> Candidate:
    """A candidate."""
    return Candidate(leases, clock)


@pytest.fixture
def leader(me: Candidate) -> Candidate:
    """One that leads."""
    me.turn()
    assert me.words == ["won"]
    me.leases.asked.clear()
    return me


def _other(leases: Leases, **spec: object) -> None:
    leases.put(
        **{"holderIdentity": "other", "leaseDurationSeconds": 15, "renewTime": "t0", "leaseTransitions": 3} | spec
    )


def _raise(error: ClusterError, *verbs: str) -> Callable[[str], None]:
    def hook(verb: str) -> None:
        if not verbs or verb in verbs:
            raise error

    return hook


def test_a_lease_that_is_not_there_is_created(me: Candidate) -> None:
    """The first to ask leads at once, and the Lease says who, since when and for how long."""
    pause_seconds = me.turn()

    assert {
        "holderIdentity": "me",
        "leaseDurationSeconds": 15,
        "acquireTime": "2026-01-01T00:16:40.000000Z",
        "renewTime": "2026-01-01T00:16:40.000000Z",
        "leaseTransitions": 0,
    } == me.leases.spec
    assert (["won"], "me", True, True) == (
        me.words,
        me.election.leader,
        me.election.is_leading,
        me.election.may_send(),
    )
    assert 2 == pause_seconds


def test_a_renewal_moves_the_time_and_nothing_else(leader: Candidate) -> None:
    """One write, without a look before it."""
    before = leader.leases.spec

    leader.turn(after_seconds=2)

    assert {**before, "renewTime": "2026-01-01T00:16:42.000000Z"} == leader.leases.spec
    assert (["update"], ["won"]) == (leader.leases.asked, leader.words)


def test_a_holder_that_renews_is_never_overtaken(me: Candidate) -> None:
    """Whatever its clock says: only that its record changes counts."""
    for number in range(20):
        _other(me.leases, renewTime=f"1970-01-01T00:00:{number:02}Z")
        me.turn(after_seconds=4)

    assert ([], "other", False) == (me.words, me.election.leader, me.election.may_send())
    assert {"get"} == set(me.leases.asked)


def test_a_holder_that_stops_renewing_is_overtaken_after_what_it_promised(me: Candidate) -> None:
    """Counted from when its last record was first seen, not from a time in it; the change of hands is counted too."""
    _other(me.leases, renewTime="2099-01-01T00:00:00Z")
    me.turn()

    me.turn(after_seconds=14.9)
    before = list(me.words)
    me.turn(after_seconds=0.1)

    assert ([], ["won"]) == (before, me.words)
    assert ("me", 4) == (me.leases.spec["holderIdentity"], me.leases.spec["leaseTransitions"])


def test_a_holders_own_duration_is_what_counts(me: Candidate) -> None:
    """It may have been told to promise more than we do."""
    _other(me.leases, leaseDurationSeconds=60)
    me.turn()

    me.turn(after_seconds=59)
    before = list(me.words)
    me.turn(after_seconds=1)

    assert ([], ["won"]) == (before, me.words)


def test_a_released_lease_is_taken_at_once(me: Candidate) -> None:
    """Nobody has to wait for who has gone in order."""
    _other(me.leases)
    me.turn()

    _other(me.leases, holderIdentity="", leaseDurationSeconds=1)
    me.turn(after_seconds=2)

    assert ["won"] == me.words


def test_what_others_wrote_into_the_lease_stays(me: Candidate) -> None:
    """Labels, and words of a spec that we do not know."""
    _other(me.leases, holderIdentity="", strategy="OldestEmulationVersion")
    assert me.leases.lease is not None
    me.leases.lease["metadata"] = {"labels": {"team": "a"}, "resourceVersion": "1"}

    me.turn()

    assert "OldestEmulationVersion" == me.leases.spec["strategy"]
    assert {"labels": {"team": "a"}, "resourceVersion": "2"} == me.leases.lease["metadata"]


def test_of_two_that_try_at_once_one_leads(leases: Leases, clock: SetClock) -> None:
    """The second to write hears of a conflict, which is no failure: it waits its turn."""
    first, second = Candidate(leases, clock, identity="first"), Candidate(leases, clock, identity="second")
    leases.before = lambda verb: _let_in(first, leases) if verb == "create" else None

    second.turn()

    assert (["won"], []) == (first.words, second.words)
    assert [] == second.missed
    second.turn(after_seconds=2)
    assert "first" == second.election.leader


def _let_in(first: Candidate, leases: Leases) -> None:
    leases.before = lambda _verb: None
    first.turn()


def test_another_writers_change_does_not_cost_the_lead(leader: Candidate) -> None:
    """A conflict may be about a label: who holds it decides."""
    leader.leases.put()

    leader.turn(after_seconds=2)

    assert (["won"], ["update", "get", "update"]) == (leader.words, leader.leases.asked)
    assert leader.election.may_send()


def test_a_renewal_whose_answer_was_lost_does_not_cost_the_lead(leader: Candidate) -> None:
    """It was stored: the next one conflicts with it, and the Lease still names us."""
    leader.leases.after = _raise(Unreachable("cut"), "update")
    leader.turn(after_seconds=2)
    leader.leases.after = lambda _verb: None

    leader.turn(after_seconds=2)

    assert ["won"] == leader.words
    assert ["cut"] == [error.message for error in leader.missed]
    assert ["update", "update", "get", "update"] == leader.leases.asked


def test_a_taking_whose_answer_was_lost_leads_once_that_is_seen(me: Candidate) -> None:
    """Nothing is sent on what may have been stored."""
    me.leases.after = _raise(Unreachable("cut"), "create")
    me.turn()
    before = list(me.words)
    me.leases.after = lambda _verb: None

    me.turn(after_seconds=2)

    assert ([], ["won"]) == (before, me.words)


def test_a_lease_that_another_took_is_lost_at_once(leader: Candidate) -> None:
    """Whoever wrote it there: two must not lead."""
    _other(leader.leases)

    leader.turn(after_seconds=2)

    assert (["won", "lost"], False, "other") == (leader.words, leader.election.may_send(), leader.election.leader)
    assert "other" == leader.leases.spec["holderIdentity"]


def test_a_leader_without_an_api_server_stops_sending_and_then_loses(leader: Candidate) -> None:
    """It may send for 6 s after its last renewal was sent, tries again each 2 s, and has lost after 10 s."""
    leader.leases.before = _raise(Unreachable("away"))

    told = []
    for _ in range(6):
        pause_seconds = leader.turn(after_seconds=2)
        told.append((leader.election.may_send(), leader.election.is_leading, pause_seconds <= 2))

    assert [(True, True)] * 2 + [(False, True)] * 2 + [(False, False)] * 2 == [each[:2] for each in told]
    assert [True] * 4 + [False] * 2 == [each[2] for each in told]
    assert ["won", "lost"] == leader.words
    assert 6 == len(leader.missed)


def test_a_loss_is_told_when_the_deadline_passes_and_not_a_retry_later(leader: Candidate) -> None:
    """The pause before the last attempt is shorter."""
    leader.leases.before = _raise(Unreachable("away"))

    pause_seconds = leader.turn(after_seconds=9.5)

    assert 0.5 == pytest.approx(pause_seconds)


def test_a_server_that_comes_back_in_time_costs_nothing(leader: Candidate) -> None:
    """Nine seconds without a renewal that got through."""
    leader.leases.before = _raise(Unreachable("away"))
    leader.turn(after_seconds=8)
    leader.leases.before = lambda _verb: None

    leader.turn(after_seconds=1)

    assert (["won"], True) == (leader.words, leader.election.may_send())


def test_who_slept_for_a_minute_does_not_lead_and_says_so_before_it_asks(leader: Candidate) -> None:
    """Also where nobody else has taken over: what it knows of the cluster is a minute old."""
    leader.clock.seconds += 60
    may_send, is_leading = leader.election.may_send(), leader.election.is_leading
    words_at_first_request: list[str] = []
    leader.leases.before = lambda _verb: words_at_first_request.extend(leader.words or ["none"])

    leader.turn()

    assert (False, False) == (may_send, is_leading)
    assert ["won", "lost"] == words_at_first_request[:2]
    assert ["won", "lost", "won"] == leader.words
    assert 0 == leader.leases.spec["leaseTransitions"]


@pytest.mark.parametrize("is_done", [True, False], ids=["answered late", "sent late"])
def test_who_slept_with_a_renewal_under_way_has_lost(leader: Candidate, is_done: bool) -> None:  # noqa: FBT001
    """A renewal counts from when it was sent, however it ends."""

    def sleep(_verb: str) -> None:
        leader.clock.seconds += 60

    if is_done:
        leader.leases.after = sleep
    else:
        leader.leases.before = sleep

    leader.turn(after_seconds=2)

    assert (["won", "lost"], False) == (leader.words, leader.election.may_send())


def test_who_slept_just_before_a_renewal_has_lost_what_it_had(leader: Candidate) -> None:
    """Between its look at the clock and the renewal's: nobody else led, but its lead is a new one."""
    now = leader.clock.now
    calls = iter(range(100))

    def jumping() -> object:
        if next(calls) == 1:
            leader.clock.seconds += 60
        return now()

    leader.clock.now = jumping  # type: ignore[method-assign,assignment]
    leader.turn(after_seconds=2)

    assert ["won", "lost", "won"] == leader.words


def test_a_taking_that_was_answered_too_late_is_no_lead(me: Candidate) -> None:
    """It is in the Lease; the next attempt renews it, and leads by that."""

    def sleep(_verb: str) -> None:
        me.clock.seconds += 10

    me.leases.after = sleep
    me.turn()
    before = list(me.words)
    me.leases.after = lambda _verb: None

    me.turn(after_seconds=2)

    assert ([], ["won"]) == (before, me.words)


def test_a_lease_that_was_deleted_is_made_anew_by_its_holder_alone(leases: Leases, clock: SetClock) -> None:
    """Others give the holder its time, since it may not have noticed."""
    leader, other = Candidate(leases, clock, identity="leader"), Candidate(leases, clock, identity="other")
    leader.turn()
    other.turn()

    leases.lease = None
    other.turn(after_seconds=1)
    leader.turn(after_seconds=1)

    assert (["won"], []) == (leader.words, other.words)
    assert "leader" == leases.spec["holderIdentity"]


def test_a_deleted_lease_whose_holder_is_gone_is_made_by_another(me: Candidate) -> None:
    """After the time that was promised."""
    _other(me.leases)
    me.turn()
    me.leases.lease = None

    me.turn(after_seconds=14)
    before = list(me.words)
    me.turn(after_seconds=1)

    assert ([], ["won"]) == (before, me.words)


@pytest.mark.parametrize("error", [Denied("no right", code=403), Unreachable("away")])
def test_a_candidate_that_cannot_look_says_so_and_asks_again(me: Candidate, error: ClusterError) -> None:
    """Neither ends it."""
    me.leases.before = _raise(error)

    pauses = [me.turn() for _ in range(50)]

    assert [error] * 50 == me.missed
    assert all(2 <= pause <= 4.4 for pause in pauses)
    assert len(set(pauses)) > 10


@pytest.mark.parametrize("spec", [{"holderIdentity": 7}, {"leaseDurationSeconds": "long"}])
def test_a_lease_that_cannot_be_read_is_not_taken(me: Candidate, spec: dict[str, object]) -> None:
    """The words do not quote it."""
    _other(me.leases, **spec)

    me.turn()

    assert [] == me.words
    assert ["/apis/coordination.k8s.io/v1/namespaces/prewarm-system/leases/prewarm-coordinator"] == [
        error.message.split(":")[0] for error in me.missed
    ]


def test_a_lease_without_a_spec_is_taken(me: Candidate) -> None:
    """As kubectl creates one."""
    me.leases.put()
    assert me.leases.lease is not None
    del me.leases.lease["spec"]

    me.turn()

    assert (["won"], 0) == (me.words, me.leases.spec["leaseTransitions"])


FAST = LeaseTiming(retry_seconds=0.01)


class Thread:
    """A candidate in a thread of its own."""

    def __init__(self, leases: Leases, leading: Leading, *, identity: str = "me") -> None:
        self.election = LeaderElection(leases, namespace=NAMESPACE, identity=identity, listener=leading, timing=FAST)
        self._thread = threading.Thread(target=self.election.run)
        self._thread.start()

    def end(self) -> None:
        """Stop it."""
        self.election.stop()
        self._thread.join(10)
        assert not self._thread.is_alive()


def test_a_leader_that_is_stopped_stops_sending_and_then_releases(leases: Leases) -> None:
    """In this order: the next one leads as soon as it sees the release."""
    holders: list[object] = []

    class Watching(Leading):
        def lost(self) -> None:
            super().lost()
            holders.append(leases.spec["holderIdentity"])

    leading = Watching()
    thread = Thread(leases, leading)
    until(thread.election.may_send, what="the lead", timeout_seconds=10)

    thread.end()

    assert (["won", "lost"], ["me"]) == (leading.words, holders)
    assert ("", 1, 0) == (
        leases.spec["holderIdentity"],
        leases.spec["leaseDurationSeconds"],
        leases.spec["leaseTransitions"],
    )
    assert not thread.election.may_send()


def test_a_standby_that_is_stopped_leaves_the_lease_alone(leases: Leases) -> None:
    """It has nothing to release."""
    _other(leases)
    leading = Leading()
    thread = Thread(leases, leading)
    until(lambda: "get" in leases.asked, what="a look", timeout_seconds=10)

    thread.end()

    assert ({"get"}, "other", []) == (set(leases.asked), leases.spec["holderIdentity"], leading.words)


def test_a_release_never_takes_it_from_another(leases: Leases) -> None:
    """Between the look and the release another may have come: that is a conflict, and no failure."""
    thread = Thread(leases, Leading())
    until(thread.election.may_send, what="the lead", timeout_seconds=10)

    def overtake(verb: str) -> None:
        if verb == "get":
            _other(leases)

    leases.after = overtake
    thread.end()

    assert "other" == leases.spec["holderIdentity"]


def test_a_defect_of_the_listener_ends_the_election_without_a_lead(leases: Leases) -> None:
    """It is the thread's root's, which ends the process; nothing goes on sending meanwhile."""

    class Broken(Leading):
        def won(self) -> None:
            super().won()
            raise ZeroDivisionError

    leading = Broken()
    election = LeaderElection(leases, namespace=NAMESPACE, identity="me", listener=leading)

    with pytest.raises(ZeroDivisionError):
        election.run()

    assert (["won", "lost"], False) == (leading.words, election.may_send())


def test_a_renewal_takes_no_longer_than_it_can_help(leader: Candidate) -> None:
    """Its timeout is 4 s, or what is left until the deadline."""
    timeouts: list[float] = []
    send = leader.leases.send

    def noting(write: Write, *, timeout_seconds: float) -> bytes:
        timeouts.append(timeout_seconds)
        return send(write, timeout_seconds=timeout_seconds)

    leader.leases.send = noting  # type: ignore[method-assign]
    leader.turn(after_seconds=2)
    leader.turn(after_seconds=9)

    assert [4, pytest.approx(1)] == timeouts


def test_a_conflict_is_never_told(leader: Candidate) -> None:
    """It is how elections go."""
    leader.leases.before = _raise(Conflict("another was first", code=409), "update")

    leader.turn(after_seconds=2)

    assert ([], ["won"]) == (leader.missed, leader.words)


def test_the_default_timing_is_the_documented_one() -> None:
    """15/10/2 s with requests of 4 s: who leads may begin a request for 6 s after its last renewal was sent."""
    assert (15, 10, 2, 4, 6) == (*msgspec.structs.astuple(LeaseTiming()), LeaseTiming().send_seconds)


class Permission:
    """Whether a candidate may lead, as the test says."""

    def __init__(self, *, is_given: bool) -> None:
        self.is_given = is_given

    def __call__(self) -> bool:
        """Tell it."""
        return self.is_given


def test_a_candidate_that_may_not_lead_only_looks(leases: Leases, clock: SetClock) -> None:
    """So it knows who does, and shows that it lives; it leads at the first turn that it may."""
    leading, permission = Leading(), Permission(is_given=False)
    election = LeaderElection(
        leases, namespace=NAMESPACE, identity="me", listener=leading, clock=clock, permitted=permission
    )
    election.turn()
    asked, leases.asked = leases.asked, []
    permission.is_given = True
    election.turn()

    assert (["get"], ["get", "create"], ["won"]) == (asked, leases.asked, leading.words)


def test_a_leader_that_may_lead_no_more_sends_nothing_and_gives_the_lease_back(leases: Leases, clock: SetClock) -> None:
    """Nothing begins from the moment on that it may not; another of ours need not wait for the Lease."""
    leading, permission = Leading(), Permission(is_given=True)
    election = LeaderElection(
        leases, namespace=NAMESPACE, identity="me", listener=leading, clock=clock, permitted=permission
    )
    election.turn()
    permission.is_given = False
    may_send = election.may_send()
    election.turn()

    assert (False, ["won", "lost"], "") == (may_send, leading.words, leases.spec["holderIdentity"])


def test_a_lease_of_an_earlier_life_is_given_back_too(leases: Leases, clock: SetClock) -> None:
    """A process that was killed as the leader and may not lead now."""
    _other(leases, holderIdentity="me")
    permission = Permission(is_given=False)
    election = LeaderElection(
        leases, namespace=NAMESPACE, identity="me", listener=Leading(), clock=clock, permitted=permission
    )

    election.turn()
    leases.asked.clear()
    election.turn()

    assert ("", ["get"]) == (leases.spec["holderIdentity"], leases.asked)


def test_a_candidate_that_is_woken_turns_at_once(leases: Leases) -> None:
    """What it may has changed, and nobody waits for the end of a pause."""
    slow = LeaseTiming(retry_seconds=60)
    leading, permission = Leading(), Permission(is_given=False)
    election = LeaderElection(
        leases, namespace=NAMESPACE, identity="me", listener=leading, timing=slow, permitted=permission
    )
    thread = threading.Thread(target=election.run)
    thread.start()
    until(lambda: leases.asked, what="its first turn", timeout_seconds=10)

    permission.is_given = True
    election.wake()
    until(lambda: leading.words, what="it leads", timeout_seconds=10)
    election.stop()
    thread.join(timeout=10)

    assert (["won", "lost"], False) == (leading.words, thread.is_alive())
