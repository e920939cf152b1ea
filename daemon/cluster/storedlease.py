"""
One coordination.k8s.io Lease on the API server: looked at, and written over only as it was last seen.

A write replaces the whole object with the resourceVersion that was read, so another writer's change since makes it a
conflict; labels and whatever else others put there stays. What a Lease means is tenure.py's.
"""

from collections.abc import Mapping

import msgspec

from daemon.clock import Clock
from daemon.cluster.errors import NotFound, ServerFailed
from daemon.cluster.interface import RawApi, Resource
from daemon.cluster.metadata import UNREADABLE
from daemon.cluster.tenure import Observed, Record, observe
from daemon.cluster.writes import creation, replacement


class StoredLease:
    """
    A Lease as it was last seen; one thread looks and writes, any may read `observed`.

    Args:
        api: where it is.
        namespace: its namespace.
        name: its name.
        clock: for when it was seen to change.
    """

    def __init__(self, api: RawApi, *, namespace: str, name: str, clock: Clock) -> None:
        # What it says and since when; kept where the Lease is gone, since its holder may not have noticed yet.
        self.observed: Observed | None = None
        self._api = api
        self._clock = clock
        self._collection = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"
        self._path = f"{self._collection}/{name}"
        self._absent: Resource = {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {"name": name, "namespace": namespace},
        }
        self._resource: Resource | None = None

    @property
    def holder(self) -> str:
        """Who was last seen to hold it; empty for nobody."""
        observed = self.observed
        return observed.record.holder if observed is not None else ""

    @property
    def spec(self) -> Mapping[str, object]:
        """All that it was last seen to say; empty where it is not there."""
        return _spec_of(self._resource or {})

    def look(self, *, timeout_seconds: float) -> None:
        """
        Read it.

        Raises:
            ClusterError: it could not be read; that it is not there is none.
        """
        try:
            answer = self._api.fetch(self._path, timeout_seconds=timeout_seconds)
        except NotFound:
            self._resource = None
            return
        self._note(answer)

    def write(self, spec: Mapping[str, object], *, timeout_seconds: float) -> None:
        """
        Have it say this, or create it so.

        Raises:
            Conflict: it is no longer as it was last seen.
            ClusterError: it could not be written, or may have been.
        """
        known = self._resource
        lease = {**(known or self._absent), "spec": spec}
        write = creation(self._collection, lease) if known is None else replacement(self._path, lease)
        self._note(self._api.send(write, timeout_seconds=timeout_seconds))

    def _note(self, answer: bytes) -> None:
        try:
            resource = msgspec.json.decode(answer, type=dict[str, object])
            record = msgspec.convert(_spec_of(resource), Record)
        except UNREADABLE:
            problem = f"{self._path}: the server sent a Lease that can't be read"
        else:
            self._resource = resource
            self.observed = observe(self.observed, record, now_seconds=self._clock.now().seconds)
            return
        raise ServerFailed(problem)


def _spec_of(resource: Resource) -> dict[str, object]:
    spec = resource.get("spec")
    return spec if isinstance(spec, dict) else {}
