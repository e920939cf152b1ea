"""The watch of a node's own NodeImage, where the server has not got it: asked for again, and never in a rush."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Self

import msgspec
import pytest

from daemon.agent.inbound import Inbound
from daemon.agent.watching import NodeImageWatch
from daemon.clock import SystemClock
from daemon.cluster.errors import ClusterError, NotFound, Throttled, Unreachable
from daemon.cluster.interface import Operation, Resource, Telemetry


OURS: Resource = {"resources": [{"name": "nodeimages"}]}
OTHERS: Resource = {"resources": [{"name": "statefulsets"}]}
LIST = "/apis/apps.kruise.io/v1alpha1/nodeimages"


class Server:
    """Answers discovery, and no list."""

    def __init__(self, served: Mapping[str, Resource | ClusterError]) -> None:
        self.asked: list[str] = []
        self._served = served

    def get(self, path: str, *, query: Mapping[str, str] | None = None, timeout_seconds: float) -> Resource:
        """Answer what a version has, and that there is nothing else."""
        del query, timeout_seconds
        self.asked.append(path)
        absent = NotFound("the server could not find the requested resource", code=404)
        answer = self._served.get(path.removeprefix("/apis/apps.kruise.io/"), absent)
        if isinstance(answer, ClusterError):
            raise answer
        return answer

    def fetch(self, path: str, *, query: Mapping[str, str] | None = None, timeout_seconds: float) -> bytes:
        """Answer the same as JSON."""
        return msgspec.json.encode(self.get(path, query=query, timeout_seconds=timeout_seconds))

    def create(self, path: str, body: Resource, *, timeout_seconds: float) -> Resource:
        """Take nothing."""
        raise NotImplementedError

    def patch(self, path: str, operations: Sequence[Operation], *, timeout_seconds: float) -> Resource:
        """Take nothing."""
        raise NotImplementedError

    def stream(
        self, path: str, *, query: Mapping[str, str], timeout_seconds: float, silence_seconds: float
    ) -> AbstractContextManager[Iterator[bytes]]:
        """Stream nothing."""
        raise NotImplementedError

    def separate(self) -> Self:
        """Be one's own other."""
        return self

    def close(self) -> None:
        """Have nothing to close."""


class Unheard:
    """Hears of nothing but failures."""

    def __init__(self) -> None:
        self.errors: list[ClusterError] = []

    def node_image_found(self, *, uid: str, images: int) -> None:
        """There is none."""

    def node_image_missing(self) -> None:
        """There is none to miss."""

    def entries_passed_over(self, problems: Sequence[str]) -> None:
        """There are none."""

    def watch_failed(self, error: ClusterError) -> None:
        """Take note."""
        self.errors.append(error)


def waits(server: Server, *, rounds: int) -> list[int]:
    """Run a watch for so many waits, and return by how many failures in a row each was drawn."""
    drawn: list[int] = []
    heard = Unheard()

    def wait_of(failures: int) -> float:
        drawn.append(failures)
        if len(drawn) == rounds:
            watch.stop()
        return 0.0

    watch = NodeImageWatch(
        server,
        node_name="n1",
        inbound=lambda path: Inbound(path, want=lambda _wanted: None, saw=lambda *_seen: None, listener=heard),
        served=lambda _version: None,
        missed=heard.watch_failed,
        telemetry=Telemetry(),
        clock=SystemClock(),
        wait_of=wait_of,
    )
    watch.run()
    return drawn


def test_a_group_without_our_kind_is_asked_again_after_longer_and_longer_pauses() -> None:
    """OpenKruise's other kinds may be there before NodeImage is, and are not asked for it."""
    server = Server({"v1alpha1": OTHERS, "v1beta1": OTHERS})

    assert [1, 2, 3, 4] == waits(server, rounds=4)
    assert not [path for path in server.asked if path.endswith("nodeimages")]


def test_a_kind_that_is_told_and_not_served_is_asked_for_again_after_longer_and_longer_pauses() -> None:
    """Discovery may be ahead of what can be listed."""
    server = Server({"v1alpha1": OURS, "v1beta1": OTHERS})

    assert [1, 2, 3, 4] == waits(server, rounds=4)
    assert 4 == server.asked.count(LIST)


@pytest.mark.parametrize(
    "error",
    [
        NotFound("no group", code=404),
        Unreachable("refused"),
        Throttled("later", code=429, retry_after_seconds=1e300),
    ],
    ids=["no CRDs", "away", "throttled"],
)
def test_a_server_that_cannot_say_what_it_serves_is_asked_again(
    error: ClusterError, monkeypatch: pytest.MonkeyPatch
) -> None:
    """None of these ends the agent: the CRDs, or the server, may come later, whatever pause it asks for."""
    monkeypatch.setattr("daemon.cluster.backoff.ASKED_MOST_SECONDS", 0.0)

    assert [1, 2, 3] == waits(Server({"v1beta1": error}), rounds=3)
