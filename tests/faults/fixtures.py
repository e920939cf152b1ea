"""Fixtures of the coordinator's fault tests: hollow nodes, coordinators behind gateways, and a ledger of grants."""

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from bench.hollow.process import HollowProcess
from tests.faults.coordinators import Place, placing
from tests.faults.ledger import Ledger
from tests.servers.apiserver import ApiServer


@pytest.fixture(scope="module")
def hollow_options() -> Sequence[str]:
    """Options of the module's hollow nodes: pulls of 0.3 s; a module that needs others has a fixture of this name."""
    return ("--pull-seconds", "0.3")


@pytest.fixture(scope="module")
def hollow(
    deployed: ApiServer, hollow_options: Sequence[str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[HollowProcess]:
    """Agents without a runtime for every node of the module."""
    folder = tmp_path_factory.mktemp("hollow")
    with HollowProcess(deployed.kubeconfig, folder, options=hollow_options) as process:
        yield process


@pytest.fixture
def place(deployed: ApiServer, tmp_path: Path) -> Iterator[Place]:
    """Start coordinators, each behind a gateway of its own."""
    with placing(deployed, tmp_path) as place:
        yield place


@pytest.fixture
def ledger(deployed: ApiServer) -> Iterator[Ledger]:
    """Count what is granted; what the protocol does not allow fails the test."""
    with contextlib.ExitStack() as running:
        ledger = running.enter_context(Ledger(deployed))
        yield ledger
    assert not ledger.faults, "\n".join(ledger.faults)
