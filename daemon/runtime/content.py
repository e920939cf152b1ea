"""
containerd's content store and snapshots as questions: what is there, what is being written, what does a blob say.

What the answers mean for a pull is left to follower.py.
"""

from contextlib import suppress

import grpc

from daemon.runtime.calls import CONTAINERD_METADATA, UNARY_TIMEOUT_SECONDS, called
from daemon.runtime.errors import Absent, CriError
from daemon.runtime.wire import content_pb2, content_pb2_grpc, snapshots_pb2, snapshots_pb2_grpc


# The most that OCI registries accept of a manifest; a config is seldom larger.
DOCUMENT_BYTES = 4 * 1024 * 1024
_CHILDREN_LABEL = "containerd.io/gc.ref.content"


class ContentStore:
    """Read-only; thread-safe. Every method raises CriError where the runtime fails it."""

    def __init__(self, channel: grpc.Channel) -> None:
        self._content = content_pb2_grpc.ContentStub(channel)
        self._snapshots = snapshots_pb2_grpc.SnapshotsStub(channel)

    def open_ingests(self) -> dict[str, int]:
        """Return the bytes that are there of each blob that is being written, by digest, of all pulls."""
        request = content_pb2.ListStatusesRequest()
        with called():
            answer = self._content.ListStatuses(request, timeout=UNARY_TIMEOUT_SECONDS, metadata=CONTAINERD_METADATA)
        return {status.ref.partition("-")[2]: status.offset for status in answer.statuses}

    def has(self, digest: str) -> bool:
        """Tell whether the whole blob is there."""
        return self._info(digest) is not None

    def parent_updated_at(self, digest: str) -> float | None:
        """
        Return when a blob that names others (a manifest or an index) was last labelled, in seconds since the epoch.

        Each pull labels what it walks through anew. None for other blobs, and for a manifest not yet walked through.
        """
        info = self._info(digest)
        if info is None or not any(label.startswith(_CHILDREN_LABEL) for label in info.labels):
            return None
        return info.updated_at.ToNanoseconds() / 1e9

    def document(self, digest: str) -> bytes:
        """Read a small blob: a manifest, an index or a config."""
        request = content_pb2.ReadContentRequest(digest=digest)
        data = bytearray()
        with called():
            for part in self._content.Read(request, timeout=UNARY_TIMEOUT_SECONDS, metadata=CONTAINERD_METADATA):
                data += part.data
                if len(data) > DOCUMENT_BYTES:
                    raise CriError(f"{digest}: more than {DOCUMENT_BYTES} bytes, which no manifest has")
        return bytes(data)

    def is_unpacked(self, chain_id: str, *, snapshotter: str) -> bool:
        """Tell whether a layer lies unpacked in the snapshotter."""
        request = snapshots_pb2.StatSnapshotRequest(snapshotter=snapshotter, key=chain_id)
        with suppress(Absent), called():
            self._snapshots.Stat(request, timeout=UNARY_TIMEOUT_SECONDS, metadata=CONTAINERD_METADATA)
            return True
        return False

    def _info(self, digest: str) -> content_pb2.Info | None:
        request = content_pb2.InfoRequest(digest=digest)
        with suppress(Absent), called():
            return self._content.Info(request, timeout=UNARY_TIMEOUT_SECONDS, metadata=CONTAINERD_METADATA).info
        return None
