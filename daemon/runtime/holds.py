"""
Holds: containerd leases that keep what a pull has fetched, over failed attempts and over our own restart.

Without one, a cancelled or failed pull loses partial and finished layers within a second, since they belonged to the
pull's own lease. A pull that is started *inside* a lease (gRPC metadata `containerd-lease`, see downloads.py) puts each
blob, open ingest and unpacked snapshot into it by itself, the moment it exists. Tried on containerd 1.6.20 and 2.3.7.

When to let go is the caller's to say; what nobody releases ends by itself after a day (containerd.io/gc.expire).
A hold names its process: what a living one holds is left alone, what a dead one held is taken over or let go.
"""

import uuid
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import grpc
import msgspec

from daemon.clock import Clock
from daemon.runtime.calls import CONTAINERD_METADATA, UNARY_TIMEOUT_SECONDS, called
from daemon.runtime.errors import Absent
from daemon.runtime.interface import Hold
from daemon.runtime.process import is_running, own_process
from daemon.runtime.wire import leases_pb2, leases_pb2_grpc


ROLE_LABEL = "prewarm.internal/role"
IMAGE_LABEL = "prewarm.internal/image"
PROCESS_LABEL = "prewarm.internal/process"
SOLE_ROLE = "agent"
EXPIRE_LABEL = "containerd.io/gc.expire"
LIFETIME = timedelta(hours=24)
# A lease cannot be updated, so one with less than this before it gets a successor. No pull lasts that long.
RENEW_BELOW = timedelta(hours=18)
# A synchronous delete answers after a garbage collection, which takes seconds on a node with much content.
RELEASE_TIMEOUT_SECONDS = 30.0


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """What a lease keeps: blobs by digest, open ingests by their refs, unpacked layers by their chain IDs."""

    blobs: frozenset[str] = frozenset()
    ingests: frozenset[str] = frozenset()
    snapshots: frozenset[str] = frozenset()


class Holds:
    """The holds of one containerd; thread-safe. Every method raises CriError where the runtime fails it."""

    def __init__(self, channel: grpc.Channel, *, clock: Clock) -> None:
        self._leases = leases_pb2_grpc.LeasesStub(channel)
        self._clock = clock
        self._process = own_process()

    def open(self, image: str, *, role: str) -> Hold:
        """Return the image's hold: the one there is, or a new one that takes over what older ones keep."""
        found = [lease for lease in self._of_role(role) if lease.labels.get(IMAGE_LABEL) == image]
        if len(found) == 1 and self._is_own(found[0]) and self._remaining(found[0]) >= RENEW_BELOW:
            return self._hold(found[0])
        hold = self._create(image, role=role)
        for lease in found:
            self._take_over(lease.id, into=hold.lease_id)
            self._delete(lease.id, sync=False)
        return msgspec.structs.replace(hold, is_new=not found)

    def of_role(self, role: str) -> tuple[Hold, ...]:
        """List the holds of a role: this process's own, and those of processes that are gone."""
        return tuple(self._hold(lease) for lease in self._of_role(role))

    def release(self, image: str, *, role: str, is_awaited: bool = True) -> None:
        """Delete the image's holds, and wait until the runtime has dropped what nothing else keeps; absent is fine."""
        for hold in self.of_role(role):
            if hold.image == image:
                self._delete(hold.lease_id, sync=is_awaited)

    def kept(self, lease_id: str) -> Held:
        """Tell what a lease keeps now."""
        resources = self._resources(lease_id)
        return Held(
            blobs=_ids(resources, kind="content"),
            ingests=_ids(resources, kind="ingests"),
            snapshots=_ids(resources, kind="snapshots/"),
        )

    def _of_role(self, role: str) -> tuple[leases_pb2.Lease, ...]:
        request = leases_pb2.ListRequest(filters=[f'labels."{ROLE_LABEL}"=={role}'])
        with called():
            answer = self._leases.List(request, timeout=UNARY_TIMEOUT_SECONDS, metadata=CONTAINERD_METADATA)
        return tuple(lease for lease in answer.leases if self._is_own(lease) or not _is_in_use(lease, role=role))

    def _is_own(self, lease: leases_pb2.Lease) -> bool:
        return lease.labels.get(PROCESS_LABEL) == self._process

    def _hold(self, lease: leases_pb2.Lease) -> Hold:
        labels = lease.labels
        return Hold(
            image=labels.get(IMAGE_LABEL, ""),
            role=labels.get(ROLE_LABEL, ""),
            lease_id=lease.id,
            is_own=self._is_own(lease),
        )

    def _remaining(self, lease: leases_pb2.Lease) -> timedelta:
        try:
            expires = datetime.fromisoformat(lease.labels[EXPIRE_LABEL])
        except (KeyError, ValueError):
            return timedelta(0)
        return expires.astimezone(UTC) - self._clock.now().at

    def _create(self, image: str, *, role: str) -> Hold:
        expires = self._clock.now().at.astimezone(UTC) + LIFETIME
        labels = {ROLE_LABEL: role, IMAGE_LABEL: image, EXPIRE_LABEL: f"{expires:%Y-%m-%dT%H:%M:%SZ}"}
        labels[PROCESS_LABEL] = self._process
        request = leases_pb2.CreateRequest(id=f"prewarm-{role}-{uuid.uuid4()}", labels=labels)
        with called(image=image):
            answer = self._leases.Create(request, timeout=UNARY_TIMEOUT_SECONDS, metadata=CONTAINERD_METADATA)
        return self._hold(answer.lease)

    def _take_over(self, lease_id: str, *, into: str) -> None:
        for resource in self._resources(lease_id):
            request = leases_pb2.AddResourceRequest(id=into, resource=resource)
            with called():
                self._leases.AddResource(request, timeout=UNARY_TIMEOUT_SECONDS, metadata=CONTAINERD_METADATA)

    def _resources(self, lease_id: str) -> tuple[leases_pb2.Resource, ...]:
        request = leases_pb2.ListResourcesRequest(id=lease_id)
        with called():
            answer = self._leases.ListResources(request, timeout=UNARY_TIMEOUT_SECONDS, metadata=CONTAINERD_METADATA)
        return tuple(answer.resources)

    def _delete(self, lease_id: str, *, sync: bool) -> None:
        request = leases_pb2.DeleteRequest(id=lease_id, sync=sync)
        with suppress(Absent), called():
            self._leases.Delete(request, timeout=RELEASE_TIMEOUT_SECONDS, metadata=CONTAINERD_METADATA)


def _is_in_use(lease: leases_pb2.Lease, *, role: str) -> bool:
    """
    Tell whether another process may still pull inside a lease.

    Of a process in another container it can't be known. An agent is alone on its node and each of its Pods has a
    namespace of its own, so the one before is gone; a run is left alone, and what it held ends within a day.
    """
    is_alive = is_running(lease.labels.get(PROCESS_LABEL, ""))
    return role != SOLE_ROLE if is_alive is None else is_alive


def _ids(resources: Iterable[leases_pb2.Resource], *, kind: str) -> frozenset[str]:
    return frozenset(resource.id for resource in resources if resource.type.startswith(kind))
