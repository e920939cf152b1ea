"""On a real API server: one of two processes leads, the other takes over, and never do both send."""

import itertools
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from daemon.cluster.tenure import LeaseTiming
from tests.behaviour.cluster_candidate import now_seconds
from tests.servers.apiserver import ApiServer
from tests.servers.apiserver_access import Json
from tests.servers.processes import Process, until


ACCOUNT = "candidate"
RIGHTS = "get,create,update"
TIMING = LeaseTiming()
RETRY_SECONDS = 2.2 * TIMING.retry_seconds
# For starting requests and processes on a machine that does other things too.
SLACK_SECONDS = 5.0


class Candidate:
    """One process that wants to lead."""

    def __init__(self, process: Process) -> None:
        self.process = process

    def times(self, word: str) -> list[float]:
        """When it said so."""
        if not self.process.log.exists():
            return []
        lines = [line.split() for line in self.process.log.read_text().splitlines()]
        return [float(line[1]) for line in lines if line[:1] == [word]]

    def await_sending(self, *, after_seconds: float = 0.0, timeout_seconds: float = 60) -> float:
        """Wait until it sends, and return when it first did after this moment."""
        return (
            until(
                lambda: next((at for at in self.times("sends") if at > after_seconds), None),
                what=f"{self.process.log.stem} to lead",
                timeout_seconds=timeout_seconds,
            )
            or 0.0
        )


Start = Callable[[str], Candidate]


@pytest.fixture
def folder(apiserver: ApiServer, namespace: str, tmp_path: Path) -> Path:
    """The service account folder of a Pod that may do with Leases what an election needs, and nothing else."""
    folder = apiserver.service_account_folder(tmp_path / "account", namespace, ACCOUNT)
    leases = "--resource=leases.coordination.k8s.io"
    apiserver.kubectl("create", "role", "leases", f"--verb={RIGHTS}", leases, f"--namespace={namespace}")
    account = f"--serviceaccount={namespace}:{ACCOUNT}"
    apiserver.kubectl("create", "rolebinding", "leases", "--role=leases", account, f"--namespace={namespace}")
    return folder


@pytest.fixture
def start(apiserver: ApiServer, namespace: str, folder: Path, tmp_path: Path) -> Iterator[Start]:
    """Start a candidate of this identity; it has ended when the test does."""
    with ExitStack() as stack:

        def candidate(identity: str) -> Candidate:
            process = Process(
                [sys.executable, "-m", "tests.behaviour.cluster_candidate", folder, namespace, identity],
                log=tmp_path / f"{identity}.log",
                environment={**os.environ, **apiserver.service_environment()},
            )
            started = Candidate(process)
            stack.callback(process.kill)
            process.start(lambda: bool(started.times("started")))
            return started

        yield candidate


@pytest.fixture
def pair(start: Start) -> tuple[Candidate, Candidate]:
    """One that leads, and one that stands by."""
    leader = start("leader")
    leader.await_sending()
    return leader, start("standby")


def _spec(apiserver: ApiServer, namespace: str) -> Json:
    path = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases/prewarm-coordinator"
    spec: Json = apiserver.request("GET", path)["spec"]
    return spec


def _changes_of_sender(*candidates: Candidate) -> int:
    """Count how often another than the one before sent."""
    sent = sorted((at, number) for number, each in enumerate(candidates) for at in each.times("sends"))
    return sum(before[1] != after[1] for before, after in itertools.pairwise(sent))


def test_a_leader_that_ends_in_order_is_followed_at_once(
    apiserver: ApiServer, namespace: str, pair: tuple[Candidate, Candidate]
) -> None:
    """It releases the Lease: the other leads within a retry, and the Lease counts the change of hands."""
    leader, standby = pair
    before = _spec(apiserver, namespace)

    code = leader.process.stop()
    followed = standby.await_sending()
    after = _spec(apiserver, namespace)

    assert 0 == code
    assert followed - leader.times("sends")[-1] < RETRY_SECONDS + SLACK_SECONDS
    assert ("leader", 0) == (before["holderIdentity"], before["leaseTransitions"])
    assert ("standby", 1, 15) == (after["holderIdentity"], after["leaseTransitions"], after["leaseDurationSeconds"])
    assert before["acquireTime"] < after["acquireTime"] <= after["renewTime"]
    assert 1 == _changes_of_sender(leader, standby)


def test_the_last_one_leaves_a_lease_that_nobody_holds(apiserver: ApiServer, namespace: str, start: Start) -> None:
    """So that whoever comes next leads at once."""
    first = start("first")
    first.await_sending()

    first.process.stop()
    released = _spec(apiserver, namespace)
    began = now_seconds()
    second = start("second")
    followed = second.await_sending()

    assert ("", 1) == (released.get("holderIdentity", ""), released["leaseDurationSeconds"])
    assert followed - began < TIMING.duration_seconds - SLACK_SECONDS


def test_a_leader_that_is_killed_is_followed_after_its_lease(pair: tuple[Candidate, Candidate]) -> None:
    """Not before what it promised has passed, and two retries later at most."""
    leader, standby = pair
    until(lambda: len(leader.times("sends")) > 150, what="renewals", timeout_seconds=30)

    leader.process.kill()
    followed = standby.await_sending()
    gap = followed - leader.times("sends")[-1]

    assert TIMING.duration_seconds - TIMING.send_seconds < gap
    assert gap < TIMING.duration_seconds + 2 * RETRY_SECONDS + SLACK_SECONDS
    assert 1 == _changes_of_sender(leader, standby)


def test_a_leader_that_is_frozen_finds_itself_deposed_before_it_sends(
    apiserver: ApiServer, namespace: str, pair: tuple[Candidate, Candidate]
) -> None:
    """The other has taken over meanwhile; the one that wakes says that it lost, sends nothing, and waits its turn."""
    leader, standby = pair

    leader.process.freeze()
    followed = standby.await_sending()
    leader.process.thaw()
    until(lambda: leader.times("lost"), what="the loss", timeout_seconds=20)
    standby.await_sending(after_seconds=now_seconds() + TIMING.retry_seconds)

    assert leader.times("sends")[-1] < followed
    assert 1 == _changes_of_sender(leader, standby)
    assert "standby" == _spec(apiserver, namespace)["holderIdentity"]


def test_a_restart_of_the_api_server_never_makes_two_lead(
    apiserver: ApiServer, pair: tuple[Candidate, Candidate]
) -> None:
    """Short or long, one of them leads again; a leader that kept its Lease goes on."""
    leader, standby = pair

    apiserver.restart()
    back = now_seconds()
    until(
        lambda: [each for each in pair if [at for at in each.times("sends") if at > back + RETRY_SECONDS]],
        what="one to lead again",
        timeout_seconds=60,
    )

    assert _changes_of_sender(leader, standby) <= 1
