"""
Removals of images as containerd tells them, within milliseconds.

What a removal means, and what was missed while nobody listened, is left to the node loop.
"""

import threading
from collections.abc import Iterator

import grpc

from daemon.runtime.calls import CONTAINERD_METADATA, called
from daemon.runtime.wire import events_pb2, events_pb2_grpc, images_pb2, types_pb2


_FILTER = 'namespace==k8s.io,topic=="/images/delete"'


class Removals:
    """One subscription at a time; `close` ends it from another thread, and any that would follow."""

    def __init__(self, channel: grpc.Channel) -> None:
        self._events = events_pb2_grpc.EventsStub(channel)
        self._lock = threading.Lock()
        self._stream: grpc.Call | None = None
        self._is_closed = False

    def subscribe(self) -> Iterator[str]:
        """
        Subscribe at once, and return an iterator over the names of images as they are removed.

        CRI removes an image by its tag, its digest and its ID, so three names come for one. The stream has no timeout:
        it waits for as long as nothing is removed. It ends when it breaks.
        """
        with called(), self._lock:
            if self._is_closed:
                return iter(())
            stream = self._events.Subscribe(
                events_pb2.SubscribeRequest(filters=[_FILTER]), metadata=CONTAINERD_METADATA
            )
            self._stream = stream
        return _names(stream)

    def close(self) -> None:
        """End the subscription; safe from any thread, any number of times."""
        with self._lock:
            self._is_closed = True
            if self._stream is not None:
                self._stream.cancel()


def _names(stream: Iterator[types_pb2.Envelope]) -> Iterator[str]:
    try:
        for envelope in stream:
            yield images_pb2.ImageDelete.FromString(envelope.event.value).name
    except grpc.RpcError:
        return
