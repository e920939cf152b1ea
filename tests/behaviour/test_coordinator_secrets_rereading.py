"""A pull secret in use is read again by itself, so that its rotation is noticed where no node was denied anything."""

import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from daemon.clock import SystemClock
from daemon.cluster.access import in_pod
from daemon.cluster.errors import ClusterError
from daemon.cluster.interface import Telemetry
from daemon.cluster.metadata import Identity
from daemon.cluster.transport import HttpApi
from daemon.coordinator.budget import Budget
from daemon.coordinator.desk import Told
from daemon.coordinator.fleet import Fleet
from daemon.coordinator.gate import Opening
from daemon.coordinator.loop import CoordinatorLoop
from daemon.coordinator.paths import Paths
from daemon.coordinator.requests import About, Outcome, Request
from daemon.coordinator.secrets.copies import Copies as CopiesSide
from daemon.coordinator.seen import SeenNode
from daemon.coordinator.sending import SENDERS, Senders
from daemon.coordinator.watching import Watches
from tests.servers.apiserver import ApiServer
from tests.servers.coordinator import ACCOUNT, NAMESPACE
from tests.servers.fixtures_coordinator import Jobs, Nodes
from tests.servers.jobs import job, totals
from tests.servers.scripted_agents import Fails, ScriptedAgents, Succeeds
from tests.servers.secrets import Copies, SecretOnServer


REREAD_SECONDS = 0.2


class Heard:
    """Everyone who hears of the loop; keeps which sources were copied."""

    def __init__(self) -> None:
        self.copied: list[str] = []

    def started(self) -> None:
        """Everything is listed."""

    def ended(self, outcome: Outcome) -> None:
        """A request is over."""

    def looked(self, loop: CoordinatorLoop) -> None:
        """The loop has gone round."""

    def status_written(self, told: Told) -> None:
        """A status was written."""

    def gate_opened(self, node: SeenNode, opening: Opening) -> None:
        """A gate is open."""

    def write_refused(self, request: Request, error: ClusterError) -> None:
        """A write was refused."""

    def watch_failed(self, resource: str, error: ClusterError) -> None:
        """A watch begins again."""

    def passed_over(self, resource: str, identity: Identity, words: str) -> None:
        """An object can't be read."""

    def secret_copied(self, source: str, *, copy: str) -> None:
        """A copy was written."""
        del copy
        self.copied.append(source)

    def secret_released(self, source: str, *, copy: str) -> None:
        """A copy is gone."""

    def secret_troubled(self, source: str, *, state: str, words: str) -> None:
        """A source can't be had."""

    def secrets_unlisted(self, error: ClusterError) -> None:
        """The copies can't be listed."""


@pytest.fixture
def heard(deployed: ApiServer, tmp_path: Path) -> Iterator[Heard]:
    """A coordinator of this process, with its account's rights, that reads sources in use many times a minute."""
    heard, clock, threads = Heard(), SystemClock(), list[threading.Thread]()
    folder = tmp_path / "account"
    deployed.service_account_folder(folder, NAMESPACE, ACCOUNT)

    def spawn(name: str, work: Callable[[], None]) -> None:
        threads.append(threading.Thread(target=work, name=name, daemon=True))
        threads[-1].start()

    def done(outcome: Outcome) -> None:
        loop.post(outcome)

    access = in_pod(folder, environment=deployed.service_environment())
    with closing(HttpApi(access, user_agent="prewarm-test/1")) as api:
        senders = Senders(api, may_send=lambda: True, done=done)
        fleet, paths = Fleet(gate_taint="", gate_deadline_seconds=600), Paths("v1beta1")
        copies = CopiesSide(
            fleet, secret_namespace="kruise-daemon-config", listener=heard, reread_seconds=REREAD_SECONDS
        )
        loop = CoordinatorLoop(
            fleet,
            paths=paths,
            budget=Budget(rate=1000, clock=clock),
            send=senders.send,
            follow_pods=lambda _: (),
            listener=heard,
            clock=clock,
            make_sides=lambda _: {frozenset({About.SECRET}): copies},
        )
        watches = Watches(
            api,
            paths=paths,
            post=loop.post,
            spawn=spawn,
            listener=heard,
            gone=loop.stop,
            telemetry=Telemetry(),
            clock=clock,
        )
        for number in range(SENDERS):
            spawn(f"send-{number}", senders.run)
        watches.start()
        leading = threading.Thread(target=loop.run, name="loop", daemon=True)
        leading.start()
        yield heard
        loop.stop()
        leading.join(timeout=10)
        watches.stop()
        senders.stop()


def test_a_rotation_that_no_pull_told_of_is_noticed(
    deployed: ApiServer, heard: Heard, nodes: Nodes, agents: ScriptedAgents, jobs: Jobs, namespace: str
) -> None:
    """The copy follows, and the failed node has another turn at once; what is as it was is not written."""
    (node,) = nodes()
    agent = agents.serve(node.name, Fails("RegistryUnavailable"))
    nodes.until_seen()
    source, copies = SecretOnServer(deployed, namespace, "regcred"), Copies(deployed)
    source.put("first")
    made = jobs(job("registry.test/app:v1", kind="Never", selector=nodes.selector, pullSecrets=[source.name]))
    made.until(lambda status: totals(status) == (1, 0, 0, 1), what="has failed")

    agent.says(Succeeds())
    source.put("second")
    made.until_ready(nodes=1)
    copy = copies.one(source, f"{made.namespace}/{made.name}")

    assert source.read()["data"] == copy["data"]
    assert [source.key, source.key] == heard.copied
    assert 2 == len(agent.begun)
