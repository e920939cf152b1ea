"""A node with a small disk that fills up, so that its kubelet takes images and evicts Pods as a real one does."""

import os
from collections.abc import Mapping
from typing import Final

from tests.servers import cri
from tests.servers.apiserver_access import ApiFailed
from tests.servers.cluster.cluster import LabCluster
from tests.servers.objects import DEADLINE_SECONDS
from tests.servers.processes import until


DISK_BYTES: Final = 1 << 30
# Only what tolerates everything, and what asks for it by name, comes here.
TAINT: Final = "lab/crowded"
# What a kubelet does by itself but for the waits: DiskPressure would stand for five minutes, and an image be safe for
# two. It has to count what Pods write, without which it measures no disk.
KUBELET: Final[Mapping[str, object]] = {
    "evictionPressureTransitionPeriod": "1s",
    "imageMinimumGCAge": "1ms",
    "localStorageCapacityIsolation": True,
}


class Crowded:
    """The node `name`, of which the disk can be filled."""

    def __init__(self, cluster: LabCluster, name: str) -> None:
        self.name = name
        self._cluster = cluster
        self._node = cluster.join(name, kubelet=KUBELET, disk_bytes=DISK_BYTES, taints=(f"{TAINT}=yes:NoSchedule",))
        self._filler = self._node.disk / "filler"
        cluster.until_ready(name)

    def fill(self, *, free_share: float) -> None:
        """Leave so much free."""
        disk = os.statvfs(self._node.machine.path(self._node.disk))
        take_bytes = disk.f_frsize * (disk.f_bavail - int(free_share * disk.f_blocks))
        self._node.machine.run("fallocate", "--length", str(take_bytes), self._filler)

    def empty(self) -> None:
        """Take back what filled it."""
        self._node.machine.run("rm", "--force", self._filler)

    def has(self, reference: str) -> bool:
        """Tell whether an image lies there."""
        return reference in self._node.ctr.images()

    def remove(self, reference: str) -> None:
        """Take an image away, as the kubelet would."""
        cri.remove(self._node.endpoint, reference, timeout_seconds=DEADLINE_SECONDS)

    def let_kubelet_look(self) -> None:
        """
        Have the kubelet know every image that lies there.

        It looks at its start and each five minutes, and takes no image that it has not seen before. When this returns
        it has its Pods again: one with a full disk would let none begin.
        """
        self._node.kill_kubelet()
        self._node.start_kubelet()
        until(self._has_pods, what=f"the kubelet of {self.name} has Pods", timeout_seconds=DEADLINE_SECONDS)

    def _has_pods(self) -> bool:
        try:
            found = self._cluster.apiserver.request("GET", f"/api/v1/nodes/{self.name}/proxy/pods")
        except ApiFailed:
            return False
        return bool(found["items"])
