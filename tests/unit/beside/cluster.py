"""A cluster in memory: OpenKruise's Lease, and what becomes of a job that is tried. Whatever is asked is noted."""

from collections.abc import Mapping
from typing import Final

import msgspec

from daemon.cluster.errors import ClusterError, NotFound
from daemon.cluster.interface import Write


LEASE: Final = "/apis/coordination.k8s.io/v1/namespaces/kruise-system/leases/kruise-manager"
HOLDER: Final = "kruise-controller-manager-0"
GATE_OFF: Final = (
    'create /x: HTTP 403: admission webhook "vimagepulljob.kb.io" denied the request: '
    "feature-gate ImagePullJobGate is not enabled"
)
UNANSWERED: Final = (
    'create /x: HTTP 500: Internal error occurred: failed calling webhook "mimagepulljob.kb.io": failed to call '
    'webhook: Post "https://kruise-webhook-service.kruise-system.svc:443/mutate": service "kruise-webhook-service" '
    "not found"
)


class Cluster:
    """`lease` is the Lease's spec or None; `job` what is answered to a job, or the error of it."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.lease: dict[str, object] | None = None
        self.job: Mapping[str, object] | ClusterError = {}
        self.lease_error: ClusterError | None = None
        self.unserved: frozenset[str] = frozenset()
        self.sent: list[Write] = []

    def renew(self, number: int, *, holder: str = HOLDER, seconds: int = 15) -> None:
        """Have the Lease written, as its holder does each two seconds."""
        self.lease = {"holderIdentity": holder, "leaseDurationSeconds": seconds, "renewTime": f"t{number}"}

    def fetch(self, path: str, *, query: Mapping[str, str] | None = None, timeout_seconds: float) -> bytes:
        """Answer the Lease."""
        del query, timeout_seconds
        assert path == LEASE
        self.asked.append("lease")
        if self.lease_error is not None:
            raise self.lease_error
        if self.lease is None:
            raise NotFound("no lease", code=404)
        return msgspec.json.encode({"metadata": {"name": "kruise-manager"}, "spec": self.lease})

    def send(self, write: Write, *, timeout_seconds: float) -> bytes:
        """Answer a job that is tried."""
        del timeout_seconds
        self.asked.append("job")
        self.sent.append(write)
        if write.path.split("/")[3] in self.unserved:
            raise NotFound("HTTP 404: no words from the server", code=404)
        if isinstance(self.job, ClusterError):
            raise self.job
        return msgspec.json.encode({**msgspec.json.decode(write.body), **self.job})
