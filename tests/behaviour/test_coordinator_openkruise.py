"""
Our coordinator and our agents on OpenKruise's CRDs, which know nothing of our fields: jobs go through to their end.

What the API server drops must not be written for ever, so every write passes a gateway here and is counted.
"""

import contextlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import grpc
import msgspec
import pytest

from tests.behaviour.openkruise.cluster import SHAPES, Shape, install, remove
from tests.servers.agent import AgentProcess
from tests.servers.apiserver import ApiServer
from tests.servers.coordinator import CoordinatorProcess
from tests.servers.fixtures_apiserver import Names
from tests.servers.gateway import Gateway
from tests.servers.jobs import JobOnServer, job, totals
from tests.servers.nodeimages import NodeImageOnServer
from tests.servers.nodes import NodeOnServer
from tests.servers.objects import Json
from tests.servers.processes import until
from tests.servers.scripted_cri import ScriptedCri


REPOSITORY = "registry.test/app"
IMAGE = f"{REPOSITORY}:v1"
OURS = {"prewarm", "conditions", "observedGeneration"}
# What of a tag's status OpenKruise's CRDs know.
KNOWN = {"tag", "phase", "progress", "startTime", "completionTime", "version", "imageID", "message"}
RENEWALS = 2


class Writer(msgspec.Struct, frozen=True):
    """A process of ours, with the gateway that all of its requests pass."""

    process: CoordinatorProcess | AgentProcess
    gateway: Gateway

    def writes(self) -> Counter[str]:
        """Count its writes so far but those of the Lease and of events, by method and path; a dry run is none."""
        seen = [one for method in ("POST", "PATCH", "PUT", "DELETE") for one in self.gateway.seen(method)]
        paths = [f"{one.method} {one.path}" for one in seen]
        aside = ("/leases", "/events", "dryRun=")
        return Counter(path for path in paths if not any(part in path for part in aside))


class Team:
    """A coordinator, and two nodes with an agent each on a runtime that a test holds; `version` is what is served."""

    def __init__(self, apiserver: ApiServer, namespace: str, folder: Path, *, version: str) -> None:
        self.coordinator: Writer
        self.agents: dict[str, Writer] = {}
        self.runtimes: dict[str, ScriptedCri] = {}
        self.jobs: list[JobOnServer] = []
        self._apiserver = apiserver
        self._namespace = namespace
        self._folder = folder
        self._version = version

    def lead(self, running: contextlib.ExitStack) -> None:
        """Start the coordinator."""
        gateway = running.enter_context(Gateway(self._apiserver))
        process = CoordinatorProcess(self._apiserver, self._folder / "coordinator", variables=gateway.variables)
        self.coordinator = Writer(running.enter_context(process), gateway)
        process.until_leading()

    def join(self, running: contextlib.ExitStack, name: str) -> None:
        """Let a node join."""
        node = NodeOnServer(self._apiserver, name)
        node.create()
        running.callback(node.delete)
        self.runtimes[name] = running.enter_context(ScriptedCri(self._folder / f"{name}.sock"))
        gateway = running.enter_context(Gateway(self._apiserver))
        process = AgentProcess(
            self._apiserver,
            self._folder / name,
            node_name=name,
            endpoint=self.runtimes[name].endpoint,
            variables=gateway.variables,
        )
        self.agents[name] = Writer(running.enter_context(process), gateway)

    def job(self, name: str, spec: Json) -> JobOnServer:
        """Create a job; it goes at the end of the test."""
        made = JobOnServer(self._apiserver, self._namespace, name, version=self._version)
        made.create(spec)
        self.jobs.append(made)
        return made

    def image(self, node: str) -> NodeImageOnServer:
        """Return a node's NodeImage."""
        return NodeImageOnServer(self._apiserver, node, version=self._version)

    def writes(self) -> Counter[str]:
        """Count the writes of all."""
        return sum((writer.writes() for writer in (self.coordinator, *self.agents.values())), Counter())

    def written_while_nothing_changes(self) -> list[str]:
        """Return what is written while the leader renews its Lease a few times, two seconds between them."""
        before = self.writes()
        lease = self.coordinator.gateway
        until_renewed = len(lease.seen("PUT")) + RENEWALS
        until(lambda: len(lease.seen("PUT")) >= until_renewed, what="the Lease is renewed", timeout_seconds=30)
        return list((self.writes() - before).elements())


@pytest.fixture(scope="module", params=["like-1.6", "like-1.9"])
def shape(request: pytest.FixtureRequest, apiserver: ApiServer) -> Iterator[Shape]:
    """OpenKruise's CRDs of one release."""
    shape = SHAPES[request.param]
    install(apiserver, shape)
    yield shape
    remove(apiserver, shape)


@pytest.fixture
def team(apiserver: ApiServer, shape: Shape, namespace: str, names: Names, tmp_path: Path) -> Iterator[Team]:
    """Our coordinator and two agents on those."""
    with contextlib.ExitStack() as running:
        team = Team(apiserver, namespace, tmp_path, version=shape.release)
        team.lead(running)
        for _ in range(2):
            team.join(running, names("node"))
        yield team
        for made in team.jobs:
            made.delete()


