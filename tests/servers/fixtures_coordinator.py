"""
Fixtures of tests with a coordinator: Nodes and jobs of a test's own, agents that say what they are told, real ones too.

A coordinator acts on every Node and job of its API server. So a module of tests has one of each, and a test selects by
a label that its own Nodes alone have (`nodes.selector`), and takes its Nodes and jobs away at its end.
"""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol

import msgspec
import pytest

from tests.servers import binaries
from tests.servers.agent import AgentProcess
from tests.servers.apiserver import ApiServer
from tests.servers.containerd import Containerd, Hosts
from tests.servers.coordinator import CoordinatorProcess
from tests.servers.fixtures_apiserver import Names
from tests.servers.jobs import JobOnServer, counted, totals
from tests.servers.nodeimages import NodeImageOnServer
from tests.servers.nodes import NodeOnServer
from tests.servers.objects import Json
from tests.servers.scripted_agents import ScriptedAgents
from tests.servers.watched import Watched


LABEL = "test.prewarm.internal/of"


class StartCoordinator(Protocol):
    """Starts a coordinator; see CoordinatorProcess for its arguments."""

    def __call__(
        self,
        name: str = ...,
        *,
        options: Sequence[str] = ...,
        variables: Mapping[str, str] | None = ...,
    ) -> CoordinatorProcess:
        """Start it; it is stopped at the end of the test."""
        ...


class Nodes:
    """Makes Nodes that one label tells from all others."""

    def __init__(self, apiserver: ApiServer, names: Names) -> None:
        self.made: list[NodeOnServer] = []
        self._apiserver = apiserver
        self._names = names
        self._mark = names("nodes")

    @property
    def selector(self) -> Json:
        """A job's selector of these Nodes and no others."""
        return {"matchLabels": {LABEL: self._mark}}

    def __call__(
        self,
        count: int = 1,
        *,
        labels: Mapping[str, str] | None = None,
        taints: Sequence[Json] = (),
        is_ready: bool = True,
    ) -> list[NodeOnServer]:
        """Create so many of them; see NodeOnServer.create."""
        return [self.named(self._names("node"), labels=labels, taints=taints, is_ready=is_ready) for _ in range(count)]

    def named(
        self,
        name: str,
        *,
        labels: Mapping[str, str] | None = None,
        taints: Sequence[Json] = (),
        is_ready: bool = True,
    ) -> NodeOnServer:
        """Create one with this name, as where a machine comes back."""
        node = NodeOnServer(self._apiserver, name)
        self.made.append(node)
        node.create(labels={LABEL: self._mark, **(labels or {})}, taints=taints, is_ready=is_ready)
        return node

    def until_seen(self) -> None:
        """Wait until the coordinator has seen them all: a watch of Nodes and one of jobs have no order."""
        if self.made:
            self.image(self.made[-1]).until_object(lambda _: True, what="the last Node's NodeImage is made")

    def name(self) -> str:
        """Return a name for a Node."""
        return self._names("node")

    def image(self, node: NodeOnServer, *, version: str = "v1beta1") -> NodeImageOnServer:
        """Return a Node's NodeImage, which the coordinator makes."""
        return NodeImageOnServer(self._apiserver, node.name, version=version)


class Jobs(Protocol):
    """Creates an ImagePullJob in the test's namespace."""

    def __call__(self, spec: Json, *, name: str = ..., version: str = ...) -> JobOnServer:
        """Create it; it is deleted at the end of the test."""
        ...


class RealNode(msgspec.Struct, frozen=True):
    """A Node with a containerd and an agent of its own."""

    node: NodeOnServer
    image: NodeImageOnServer
    containerd: Containerd
    agent: AgentProcess

    @property
    def name(self) -> str:
        """Its name."""
        return self.node.name


class JoinNode(Protocol):
    """Brings one more node: a Node, a containerd and an agent, which are all its own."""

    def __call__(
        self, name: str = ..., *, taints: Sequence[Json] = ..., containerd: str = ..., mirrors: Hosts | None = ...
    ) -> RealNode:
        """
        Bring it.

        `containerd` is the version, the newest one where not given; `mirrors` are registries of its own, those of all
        others where not given.
        """
        ...


@pytest.fixture(scope="module")
def coordinator_options() -> Sequence[str]:
    """Further options of the module's coordinator: none, and a module that needs some has a fixture of this name."""
    return ()


