"""
Hollow nodes at work: one watch of all NodeImages, and a crew of senders that writes each node's status.

A node is one sender's at a time, and what it says is decided when the sender has it: whatever has been granted by then
is in one patch. What is said is answer.py's and patch.py's.
"""

import math
import threading
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from functools import partial
from types import TracebackType
from typing import Final, Self

import msgspec

from bench.hollow.alarm import Alarm
from bench.hollow.answer import Running, Said, begun, is_news, next_at, said_of, statuses_of
from bench.hollow.patch import status_patch
from bench.hollow.pulls import Pulls, instant
from bench.hollow.seen import ImageKey, SeenNodeImage, metadata_of, node_image_of
from bench.hollow.senders import CONNECTIONS, TIMEOUT_SECONDS, USER_AGENT, Senders
from daemon.cluster.access import Access
from daemon.cluster.errors import ClusterError, Invalid, NotFound
from daemon.cluster.metadata import Identity
from daemon.cluster.reflector import Reflector
from daemon.cluster.transport import HttpApi


AGAIN_SECONDS: Final = 0.5


class Start(msgspec.Struct, frozen=True, kw_only=True):
    """A pull that a node began; `seconds` of time.monotonic, when its entry was heard."""

    node: str
    repository: str
    tag: str
    version: int
    seconds: float


class _Node:
    """
    One node.

    `is_taken` while a sender has it, `is_due` when it has to be looked at again after that; `is_doubted` when what is
    said may be another than what we know; `rings_at` the next alarm.
    """

    __slots__ = ("heard_seconds", "is_doubted", "is_due", "is_taken", "rings_at", "running", "said", "seen")

    def __init__(self, seen: SeenNodeImage) -> None:
        self.seen = seen
        self.said = said_of(seen)
        self.running: dict[ImageKey, Running] = {}
        self.heard_seconds = time.monotonic()
        self.is_taken = False
        self.is_due = False
        self.is_doubted = False
        self.rings_at = math.inf


class HollowNodes:
    """
    The agents of all nodes of a pattern; they answer while this is entered.

    Args:
        access: the API server, and who writes for all of them.
        nodes: a pattern of names, such as n-*.
        pulls: how each pull goes; instant ones where it is left out.
        is_announced: a node without an agent says at once that it has one, as a real agent does.
        api_version: of the NodeImages.
        connections: how many writes are under way at once.
    """

    def __init__(
        self,
        access: Access,
        *,
        nodes: str = "*",
        pulls: Pulls = instant,
        is_announced: bool = True,
        api_version: str = "v1beta1",
        connections: int = CONNECTIONS,
    ) -> None:
        self.starts: list[Start] = []
        self.is_synced = threading.Event()
        self._path = f"/apis/apps.kruise.io/{api_version}/nodeimages"
        self._pattern = nodes
        self._pulls = pulls
        self._is_announced = is_announced
        self._started_at = datetime.now(UTC)
        self._lock = threading.Lock()
        self._nodes: dict[str, _Node] = {}
        self._senders = Senders(access, connections=connections)
        self._alarm = Alarm()
        self._api = HttpApi(access, user_agent=USER_AGENT)
        self._reflector = Reflector(self._api, path=self._path, listener=self, decode=bytes)
        self._thread = threading.Thread(target=self._reflector.run, name="hollow-watch", daemon=True)

    def __enter__(self) -> Self:
        self._senders.__enter__()
        self._alarm.start()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._reflector.stop()
        self._alarm.stop()
        self._thread.join()
        self._api.close()
        self._senders.__exit__(kind, error, trace)

    def listed(self, identities: Sequence[Identity]) -> None:
        """Note that every node is known."""
        del identities
        self.is_synced.set()

    def applied(self, identity: Identity, content: bytes) -> None:
        """Look at a NodeImage that is new, or whose spec is another."""
        if not fnmatchcase(identity.name, self._pattern):
            return
        node = self._nodes.get(identity.name)
        if node is None or node.seen.metadata.uid != identity.uid:
            node = self._nodes[identity.name] = _Node(node_image_of(content))
        elif metadata_of(content).generation <= node.seen.metadata.generation:
            return
        else:
            node.heard_seconds = time.monotonic()
            node.seen = node_image_of(content)
        self._wake(node)

    def passed_over(self, identity: Identity, words: str) -> None:
        """Leave a node alone whose NodeImage can't be read; bytes always can."""

    def deleted(self, identity: Identity) -> None:
        """Forget a node that is gone."""
        self._nodes.pop(identity.name, None)

    def missed(self, error: ClusterError) -> None:
        """Leave it to the reflector to list again."""

    def _wake(self, node: _Node) -> None:
        """Have a sender look at a node, after the one that has it now."""
        with self._lock:
            node.is_due = node.is_taken
            if node.is_taken:
                return
            node.is_taken = True
        self._senders.send(partial(self._serve, node))

    def _serve(self, node: _Node, api: HttpApi) -> None:
        try:
            self._answer(node, api)
        except NotFound:
            pass
        except ClusterError as error:
            # Refused: another writer has changed what the patch was made for.
            node.is_doubted = isinstance(error, Invalid)
            self._ring(node, seconds=AGAIN_SECONDS)
        with self._lock:
            node.is_taken = False
            is_due = node.is_due
        if is_due:
            self._wake(node)

    def _answer(self, node: _Node, api: HttpApi) -> None:
        """Write what the node has to say now, if it has, and set the alarm for what it has to say later."""
        said = self._read(node, api) if node.is_doubted else node.said
        seen, now = node.seen, datetime.now(UTC)
        running = begun(seen, running=node.running, said=said, pulls=self._pulls, now=now)
        self._note(node, running)
        statuses = statuses_of(seen, running=running, said=said, now=now)
        is_first = self._is_announced and not said.has_agent
        if is_first or is_news(statuses, running=running, said=said, now=now):
            patch = status_patch(seen.metadata, statuses, said=said, started_at=self._started_at, now=now)
            api.patch(f"{self._path}/{seen.metadata.name}/status", patch, timeout_seconds=TIMEOUT_SECONDS)
            has_images = said.has_images or bool(statuses)
            said = Said(statuses=statuses, has_status=True, has_images=has_images, has_agent=True, at=now)
        node.said = said
        due = next_at(running, said=said, now=now)
        if due is not None:
            self._ring(node, seconds=(due - now).total_seconds())

    def _ring(self, node: _Node, *, seconds: float) -> None:
        """Have a node looked at after a while, unless that happens earlier anyway."""
        at = time.monotonic() + seconds
        if at < node.rings_at:
            node.rings_at = at
            self._alarm.at(at, partial(self._rung, node))

    def _rung(self, node: _Node) -> None:
        node.rings_at = math.inf
        self._wake(node)

    def _read(self, node: _Node, api: HttpApi) -> Said:
        content = api.fetch(f"{self._path}/{node.seen.metadata.name}", timeout_seconds=TIMEOUT_SECONDS)
        node.is_doubted = False
        return said_of(node_image_of(content))

    def _note(self, node: _Node, running: dict[ImageKey, Running]) -> None:
        for key, pull in running.items():
            if node.running.get(key) is not pull:
                self.starts.append(
                    Start(
                        node=node.seen.metadata.name,
                        repository=key.repository,
                        tag=key.tag,
                        version=pull.version,
                        seconds=node.heard_seconds,
                    )
                )
        node.running = running
