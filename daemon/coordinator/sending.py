"""
The threads that ask the API server what agenda.py decided: one request at a time each.

Right before each write it is checked that this coordinator still leads; what may not be sent comes back as not sent.
What an outcome means is the loop's.
"""

import queue
from collections.abc import Callable, Mapping
from typing import Final

from daemon.cluster.errors import ClusterError, ServerFailed
from daemon.cluster.interface import RawApi
from daemon.cluster.metadata import UNREADABLE
from daemon.coordinator.decoding import job_of, node_image_of, node_of
from daemon.coordinator.lists.decoding import list_of
from daemon.coordinator.lists.seen import SeenList
from daemon.coordinator.requests import About, Outcome, Request
from daemon.coordinator.seen import SeenJob, SeenNode, SeenNodeImage


SENDERS: Final = 16
TIMEOUT_SECONDS: Final = 4.0

_DECODERS: Final[Mapping[About, Callable[[bytes], SeenNodeImage | SeenNode | SeenJob | SeenList]]] = {
    About.NODE_IMAGE: node_image_of,
    About.NODE: node_of,
    About.JOB: job_of,
    About.LIST: list_of,
    About.CHILD: job_of,
    About.FINALIZER: job_of,
}


class Senders:
    """
    Sends requests; `run` belongs in SENDERS threads, everything else is for the loop's.

    Args:
        api: the API server.
        may_send: tells whether this coordinator leads and will until an answer has come.
        done: hears each outcome, in the sender's thread.
    """

    def __init__(self, api: RawApi, *, may_send: Callable[[], bool], done: Callable[[Outcome], None]) -> None:
        self._api = api
        self._may_send = may_send
        self._done = done
        self._requests: queue.SimpleQueue[Request | None] = queue.SimpleQueue()

    def send(self, request: Request) -> None:
        """Have a request sent; its outcome comes by `done`."""
        self._requests.put(request)

    def run(self) -> None:
        """Send until stopped."""
        while (request := self._requests.get()) is not None:
            self._done(self._outcome(request))

    def stop(self) -> None:
        """End each `run` once it has nothing on its way."""
        for _ in range(SENDERS):
            self._requests.put(None)

    def _outcome(self, request: Request) -> Outcome:
        if not self._may_send():
            return Outcome(request=request, was_sent=False)
        try:
            if request.errand is not None:
                answer = request.errand.run(self._api, may_send=self._may_send, timeout_seconds=TIMEOUT_SECONDS)
                return Outcome(request=request, answer=answer)
            body = self._answer(request)
        except ClusterError as error:
            return Outcome(request=request, error=error)
        if request.is_removal:
            return Outcome(request=request)
        try:
            return Outcome(request=request, seen=_DECODERS[request.about](body))
        except UNREADABLE:
            # Not chained: the decoder's error may quote the object.
            problem = ServerFailed(f"{request.path}: the answer is no object that can be read")
        return Outcome(request=request, error=problem)

    def _answer(self, request: Request) -> bytes:
        if request.write is None:
            return self._api.fetch(request.path, timeout_seconds=TIMEOUT_SECONDS)
        return self._api.send(request.write, timeout_seconds=TIMEOUT_SECONDS)