@pytest.fixture(scope="module")
def coordinator(
    deployed: ApiServer, coordinator_options: Sequence[str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[CoordinatorProcess]:
    """The module's coordinator, leading."""
    folder = tmp_path_factory.mktemp("coordinator")
    with CoordinatorProcess(deployed, folder, options=coordinator_options) as process:
        process.until_leading()
        yield process


@pytest.fixture
def start_coordinator(deployed: ApiServer, tmp_path: Path, names: Names) -> Iterator[StartCoordinator]:
    """Start coordinators; whatever one logged is one JSON object a line, or the test fails."""
    with contextlib.ExitStack() as running:

        def start(
            name: str = "", *, options: Sequence[str] = (), variables: Mapping[str, str] | None = None
        ) -> CoordinatorProcess:
            name = name or names("coordinator")
            process = CoordinatorProcess(deployed, tmp_path / name, name=name, options=options, variables=variables)
            return running.enter_context(process)

        yield start


@pytest.fixture(scope="module")
def agents(deployed: ApiServer) -> Iterator[ScriptedAgents]:
    """Agents that say what they are told, for the Nodes that a test gives them."""
    with ScriptedAgents(deployed) as agents:
        yield agents


@pytest.fixture
def nodes(deployed: ApiServer, names: Names, request: pytest.FixtureRequest) -> Iterator[Nodes]:
    """Make Nodes; they are deleted at the end of the test, which the module's coordinator has to live to see."""
    shared = request.getfixturevalue("coordinator") if "coordinator" in request.fixturenames else None
    _check_runs(shared)
    nodes = Nodes(deployed, names)
    yield nodes
    for node in nodes.made:
        node.delete()
    _check_runs(shared)


def _check_runs(coordinator: CoordinatorProcess | None) -> None:
    """Fail with the end of its log where a module's coordinator has ended by itself."""
    if coordinator is not None and not coordinator.process.is_running:
        pytest.fail(f"the coordinator has ended by itself\n{coordinator.tail()}", pytrace=False)


@pytest.fixture(scope="module")
def job_states(deployed: ApiServer) -> Iterator[list[Json]]:
    """Every state of every job, in order: a witness of what each status said."""
    states: list[Json] = []
    path = "/apis/apps.kruise.io/v1beta1/imagepulljobs"
    with Watched(deployed, path, lambda _, found: states.append(found)):
        yield states


@pytest.fixture
def jobs(
    deployed: ApiServer,
    namespace: str,
    names: Names,
    nodes: Nodes,
    job_states: list[Json],
    request: pytest.FixtureRequest,
) -> Iterator[Jobs]:
    """
    Create jobs; whatever their statuses said at any time adds up, or the test fails.

    Where the module's coordinator runs, it has seen the test's Nodes before.
    """
    made: list[JobOnServer] = []

    def create(spec: Json, *, name: str = "", version: str = "v1beta1") -> JobOnServer:
        if "coordinator" in request.fixturenames:
            nodes.until_seen()
        job = JobOnServer(deployed, namespace, name or names("job"), version=version)
        job.create(spec)
        made.append(job)
        return job

    yield create
    for job in made:
        job.delete()
    ours = [state for state in job_states if state["metadata"]["namespace"] == namespace]
    assert [] == [state["status"] for state in ours if not adds_up(state.get("status") or {})]


@pytest.fixture
def join_node(deployed: ApiServer, workdir: Path, hosts: Hosts, nodes: Nodes) -> Iterator[JoinNode]:
    """Bring nodes with a real containerd and a real agent."""
    with contextlib.ExitStack() as running:

        def join(
            name: str = "",
            *,
            taints: Sequence[Json] = (),
            containerd: str = binaries.NEWEST,
            mirrors: Hosts | None = None,
        ) -> RealNode:
            name = name or nodes.name()
            node = nodes.named(name, taints=taints)
            runtime = Containerd(binaries.containerd(containerd), workdir / name, hosts=mirrors or hosts)
            running.enter_context(runtime)
            agent = AgentProcess(deployed, workdir / f"agent-{name}", node_name=name, endpoint=runtime.endpoint)
            running.enter_context(agent)
            return RealNode(node, nodes.image(node), runtime, agent)

        yield join


@pytest.fixture
def three_nodes(join_node: JoinNode) -> tuple[RealNode, RealNode, RealNode]:
    """Three nodes with a containerd and an agent each, one containerd of the oldest supported version."""
    return join_node(containerd=binaries.OLDEST), join_node(), join_node()


def adds_up(status: Json) -> bool:
    """
    Tell whether a status counts every node once.

    The selected nodes are warm, stale, cold or skipped; those that are not skipped are desired, and wait, are active,
    have succeeded or have failed.
    """
    if "prewarm" not in status:
        return not status or (0, 0, 0, 0) == totals(status)
    desired, active, succeeded, failed = totals(status)
    warm, stale, cold, _ = counted(status)
    waiting: int = status["prewarm"].get("waiting", 0)
    return desired == warm + stale + cold == active + waiting + succeeded + failed
