"""What an answer means for what is known; one that never came says nothing, and what is gone stays gone."""

from collections.abc import Mapping
from datetime import timedelta

import pytest
from msgspec.structs import replace

from daemon.clock import Moment
from daemon.cluster.errors import ClusterError, Denied, Invalid, NotFound, ServerFailed, Throttled, Unreachable
from daemon.coordinator.agenda import Agenda
from daemon.coordinator.desk import Desk, Told
from daemon.coordinator.fleet import Fleet
from daemon.coordinator.gate import Opening
from daemon.coordinator.learning import Learning
from daemon.coordinator.outcomes import Outcomes, is_trouble
from daemon.coordinator.paths import Paths
from daemon.coordinator.records import NodeRecord
from daemon.coordinator.requests import Outcome, Request, Urgency
from daemon.coordinator.seen import ImageKey, SeenAgent, SeenJob, SeenNode, SeenNodeImage, Taint, labels_hash
from daemon.coordinator.standing import Stand
from tests.unit.cluster.clock import EPOCH
from tests.unit.coordinator.claims import job


GATE = "example.com/closed"
NODE = SeenNode(name="node-a", uid="n1", created_at=EPOCH, version=1)
CLOSED = replace(NODE, taints=(Taint(key=GATE, effect="NoSchedule"),))
IMAGE = SeenNodeImage(
    name="node-a", uid="i1", generation=1, node_uid="n1", version=1, labels_hash=labels_hash({}), agent=SeenAgent()
)
JOB = SeenJob(
    namespace="team",
    name="base",
    uid="a",
    generation=1,
    version=1,
    created_at=EPOCH,
    job=job("a", image="nginx:1"),
    key=ImageKey("nginx", "1"),
)


def _moment(seconds: float) -> Moment:
    return Moment(seconds=1000.0 + seconds, at=EPOCH + timedelta(seconds=seconds))


class Court:
    """One job, one node with its NodeImage, and what is heard of outcomes."""

    def __init__(self, node: SeenNode = NODE) -> None:
        self.fleet = Fleet(gate_taint=GATE, gate_deadline_seconds=600)
        self.learning = Learning(self.fleet)
        self.learning.job_seen(JOB, now=_moment(0))
        self.learning.node_seen(node, now=_moment(0))
        self.learning.image_seen(IMAGE, now=_moment(0))
        self.fleet.start(_moment(0))
        paths = Paths("v1beta1")
        desk = Desk(self.fleet, paths=paths, write_rate=100)
        self.agenda = Agenda(self.fleet, desk=desk, paths=paths)
        self.outcomes = Outcomes(self.fleet, agenda=self.agenda, desk=desk, listener=self)
        self.opened: list[str] = []
        self.refused: list[str] = []

    @property
    def record(self) -> NodeRecord:
        """What is kept of the node."""
        return self.fleet.nodes["node-a"]

    def ask(self, urgency: Urgency, *, seconds: float = 0.0) -> Request:
        """Take what is most urgent until it is of this class, as if all else were on its way."""
        while (request := self.agenda.next(_moment(seconds))) is not None:
            if request.urgency is urgency:
                return request
        raise AssertionError(f"nothing of class {urgency.name} is to be written")

    def answer(
        self, request: Request, *, seen: SeenNodeImage | SeenNode | None = None, error: ClusterError | None = None
    ) -> None:
        """Let a request come to something."""
        self.outcomes.take(Outcome(request=request, seen=seen, error=error), now=_moment(1))

    def status_written(self, told: Told) -> None:
        """Hear of a status."""

    def gate_opened(self, node: SeenNode, opening: Opening) -> None:
        """Hear of a gate."""
        self.opened.append(f"{node.name} {opening.reason}")

    def write_refused(self, request: Request, error: ClusterError) -> None:
        """Hear of a refusal."""
        self.refused.append(f"{request.subject}: {error.message}")


@pytest.fixture
def court() -> Court:
    """Return one whose node is open."""
    return Court()


@pytest.fixture
def closed() -> Court:
    """Return one whose node still has the startup taint, and no job that keeps it closed."""
    return Court(CLOSED)


def _counts(court: Court) -> Mapping[str, int]:
    tally = court.fleet.jobs["a"].tally
    return {"holding": tally.holding, "waiting": tally.count(Stand.WAITING)}


