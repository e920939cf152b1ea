"""A job's status is written a second apart, its end at once; what it would say again is not written."""

from datetime import timedelta
from typing import Any

import msgspec

from daemon.clock import Moment
from daemon.coordinator.decoding import job_of, node_image_of, node_of
from daemon.coordinator.desk import Desk
from daemon.coordinator.fleet import Fleet
from daemon.coordinator.learning import Learning
from daemon.coordinator.paths import Paths
from tests.unit.cluster.clock import EPOCH


Json = dict[str, Any]

NODES = 1_000
TIME = "2026-01-01T00:00:00Z"


def _moment(seconds: float) -> Moment:
    return Moment(seconds=1000.0 + seconds, at=EPOCH + timedelta(seconds=seconds))


def _job(uid: str, *, version: int, status: Json) -> bytes:
    metadata = {"name": uid, "namespace": "team", "uid": uid, "generation": 1, "resourceVersion": str(version)}
    spec = {"image": "nginx:1", "parallelism": NODES, "completionPolicy": {"type": "Never"}}
    return msgspec.json.encode({"metadata": {**metadata, "creationTimestamp": TIME}, "spec": spec, "status": status})


def _node(name: str) -> bytes:
    metadata = {"name": name, "uid": f"node-of-{name}", "resourceVersion": "1", "creationTimestamp": TIME}
    return msgspec.json.encode({"metadata": metadata, "status": {"conditions": [{"type": "Ready", "status": "True"}]}})


def _warm_image(name: str, *, owner: str) -> bytes:
    """Return the NodeImage of a node that has brought a job's image."""
    metadata = {"name": name, "uid": f"image-of-{name}", "generation": 1, "resourceVersion": "9"}
    owners = [{"apiVersion": "apps.kruise.io/v1beta1", "kind": "ImagePullJob", "name": owner, "uid": owner}]
    entry = {"tag": "1", "version": 1, "createdAt": TIME, "ownerReferences": owners}
    done = {"tag": "1", "version": 1, "phase": "Succeeded", "imageID": "nginx@sha256:a", "completionTime": TIME}
    status = {"imageStatuses": {"nginx": {"tags": [done]}}, "prewarm": {"agent": {"version": "1", "reportedAt": TIME}}}
    spec = {"images": {"nginx": {"tags": [entry]}}}
    return msgspec.json.encode({"metadata": metadata, "spec": spec, "status": status})


class Office:
    """A desk, and an API server that takes what it writes."""

    def __init__(self, *uids: str, write_rate: float = 100.0) -> None:
        self.fleet = Fleet(gate_taint="", gate_deadline_seconds=600)
        self.learning = Learning(self.fleet)
        self.desk = Desk(self.fleet, paths=Paths("v1beta1"), write_rate=write_rate)
        self.written: list[tuple[float, str]] = []
        self.statuses: dict[str, Json] = {uid: {} for uid in uids}
        self._version = 1
        for uid in uids:
            self.learning.job_seen(job_of(_job(uid, version=1, status={})), now=_moment(0))
        for number in range(NODES):
            self.learning.node_seen(node_of(_node(f"n{number}")), now=_moment(0))
        self.fleet.start(_moment(0))

    def warm(self, number: int, *, seconds: float, owner: str = "job-0") -> None:
        """Let a node have brought the image."""
        self.learning.image_seen(node_image_of(_warm_image(f"n{number}", owner=owner)), now=_moment(seconds))

    def turn(self, seconds: float) -> None:
        """Write what is to be written now, as a loop does each time that it goes round."""
        now = _moment(seconds)
        self.desk.recall(now)
        while (request := self.desk.next(now)) is not None:
            assert request.write is not None
            uid = request.subject
            _merge(self.statuses[uid], msgspec.json.decode(request.write.body)["status"])
            self._version += 1
            seen = job_of(_job(uid, version=self._version, status=self.statuses[uid]))
            self.learning.job_seen(seen, now=now)
            self.desk.answered(uid, seen=seen)
            self.written.append((seconds, uid))


def _merge(document: Json, patch: Json) -> None:
    for name, value in patch.items():
        if value is None:
            document.pop(name, None)
        elif isinstance(value, dict) and isinstance(document.get(name), dict):
            _merge(document[name], value)
        else:
            document[name] = value


def test_a_job_is_told_each_second_however_much_happens_to_it() -> None:
    """Two hundred ends a second are one status a second, neither more nor less."""
    office = Office("job-0")

    for step in range(NODES):
        office.warm(step, seconds=step / 200)
        office.turn(step / 200)

    assert [0, 1, 2, 3, 4] == [round(seconds) for seconds, _ in office.written[:5]]
    assert (NODES - 1) / 200 == office.written[-1][0]
    assert f"{NODES}/{NODES}" == office.statuses["job-0"]["prewarm"]["summary"]


def test_jobs_together_take_a_part_of_the_budget() -> None:
    """Of ten writes a second two and a half tell how far jobs are: grants are what they wait for."""
    uids = [f"job-{number}" for number in range(20)]
    office = Office(*uids, write_rate=10.0)

    for step in range(NODES):
        office.warm(step, seconds=step / 50, owner=uids[step % len(uids)])
        office.turn(step / 50)
    told = [uid for seconds, uid in office.written if 0 < seconds <= 16]

    assert 16 * 10 * 0.25 >= len(told)
    assert set(uids) == set(told)


def test_an_end_is_told_at_once() -> None:
    """The last node that becomes warm makes the job Ready, whenever the last status was written."""
    office = Office("job-0")
    for number in range(NODES - 1):
        office.warm(number, seconds=0.0)
    office.turn(0.0)

    office.warm(NODES - 1, seconds=0.01)
    office.turn(0.01)

    ready = [one for one in office.statuses["job-0"]["conditions"] if one["type"] == "Ready"]
    assert [0.0, 0.01] == [seconds for seconds, _ in office.written]
    assert "True" == ready[0]["status"]


def test_what_has_been_said_is_not_said_again() -> None:
    """A job to which nothing happens is not written, however often one looks."""
    office = Office("job-0")
    office.turn(0.0)

    for step in range(1, 100):
        office.fleet.todo.dirty.add("job-0")
        office.turn(step * 10.0)

    assert [(0.0, "job-0")] == office.written


def test_nothing_is_kept_of_a_job_that_is_gone() -> None:
    """Jobs come and go for months; what was said of them goes with them."""
    office = Office("job-0", "job-1")
    office.turn(0.0)

    office.learning.job_gone("job-0")
    office.turn(1.0)

    assert {"job-1"} == office.desk._pages.keys()