def until_succeeded(made: JobOnServer) -> Json:
    """Return a job's status once both nodes have succeeded."""
    return made.until(lambda status: (2, 0, 2, 0) == totals(status), what="both have succeeded")


def test_an_always_job_completes_in_few_writes(team: Team) -> None:
    """Its status is OpenKruise's and nothing else, its nodes' too; one grant a node, and then nobody writes."""
    until(lambda: all(team.image(name).find() for name in team.agents), what="NodeImages", timeout_seconds=20)
    made = team.job("j", job(IMAGE, parallelism=2))

    status = made.until(lambda status: "completionTime" in status, what="has ended")
    afterwards = team.written_while_nothing_changes()

    assert (2, 0, 2, 0) == totals(status)
    assert "job has completed" == status["message"]
    assert status["startTime"] <= status["completionTime"]
    assert set() == OURS & status.keys()
    assert [] == afterwards
    patched = [write.rpartition("/")[2] for write in team.coordinator.writes().elements() if "PATCH" in write]
    assert sorted(team.agents) == sorted(name for name in patched if name != "status")
    assert 1 <= patched.count("status") <= 4
    for name, agent in team.agents.items():
        # It says that it is there, and how the pull has ended, maybe that it has begun.
        assert 2 <= agent.writes().total() <= 3
        check_node_image(team.image(name).read())


def check_node_image(found: Json) -> None:
    """Check that a NodeImage has one entry, and says in OpenKruise's fields that the image is there."""
    (entry,) = found["spec"]["images"][REPOSITORY]["tags"]
    (said,) = found["status"]["imageStatuses"][REPOSITORY]["tags"]
    assert ("Succeeded", entry["version"], 100) == (said["phase"], said["version"], said["progress"])
    assert said.keys() <= KNOWN
    assert (1, 1, 0, 0) == tuple(found["status"][key] for key in ("desired", "succeeded", "failed", "pulling"))
    assert "prewarm" not in entry
    assert set() == OURS & found["status"].keys()


def test_a_failed_node_is_named(team: Team) -> None:
    """The reason, which their CRDs drop, is in the NodeImage's words; the other node has the image."""
    bad, good = sorted(team.agents)
    team.runtimes[bad].refuse(IMAGE, code=grpc.StatusCode.NOT_FOUND, words=f"{IMAGE}: not found", times=9)

    made = team.job("j", job(IMAGE, parallelism=2, pullPolicy={"backoffLimit": 0}))
    status = made.until(lambda status: "completionTime" in status, what="has ended")

    assert ((2, 0, 1, 1), [bad]) == (totals(status), status["failedNodes"])
    assert "job has completed" == status["message"]
    assert "not found" in team.image(bad).tag(REPOSITORY, "v1")["message"]
    assert "Succeeded" == team.image(good).tag(REPOSITORY, "v1")["phase"]
    assert [] == team.written_while_nothing_changes()


def test_a_never_job_goes_on_over_a_change_of_the_leader(team: Team) -> None:
    """
    It does not end, nobody writes while nothing changes, and the next leader grants nothing anew.

    That one can't know what was said and dropped, so it says it once more; the API server stores nothing by it.
    """
    made = team.job("j", job(IMAGE, kind="Never", parallelism=2))
    done = team.job("done", job(f"{REPOSITORY}:v2", parallelism=2))
    status = until_succeeded(made)
    done.until(lambda status: "completionTime" in status, what="has ended")
    afterwards = team.written_while_nothing_changes()
    stored, before = made.read(), team.coordinator.writes()

    team.coordinator.process.stop()
    team.coordinator.process.start()
    team.written_while_nothing_changes()
    later = team.written_while_nothing_changes()

    assert "job is running, progress 100.0%" == status["message"]
    assert "completionTime" not in status
    assert set() == OURS & status.keys()
    assert 2 == len(team.coordinator.process.told("synced"))
    assert ([], []) == (afterwards, later)
    (write,) = (team.coordinator.writes() - before).elements()
    assert write.endswith("/imagepulljobs/j/status")
    assert stored == made.read()


def test_two_never_jobs_that_always_ask_do_not_wake_each_other_up(team: Team) -> None:
    """The second's version takes the first's end with it, since who had ended is dropped; both come to rest."""
    first = team.job("first", job(IMAGE, kind="Never", parallelism=2, imagePullPolicy="Always"))
    until_succeeded(first)
    earlier = {name: version_of(team.image(name)) for name in team.agents}

    second = team.job("second", job(IMAGE, kind="Never", parallelism=2, imagePullPolicy="Always"))
    until_succeeded(second)
    until_succeeded(first)

    assert [] == team.written_while_nothing_changes()
    assert [True, True] == [version_of(team.image(name)) > earlier[name] for name in team.agents]
    assert [2, 2] == [len(runtime.pulls) for runtime in team.runtimes.values()]


def version_of(image: NodeImageOnServer) -> int:
    """Return the version of the one entry of a NodeImage."""
    (entry,) = image.read()["spec"]["images"][REPOSITORY]["tags"]
    version: int = entry["version"]
    return version