@pytest.mark.parametrize("error", [Unreachable("no answer"), ServerFailed("timed out", code=504)])
def test_a_grant_whose_answer_never_came_keeps_its_slot_until_a_read(court: Court, error: ClusterError) -> None:
    """It may have been done: nothing is decided of that node before it was read."""
    grant = court.ask(Urgency.GRANT)

    court.answer(grant, error=error)
    kept = _counts(court)
    read = court.agenda.read(_moment(1))
    assert read is not None
    court.answer(read, seen=replace(IMAGE, version=2))

    assert {"holding": 1, "waiting": 0} == kept
    assert (Urgency.READ, None) == (read.urgency, read.write)
    assert {"holding": 0, "waiting": 1} == _counts(court)


def test_a_grant_that_was_put_off_frees_its_slot_at_once(court: Court) -> None:
    """429: the server has answered, and done nothing."""
    court.answer(court.ask(Urgency.GRANT), error=Throttled("too many", code=429))

    assert {"holding": 0, "waiting": 1} == _counts(court)
    assert None is court.agenda.read(_moment(1))


def test_a_write_that_is_refused_twice_with_nothing_changed_is_left_alone_and_told(court: Court) -> None:
    """A schema or a policy refuses it; a test of ours that failed is told from that by the read."""
    told = []
    for _ in range(2):
        court.answer(court.ask(Urgency.GRANT, seconds=1), error=Invalid("a schema says no", code=422))
        read = court.agenda.read(_moment(1))
        assert read is not None
        court.answer(read, seen=IMAGE)
        told.append(list(court.refused))

    assert [[], ["node-a: a schema says no"]] == told
    assert {"node-a"} == court.fleet.refused
    assert not court.record.is_free(_moment(30).seconds)


def test_a_write_that_met_a_change_is_decided_anew(court: Court) -> None:
    """Another writer was first, however often: that is no refusal."""
    for version in range(2, 7):
        court.answer(court.ask(Urgency.GRANT, seconds=1), error=Invalid("a test failed", code=422))
        read = court.agenda.read(_moment(1))
        assert read is not None
        court.answer(read, seen=replace(IMAGE, version=version, generation=version))

    assert [] == court.refused
    assert court.record.is_free(_moment(1).seconds)


def test_a_gate_that_is_open_is_told(closed: Court) -> None:
    """Once, when the taint is off."""
    gate = closed.ask(Urgency.GATE, seconds=1.0)

    closed.answer(gate, seen=replace(CLOSED, version=2, taints=()))

    assert ["node-a no-jobs"] == closed.opened
    assert closed.record.is_free(_moment(1).seconds)


def test_a_node_that_is_gone_does_not_come_back_by_an_old_answer(closed: Court) -> None:
    """Its NodeImage would be made anew for ever, and collected with the Node that is not there."""
    gate = closed.ask(Urgency.GATE, seconds=1.0)
    closed.learning.node_gone("node-a", uid="n1", now=_moment(0))

    closed.answer(gate, seen=replace(CLOSED, version=2, taints=()))

    assert None is closed.record.node


def test_a_node_that_goes_while_its_gate_opens_is_forgotten(closed: Court) -> None:
    """Nodes come and go for months."""
    gate = closed.ask(Urgency.GATE, seconds=1.0)
    closed.learning.node_gone("node-a", uid="n1", now=_moment(0))
    closed.learning.image_gone("node-a", uid="i1", version=9, now=_moment(0))

    closed.answer(gate, error=NotFound("nodes node-a not found", code=404))

    assert {} == closed.fleet.nodes


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (None, False),
        (Unreachable("no answer"), True),
        (ServerFailed("oops", code=500), True),
        (Throttled("too many", code=429), True),
        (Invalid("a test failed", code=422), False),
        (Denied("a policy", code=403), False),
        (NotFound("gone", code=404), False),
    ],
)
def test_only_what_is_the_servers_own_is_trouble(error: ClusterError | None, *, expected: bool) -> None:
    """What is wrong with one object does not pause the others."""
    assert expected is is_trouble(error)


def test_a_new_node_waits_a_second_for_a_job_that_would_keep_it_closed() -> None:
    """The watch of jobs may be behind that of Nodes: a job and a node that are made together gate each other."""
    with pytest.raises(AssertionError, match="nothing of class GATE"):
        Court(CLOSED).ask(Urgency.GATE, seconds=0.9)

    assert "node-a" == Court(CLOSED).ask(Urgency.GATE, seconds=1.0).subject
