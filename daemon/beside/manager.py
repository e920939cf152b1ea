"""
Whether OpenKruise's manager leads: by the renewal of its Lease, not by the Lease, which outlives it.

A record is judged by when it was seen to change, on our clock, as an election judges it (cluster/tenure.py).
"""

from enum import StrEnum
from typing import Final

import msgspec

from daemon.clock import Clock
from daemon.cluster.errors import Denied, NotFound, ServerFailed
from daemon.cluster.interface import RawApi
from daemon.cluster.metadata import UNREADABLE
from daemon.cluster.tenure import LeaseTiming, Observed, Record, observe


NAMESPACE: Final = "kruise-system"
NAME: Final = "kruise-manager"
LEASE: Final = f"{NAMESPACE}/{NAME}"

MOST_SECONDS: Final = 60.0
"""However long a holder promises to hold it, one that is alive renews each few seconds."""

_PATH: Final = f"/apis/coordination.k8s.io/v1/namespaces/{NAMESPACE}/leases/{NAME}"


class Renewal(StrEnum):
    """What a Lease was seen to do."""

    # There is none, or nobody holds it.
    NOBODY = "nobody"
    # Somebody held it once; whether they still renew it has not shown yet.
    UNDECIDED = "undecided"
    RENEWED = "renewed"
    # Its holder has not renewed it for as long as they promised.
    SILENT = "silent"
    # We may not read it.
    HIDDEN = "hidden"


class Manager(msgspec.Struct, frozen=True, kw_only=True):
    """
    What was seen of OpenKruise's manager.

    Attributes:
        renewal: of its Lease.
        holder: whom the Lease names; "" for nobody, and where it is hidden.
        left_seconds: until it is decided whether the Lease is renewed, where it is not.
        words: of the API server, where the Lease is hidden.
    """

    renewal: Renewal
    holder: str = ""
    left_seconds: float = 0.0
    words: str = ""


class _Lease(msgspec.Struct, frozen=True):
    spec: Record = Record()


class ManagerWatch:
    """
    Looks at the Lease again and again, and knows by the changes whether it is renewed. For one thread.

    Args:
        api: where the Lease is; the right to get it is needed.
        clock: the time.
        path: of the Lease, where it is not OpenKruise's.
    """

    def __init__(self, api: RawApi, *, clock: Clock, path: str = _PATH) -> None:
        self._api = api
        self._path = path
        self._clock = clock
        self._observed: Observed | None = None
        # Whether it was seen to be written since the first look; a Lease that comes to be was.
        self._has_changed = False

    def look(self, *, timeout_seconds: float) -> Manager:
        """
        Read the Lease once, and tell what is known by now.

        Raises:
            ClusterError: it could not be read; that it is not there, or that we may not, is none.
        """
        try:
            record = self._read(timeout_seconds)
        except Denied as error:
            return Manager(renewal=Renewal.HIDDEN, words=error.message)
        if not record.holder:
            self._observed, self._has_changed = None, True
            return Manager(renewal=Renewal.NOBODY)
        return self._judged(record)

    def _read(self, timeout_seconds: float) -> Record:
        try:
            answer = self._api.fetch(self._path, timeout_seconds=timeout_seconds)
        except NotFound:
            return Record()
        try:
            return msgspec.json.decode(answer, type=_Lease).spec
        except UNREADABLE:
            problem = f"{self._path}: the server sent a Lease that can't be read"
        raise ServerFailed(problem)

    def _judged(self, record: Record) -> Manager:
        now_seconds = self._clock.now().seconds
        before, self._observed = self._observed, observe(self._observed, record, now_seconds=now_seconds)
        self._has_changed = self._has_changed or (before is not None and before is not self._observed)
        promised_seconds = min(record.lease_duration_seconds or LeaseTiming().duration_seconds, MOST_SECONDS)
        left_seconds = self._observed.since_seconds + promised_seconds - now_seconds
        if left_seconds <= 0:
            self._has_changed = False
            return Manager(renewal=Renewal.SILENT, holder=record.holder)
        if self._has_changed:
            return Manager(renewal=Renewal.RENEWED, holder=record.holder)
        return Manager(renewal=Renewal.UNDECIDED, holder=record.holder, left_seconds=left_seconds)
