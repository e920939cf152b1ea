"""
Every lease of ours on a containerd, of whatever role and process, for whoever takes Prewarm off the node.

A living agent keeps its holds by holds.py, which knows whose are whose; here all of them go. What a lease keeps is
measured before and after: an image may need the same layers, so what is kept is not what goes.
"""

from collections.abc import Iterable
from contextlib import suppress
from types import TracebackType
from typing import Self

from daemon.runtime.calls import CONTAINERD_METADATA, UNARY_TIMEOUT_SECONDS, called
from daemon.runtime.channel import open_channel
from daemon.runtime.errors import Absent
from daemon.runtime.holds import EXPIRE_LABEL, IMAGE_LABEL, RELEASE_TIMEOUT_SECONDS, ROLE_LABEL
from daemon.runtime.leftovers import CONTENT, INGESTS, SNAPSHOTS, Kept, Leftover
from daemon.runtime.wire import (
    content_pb2,
    content_pb2_grpc,
    leases_pb2,
    leases_pb2_grpc,
    snapshots_pb2,
    snapshots_pb2_grpc,
)


class Leases:
    """
    See leftovers.Leftovers. Every method raises CriError where the runtime fails it.

    Args:
        endpoint: its socket.
    """

    def __init__(self, endpoint: str) -> None:
        self._channel = open_channel(endpoint)
        self._leases = leases_pb2_grpc.LeasesStub(self._channel)
        self._content = content_pb2_grpc.ContentStub(self._channel)
        self._snapshots = snapshots_pb2_grpc.SnapshotsStub(self._channel)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._channel.close()

    def found(self) -> tuple[Leftover, ...]:
        """List all of them, by image."""
        request = leases_pb2.ListRequest(filters=[f'labels."{ROLE_LABEL}"'])
        with called():
            answer = self._leases.List(request, timeout=UNARY_TIMEOUT_SECONDS, metadata=CONTAINERD_METADATA)
        leases = (self._leftover(lease) for lease in answer.leases)
        return tuple(sorted(leases, key=lambda lease: (lease.image, lease.lease_id)))

    def sizes(self, kept: Iterable[Kept]) -> dict[Kept, int]:
        """Measure what is there of these, in bytes on disk; what is gone is left out."""
        ingests = self._ingests()
        found = {one: ingests.get(one.id) if one.kind == INGESTS else self._size(one) for one in kept}
        return {one: size for one, size in found.items() if size is not None}

    def remove(self, lease_id: str, *, is_awaited: bool) -> None:
        """Delete a lease; absent is fine. Awaited, it returns when what nothing else keeps is gone."""
        request = leases_pb2.DeleteRequest(id=lease_id, sync=is_awaited)
        with suppress(Absent), called():
            self._leases.Delete(request, timeout=RELEASE_TIMEOUT_SECONDS, metadata=CONTAINERD_METADATA)

    def _leftover(self, lease: leases_pb2.Lease) -> Leftover:
        return Leftover(
            lease_id=lease.id,
            role=lease.labels.get(ROLE_LABEL, ""),
            image=lease.labels.get(IMAGE_LABEL, ""),
            expires=lease.labels.get(EXPIRE_LABEL, ""),
            kept=self._kept(lease.id),
        )

    def _kept(self, lease_id: str) -> frozenset[Kept]:
        """List what a lease keeps; one that has just ended keeps nothing."""
        request = leases_pb2.ListResourcesRequest(id=lease_id)
        with suppress(Absent), called():
            answer = self._leases.ListResources(request, timeout=UNARY_TIMEOUT_SECONDS, metadata=CONTAINERD_METADATA)
            return frozenset(Kept(resource.type, resource.id) for resource in answer.resources)
        return frozenset()

    def _ingests(self) -> dict[str, int]:
        request = content_pb2.ListStatusesRequest()
        with called():
            answer = self._content.ListStatuses(request, timeout=UNARY_TIMEOUT_SECONDS, metadata=CONTAINERD_METADATA)
        return {status.ref: status.offset for status in answer.statuses}

    def _size(self, one: Kept) -> int | None:
        with suppress(Absent), called():
            return self._blob_size(one.id) if one.kind == CONTENT else self._layer_size(one)
        return None

    def _blob_size(self, digest: str) -> int:
        request = content_pb2.InfoRequest(digest=digest)
        return self._content.Info(request, timeout=UNARY_TIMEOUT_SECONDS, metadata=CONTAINERD_METADATA).info.size

    def _layer_size(self, one: Kept) -> int:
        request = snapshots_pb2.UsageRequest(snapshotter=one.kind.removeprefix(SNAPSHOTS), key=one.id)
        return self._snapshots.Usage(request, timeout=UNARY_TIMEOUT_SECONDS, metadata=CONTAINERD_METADATA).size
