"""
A Node on a real API server as a test makes it, with no kubelet: by an administrator's plain requests.

The API server's admission (TaintNodesByCondition) gives every new Node the taint node.kubernetes.io/not-ready, which a
cluster's node controller takes off again when the Node is Ready. None runs here, so `create` and `turn_ready` do that.
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Final

from tests.servers.apiserver import ApiServer
from tests.servers.objects import DEADLINE_SECONDS, Json, ObjectOnServer


NOT_READY: Final = "node.kubernetes.io/not-ready"
GATE: Final = "startup-taint.cluster-autoscaler.kubernetes.io/prewarm"


def taint(key: str, *, effect: str = "NoSchedule", value: str = "") -> Json:
    """Return a taint; without a value it has none, as kubectl leaves it."""
    return {"key": key, "effect": effect, **({"value": value} if value else {})}


class NodeOnServer:
    """One Node; nothing is there before `create`."""

    def __init__(self, apiserver: ApiServer, name: str) -> None:
        self.name = name
        self._object = ObjectOnServer(apiserver, "/api/v1/nodes", name)

    def create(
        self, *, labels: Mapping[str, str] | None = None, taints: Sequence[Json] = (), is_ready: bool = True
    ) -> Json:
        """Create it with these labels and taints, Ready from the first moment or not, as a kubelet registers itself."""
        body = {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {"labels": {"kubernetes.io/os": "linux", **(labels or {})}},
            "spec": {"taints": list(taints)},
            "status": {"conditions": [_ready("True" if is_ready else "False")]},
        }
        made = self._object.create(body)
        if is_ready:
            made = self.untaint(NOT_READY)
        return made

    def turn_ready(self) -> None:
        """Say that it is Ready."""
        self._turn("True")
        self.untaint(NOT_READY)

    def turn_unready(self, *, status: str = "False") -> None:
        """Say that it is not; a node that was lost is "Unknown"."""
        self._turn(status)

    def label(self, labels: Mapping[str, str | None]) -> None:
        """Set labels; None takes one off."""
        self._object.patch({"metadata": {"labels": dict(labels)}})

    def taint(self, key: str, *, effect: str = "NoSchedule", value: str = "") -> None:
        """Put a taint on it."""
        self._set_taints([*self.taints(), taint(key, effect=effect, value=value)])

    def untaint(self, key: str) -> Json:
        """Take every taint with this key off it, whatever its effect."""
        return self._set_taints([found for found in self.taints() if found["key"] != key])

    def taints(self) -> list[Json]:
        """Return its taints."""
        found: list[Json] = self.read()["spec"].get("taints", [])
        return found

    def has_taint(self, key: str) -> bool:
        """Tell whether it has a taint with this key."""
        return any(found["key"] == key for found in self.taints())

    def until_untainted(self, key: str, *, timeout_seconds: float = DEADLINE_SECONDS) -> Json:
        """Return the Node once no taint has this key."""
        return self._object.until(
            lambda node: all(found["key"] != key for found in node["spec"].get("taints", [])),
            what=f"{self.name} is without {key}",
            timeout_seconds=timeout_seconds,
        )

    def finalize(self, *finalizers: str) -> None:
        """Set its finalizers; while it has one, a deletion leaves it there with a deletionTimestamp."""
        self._object.patch({"metadata": {"finalizers": list(finalizers)}})

    def read(self) -> Json:
        """Read it."""
        return self._object.read()

    @property
    def uid(self) -> str:
        """Which one of its name it is."""
        found: str = self.read()["metadata"]["uid"]
        return found

    def delete(self) -> None:
        """Delete it; it may be gone already."""
        self._object.delete()

    def _turn(self, status: str) -> None:
        self._object.patch({"status": {"conditions": [_ready(status)]}}, subresource="status")

    def _set_taints(self, taints: list[Json]) -> Json:
        return self._object.patch({"spec": {"taints": taints or None}})


def _ready(status: str) -> Json:
    now = f"{dt.datetime.now(tz=dt.UTC):%Y-%m-%dT%H:%M:%SZ}"
    times = {"lastHeartbeatTime": now, "lastTransitionTime": now}
    return {"type": "Ready", "status": status, "reason": "Test", "message": "said by a test", **times}
