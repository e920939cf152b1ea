"""
One node of a cluster: a machine with a disk of its own, a containerd and a kubelet.

What the two are told is settings.py's to know.
"""

import shlex
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from tests.servers import binaries, cri
from tests.servers.binaries import ContainerdBinaries
from tests.servers.cluster import settings
from tests.servers.cluster.control import ADDRESS, BRIDGE, SERVICES, ControlPlaneWithNodes
from tests.servers.cluster.machine import Machine, kill
from tests.servers.containerd import Hosts
from tests.servers.ctr import Ctr
from tests.servers.processes import Process


GIB: Final = 1 << 30
START_SECONDS: Final = 30.0


class Node:
    """
    A machine that becomes a node of `control`'s cluster when its kubelet starts.

    Args:
        name: the node's.
        control: the control plane, which is up.
        number: from 1, which its addresses are made of.
        folder: its own, with a short path.
        containerd: which one it has.
        hosts: where registry names are served.
        labels: the kubelet registers it with.
        taints: likewise, as `key=value:effect`.
        kubelet: settings of the kubelet that differ from ours.
        disk_bytes: the size of its disk.
    """

    def __init__(
        self,
        name: str,
        *,
        control: ControlPlaneWithNodes,
        number: int,
        folder: Path,
        containerd: ContainerdBinaries,
        hosts: Hosts,
        labels: Mapping[str, str] | None = None,
        taints: Sequence[str] = (),
        kubelet: Mapping[str, object] | None = None,
        disk_bytes: int = 8 * GIB,
    ) -> None:
        folder.mkdir(parents=True)
        self.name = name
        self.folder = folder
        self.address = settings.node_address(number)
        self.disk = folder / "disk"
        self.disk.mkdir()
        self.containerd_version = containerd.version
        disk = _filesystem(folder / "disk.ext4", disk_bytes)
        mounts = (shlex.join(["mount", "-o", "loop", str(disk), str(self.disk)]), *control.cgroups.mounts)
        self.machine = Machine(name, folder, cgroups=control.cgroups.enter, mounts=mounts)
        self._control = control
        self._number = number
        self._binaries = containerd
        self._hosts = hosts
        self._labels = dict(labels or {})
        self._taints = tuple(taints)
        self._kubelet_settings = dict(kubelet or {})
        self._containerd: Process | None = None
        self._kubelet: Process | None = None

    def start(self) -> None:
        """Switch it on, plug it in, and start what runs on it; it joins in its own time."""
        self.machine.start()
        self._plug_in()
        self._write_settings()
        programs = binaries.node()
        path = (self._binaries.containerd.parent, programs.runc.parent)
        self._containerd = self.machine.process(
            (self._binaries.containerd, "-c", self.folder / "containerd.toml"),
            log=self.folder / "containerd.log",
            path=path,
        )
        self._kubelet = self.machine.process(self._kubelet_command(), log=self.folder / "kubelet.log", path=path)
        self.start_containerd()
        self.start_kubelet()

    def stop(self) -> None:
        """Cut its power; its disk stays."""
        self.machine.stop()

    @property
    def endpoint(self) -> str:
        """Its runtime's socket, from outside."""
        return f"unix://{self._socket}"

    @property
    def ctr(self) -> Ctr:
        """Its containerd's own client."""
        return Ctr(self._binaries.ctr, self._socket)

    @property
    def containerd(self) -> Process:
        """Its containerd; Pods outlive it."""
        assert self._containerd is not None
        return self._containerd

    @property
    def kubelet(self) -> Process:
        """Its kubelet."""
        assert self._kubelet is not None
        return self._kubelet

    def start_containerd(self) -> None:
        """Start it, again on what it had, and return when CRI answers."""
        self.containerd.start(lambda: cri.answers(self.endpoint, timeout_seconds=1), timeout_seconds=START_SECONDS)

    def start_kubelet(self) -> None:
        """Start it; it registers the node by itself."""
        self.kubelet.start(lambda: True)

    def kill_containerd(self) -> None:
        """Kill it, as a crash would."""
        kill(self.containerd)

    def kill_kubelet(self) -> None:
        """Kill it, as a crash would."""
        kill(self.kubelet)

    def log(self, *, lines: int = 40) -> str:
        """Return the ends of both logs, for a person."""
        return "\n".join(process.tail(lines=lines) for process in (self.containerd, self.kubelet))

    @property
    def _socket(self) -> Path:
        return self.machine.path("/run/containerd/containerd.sock")

    def _plug_in(self) -> None:
        control = self._control.machine
        plug = f"node{self._number}"
        control.wire(plug, self.machine, end="eth0")
        control.run(*f"ip link set {plug} master {BRIDGE} up".split())
        control.run(*f"ip route add {settings.pod_network(self._number)} via {self.address}".split())
        for command in (
            f"ip addr add {self.address}/24 dev eth0",
            "ip link set eth0 up",
            f"ip route add {SERVICES} via {ADDRESS}",
            f"ip route add {settings.POD_NETWORKS} via {ADDRESS}",
            "sysctl -qw net.ipv4.ip_forward=1",
        ):
            self.machine.run(*command.split())

    def _write_settings(self) -> None:
        (self.folder / "containerd.toml").write_text(
            settings.containerd(self.folder, disk=self.disk, hosts=self._hosts.folder)
        )
        (self.folder / "cni").mkdir(exist_ok=True)
        (self.folder / "cni/10-lab.conflist").write_text(settings.network(self._number, data=self.disk / "ipam"))
        (self.folder / "kubelet.yaml").write_text(
            settings.kubelet(
                address=self.address,
                folder=self.folder,
                ca_file=self._control.access.ca_file,
                taints=self._taints,
                changes=self._kubelet_settings,
            )
        )

    def _kubelet_command(self) -> Sequence[str | Path]:
        user = f"system:node:{self.name}"
        kubeconfig = self._control.kubeconfig_of(f"kubelet-{self.name}", user=user, group="system:nodes")
        labels = ",".join(f"{key}={value}" for key, value in self._labels.items())
        return (
            binaries.node().kubelet,
            f"--config={self.folder / 'kubelet.yaml'}",
            f"--kubeconfig={kubeconfig}",
            f"--hostname-override={self.name}",
            f"--node-ip={self.address}",
            f"--root-dir={self.disk / 'kubelet'}",
            *((f"--node-labels={labels}",) if labels else ()),
        )


def _filesystem(file: Path, size_bytes: int) -> Path:
    with file.open("wb") as disk:
        disk.truncate(size_bytes)
    command = ["mkfs.ext4", "-q", "-F", "-m", "0", "-E", "lazy_itable_init=1,lazy_journal_init=1", str(file)]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    return file
