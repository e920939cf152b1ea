"""What following a pull asks of containerd: the calls themselves, counted on their way to a real one."""

from collections import Counter
from collections.abc import Callable, Iterator
from typing import TypeVar

import grpc
import pytest

from daemon.clock import SystemClock
from daemon.runtime.channel import open_channel
from daemon.runtime.content import DOCUMENT_BYTES
from daemon.runtime.cri import CriRuntime
from tests.lab.runtime_pulls import FollowedPull
from tests.servers.containerd import Containerd
from tests.servers.images import Push
from tests.servers.proxy import FaultProxy


RATE = 4_000_000
LIST_STATUSES = "/containerd.services.content.v1.Content/ListStatuses"
LIST_RESOURCES = "/containerd.services.leases.v1.Leases/ListResources"
READ = "/containerd.services.content.v1.Content/Read"

AnswerT = TypeVar("AnswerT")


class CountedCalls(grpc.UnaryUnaryClientInterceptor, grpc.UnaryStreamClientInterceptor):
    """Counts calls by method and passes them on; grpc takes only its own classes for this."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()

    def intercept_unary_unary(
        self, continuation: Callable[..., AnswerT], client_call_details: grpc.ClientCallDetails, request: object
    ) -> AnswerT:
        """Count a call."""
        self.counts[client_call_details.method] += 1
        return continuation(client_call_details, request)

    def intercept_unary_stream(
        self, continuation: Callable[..., AnswerT], client_call_details: grpc.ClientCallDetails, request: object
    ) -> AnswerT:
        """Count a call that streams."""
        self.counts[client_call_details.method] += 1
        return continuation(client_call_details, request)


@pytest.fixture
def calls() -> CountedCalls:
    """The calls of `counted`."""
    return CountedCalls()


@pytest.fixture
def counted(containerd: Containerd, calls: CountedCalls) -> Iterator[CriRuntime]:
    """The code under test, connected to `containerd`, with its calls counted."""
    channel = grpc.intercept_channel(open_channel(containerd.endpoint), calls)
    runtime = CriRuntime(channel, endpoint=containerd.endpoint, clock=SystemClock())
    yield runtime
    runtime.close()


def test_a_sample_is_two_calls_and_each_document_is_read_once(
    counted: CriRuntime, calls: CountedCalls, push: Push, faults: FaultProxy
) -> None:
    """However often a pull is looked at: what is held, what is being written, and once its manifest and config."""
    image = push(layers=[4_000_000] * 2).at(faults.host)
    faults.limit(RATE)
    pull = FollowedPull(counted, image.reference)
    before = calls.counts.copy()

    pull.wait()

    asked = calls.counts - before
    assert 2 == asked[READ]
    assert {len(pull.samples)} == {asked[LIST_STATUSES], asked[LIST_RESOURCES]}


def test_a_config_too_large_to_read_is_asked_for_once_and_costs_no_sample(
    counted: CriRuntime, calls: CountedCalls, push: Push, faults: FaultProxy
) -> None:
    """The pull is followed without knowing which layers lay unpacked before."""
    image = push(layers=[12_000_000], config_padding_bytes=DOCUMENT_BYTES).at(faults.host)
    faults.limit(RATE)
    pull = FollowedPull(counted, image.reference)

    pull.wait()

    assert image.digest == pull.samples[-1].digest
    assert DOCUMENT_BYTES + image.layer_bytes < pull.samples[-1].bytes_total
    assert 2 == calls.counts[READ]
