"""
The Lease by which OpenKruise's manager leads, and how it is renewed: by controller-runtime's rules.

A manager that is told to end gives it back; one that dies leaves it, and there it stays for ever.
"""

import threading
from datetime import UTC, datetime
from types import TracebackType
from typing import Final, Self

from tests.servers.apiserver import ApiServer
from tests.servers.objects import ObjectOnServer


NAMESPACE: Final = "kruise-system"
NAME: Final = "kruise-manager"
_END_SECONDS: Final = 20.0


class ManagerLease:
    """
    The Lease on one API server; while it is entered it is renewed, and afterwards it is gone.

    Args:
        apiserver: which.
        holder: the Pod that leads.
        duration_seconds: what it promises.
        period_seconds: between two renewals.
    """

    def __init__(
        self,
        apiserver: ApiServer,
        *,
        holder: str = "kruise-controller-manager-6f7d_5c1e",
        duration_seconds: int = 15,
        period_seconds: float = 2.0,
    ) -> None:
        self.holder = holder
        self._duration_seconds = duration_seconds
        self._period_seconds = period_seconds
        self._apiserver = apiserver
        collection = f"/apis/coordination.k8s.io/v1/namespaces/{NAMESPACE}/leases"
        self._object = ObjectOnServer(apiserver, collection, NAME)
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.remove()

    def remove(self) -> None:
        """Renew it no more, and take it away. Twice is fine."""
        self.leave()
        self._object.delete()

    def start(self) -> None:
        """Take it, and renew it from now on."""
        self.renew()
        self._stopped.clear()
        self._thread = threading.Thread(target=self._run, name="kruise-lease", daemon=True)
        self._thread.start()

    def renew(self) -> None:
        """Take it, or renew it once."""
        spec = {
            "holderIdentity": self.holder,
            "leaseDurationSeconds": self._duration_seconds,
            "renewTime": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        }
        if self._object.find() is None:
            self._apiserver.account(NAMESPACE, NAME)
            self._object.create({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "spec": spec})
        else:
            self._object.patch({"spec": spec})

    def leave(self) -> None:
        """Renew it no more, and leave it as it is, as a manager that dies. Twice is fine."""
        self._stopped.set()
        if self._thread is not None:
            self._thread.join(_END_SECONDS)
            self._thread = None

    def release(self) -> None:
        """Renew it no more and give it back, as a manager that is told to end."""
        self.leave()
        self._object.patch({"spec": {"holderIdentity": "", "leaseDurationSeconds": 1}})

    def _run(self) -> None:
        while not self._stopped.wait(self._period_seconds):
            self.renew()
