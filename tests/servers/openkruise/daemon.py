"""
Stands in for OpenKruise's kruise-daemon: the image half of it, on one node, through the node's own runtime.

On the wire it does what the real one does: it pulls each entry once a version, whoever else does; it PUTs its whole
status through types that lose what they do not know; it compares with what it itself wrote last and not with what
stands there; at most one write in two seconds, after five at once. What stands in the API with a completionTime it
takes over as its own. Events and the parallel limit are left out. What it would say is daemon_memory.py's; whose names
and passwords it tries, daemon_secrets.py's.
"""

import contextlib
import threading
import time
from collections.abc import Callable
from functools import partial
from types import TracebackType
from typing import Final, Self

import grpc
import msgspec

from tests.servers import cri
from tests.servers.openkruise.daemon_memory import Key, Memory, Work
from tests.servers.openkruise.daemon_secrets import users_of
from tests.servers.openkruise.manager_client import Client, Refused, Write
from tests.servers.openkruise.manager_nodeimage import NodeImage
from tests.servers.openkruise.manager_objects import Release, decoded, encoded


LOOK_SECONDS: Final = 0.1
# Between its 3 s and 5 s, and between its 20 min and 30 min.
UNFINISHED_SECONDS: Final = 4.0
FINISHED_SECONDS: Final = 1500.0
WRITES_A_SECOND: Final = 0.5
BURST: Final = 5.0
REFRESH_SECONDS: Final = 12.5 * 3600
_FIRST_RETRY_SECONDS: Final = 0.5
_MOST_RETRY_SECONDS: Final = 50.0
_END_SECONDS: Final = 20.0


class Daemon:
    """
    One kruise-daemon; as a context it runs.

    Args:
        client: whom it asks, with the user agent kruise-daemon.
        node: whose NodeImage it serves.
        endpoint: the runtime's socket.
        release: which API version it speaks.
    """

    def __init__(self, client: Client, *, node: str, endpoint: str, release: Release = Release.V1_9) -> None:
        self._client = client
        self._path = f"/apis/apps.kruise.io/{release}/nodeimages"
        self._node = node
        self._endpoint = endpoint
        self._release = release
        self._memory = Memory()
        self._stopped = threading.Event()
        self._threads: list[threading.Thread] = []
        self._broken: BaseException | None = None
        self._seen: NodeImage | None = None
        self._written: object = None
        self._written_seconds = float("-inf")
        self._tokens, self._counted_seconds = BURST, time.monotonic()

    def __enter__(self) -> Self:
        self._begin(self._run)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopped.set()
        for thread in self._threads:
            thread.join(_END_SECONDS)
        self._client.close()
        if self._broken is not None and error is None:
            raise self._broken

    @property
    def writes(self) -> tuple[Write, ...]:
        """Every status that it sent."""
        return tuple(self._client.writes)

    def phase(self, repository: str, tag: str) -> str:
        """Return what it believes of an entry, "" for nothing."""
        said = self._memory.statuses.get(Key(repository, tag))
        return said.phase if said else ""

    def _run(self) -> None:
        """Sync whenever the spec has changed and when it is time: one queue, one worker, a backoff after failures."""
        generation, due_seconds, failures = None, 0.0, 0
        while not self._stopped.wait(LOOK_SECONDS):
            found = self._look()
            if found is None or (found.metadata.generation == generation and time.monotonic() < due_seconds):
                continue
            try:
                wait_seconds, failures = self._sync(found), 0
            except Refused:
                wait_seconds = min(_MOST_RETRY_SECONDS, _FIRST_RETRY_SECONDS * 2**failures)
                failures += 1
            generation, due_seconds = found.metadata.generation, time.monotonic() + wait_seconds

    def _look(self) -> NodeImage | None:
        try:
            items = self._client.items(f"{self._path}?fieldSelector=metadata.name%3D{self._node}")
        except Refused:
            return None
        return decoded(items[0], into=NodeImage) if items else None

    def _sync(self, node_image: NodeImage) -> float:
        """Start what is to be pulled, say what is known, and return when to do so again."""
        self._seen = node_image
        for work in self._memory.take(node_image):
            self._begin(partial(self._pull, work))
        # Before the status is made: what ends while that is on its way has to be said next.
        wait_seconds = FINISHED_SECONDS if self._memory.is_finished(node_image) else UNFINISHED_SECONDS
        status = self._memory.status_of(node_image)
        body = encoded(msgspec.structs.replace(node_image, status=status), release=self._release)
        is_same = body["status"] == self._written
        if is_same and time.monotonic() < self._written_seconds + REFRESH_SECONDS:
            return wait_seconds
        if not self._takes_token():
            return UNFINISHED_SECONDS
        self._client.replace(f"{self._path}/{self._node}/status", body)
        self._written, self._written_seconds = body["status"], time.monotonic()
        return wait_seconds

    def _takes_token(self) -> bool:
        now = time.monotonic()
        self._tokens = min(BURST, self._tokens + (now - self._counted_seconds) * WRITES_A_SECOND)
        self._counted_seconds = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True

    def _pull(self, work: Work) -> None:
        """Try until it is there or has been tried often enough."""
        self._memory.begin(work)
        words, wait_seconds = "", 1.0
        for _ in range(work.attempts):
            try:
                self._memory.succeed(work, image_id=self._attempt(work))
            except grpc.RpcError as error:
                words = error.details() or ""
            else:
                return
            if self._stopped.wait(wait_seconds) or not self._memory.is_wanted(work):
                return
            wait_seconds = min(30.0, wait_seconds * 2)
        self._memory.fail(work, message=words)

    def _attempt(self, work: Work) -> str:
        timeout_seconds = work.timeout_seconds
        found = cri.images(self._endpoint, timeout_seconds=timeout_seconds).get(work.image)
        if found is None or work.policy != "IfNotPresent":
            self._fetch(work)
            found = cri.images(self._endpoint, timeout_seconds=timeout_seconds).get(work.image, "")
        return found

    def _fetch(self, work: Work) -> None:
        """Pull as each user that the repository's secrets have for it, until one may; as nobody where there is none."""
        *others, last = users_of(self._seen, key=work.key, client=self._client) or [None]
        for user in others:
            with contextlib.suppress(grpc.RpcError):
                cri.pull(self._endpoint, work.image, user=user, timeout_seconds=work.timeout_seconds)
                return
        cri.pull(self._endpoint, work.image, user=last, timeout_seconds=work.timeout_seconds)

    def _begin(self, work: Callable[[], None]) -> None:
        def guarded() -> None:
            try:
                work()
            except BaseException as error:  # noqa: BLE001 - the thread's root: the context's end raises it
                self._broken = error

        thread = threading.Thread(target=guarded, name="kruise-daemon", daemon=True)
        self._threads.append(thread)
        thread.start()
