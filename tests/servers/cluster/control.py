"""
The control plane of a cluster with nodes: etcd, kube-apiserver, kube-controller-manager and kube-scheduler.

They run in a machine of their own, which is the nodes' switch as well. From outside the API server is reached through
a port on loopback. No kube-proxy runs: the address of the `kubernetes` Service is one of this machine's own.
"""

import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import trustme

from tests.servers import binaries
from tests.servers.apiserver_access import Access, Requests, write_kubeconfig
from tests.servers.apiserver_process import SERVER_NAMES, certified, is_ready, usual_flags, write_certificate
from tests.servers.cluster.cgroups import Cgroups
from tests.servers.cluster.machine import Machine
from tests.servers.etcd import Etcd
from tests.servers.network import CONNECT_SECONDS, Network
from tests.servers.processes import Process, ServerFailed


ADDRESS: Final = "10.99.0.10"
SERVICE: Final = "10.0.0.1"
SERVICES: Final = "10.0.0.0/24"
BRIDGE: Final = "br0"
PORT: Final = 443
START_SECONDS: Final = 60.0
# What nobody here has a use for, and what would ask for more than there is.
_CONTROLLERS_OFF: Final = ("bootstrap-signer-controller", "token-cleaner-controller", "node-ipam-controller")


class ControlPlaneWithNodes:
    """What runs an ApiServer (see apiserver_interface.Server), with the controllers and the switch that nodes need."""

    has_ipv6 = False

    def __init__(self, folder: Path, *, flags: Sequence[str] = ()) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.machine = Machine("control", folder / "control")
        self.cgroups = Cgroups()
        self._programs = binaries.kubernetes()
        self._node_programs = binaries.node()
        self._flags = flags
        self._etcd = Etcd(self._programs.etcd, folder)
        self._way = Network(self._reach)
        self._way.accept()
        names = (*SERVER_NAMES, ADDRESS, SERVICE)
        self.access = certified(folder, url=f"https://127.0.0.1:{self._way.port}", names=names)
        self.kubeconfig = write_kubeconfig(folder / "kubeconfig", self.access)
        self._requests = Requests(self.access)
        self._apiserver: Process | None = None
        self._controllers: dict[str, Process] = {}

    @property
    def kubectl(self) -> Path:
        """The client that goes with it."""
        return self._programs.kubectl

    def open(self) -> None:
        """Switch the machine on with its network, and start everything."""
        self.machine.start()
        for command in (
            f"ip link add name {BRIDGE} type bridge",
            f"ip addr add {ADDRESS}/24 dev {BRIDGE}",
            f"ip link set {BRIDGE} up",
            f"ip addr add {SERVICE}/32 dev lo",
            # From a node's Pods to another's.
            "sysctl -qw net.ipv4.ip_forward=1",
        ):
            self.machine.run(*command.split())
        self._etcd.start()
        self._apiserver = self.machine.process(self._apiserver_command(), log=self.folder / "kube-apiserver.log")
        self.start()
        self._start_controllers()

    def close(self) -> None:
        """End everything and remove etcd's data."""
        self._requests.close()
        self.machine.stop()
        self._way.refuse()
        self._etcd.remove()
        self.cgroups.remove()

    def start(self) -> None:
        """Start the API server alone."""
        self._process.start(self._is_ready, timeout_seconds=START_SECONDS)

    def stop(self) -> None:
        """Stop the API server alone."""
        self._process.stop()

    def kill(self) -> None:
        """Kill the API server alone."""
        self._process.kill()

    def freeze(self) -> None:
        """Make the API server hang."""
        self._process.freeze()

    def thaw(self) -> None:
        """Let it go on."""
        self._process.thaw()

    def compact(self) -> None:
        """Forget old revisions."""
        self._etcd.compact()

    def kubeconfig_of(self, name: str, *, user: str, group: str) -> Path:
        """Write the kubeconfig of a part of the cluster that asks as `user`, from within its network."""
        authority = trustme.CA.from_pem((self.folder / "ca.crt").read_bytes(), (self.folder / "ca.key").read_bytes())
        path = self.folder / name
        write_certificate(authority.issue_cert(f"{name}.test", common_name=user, organization_name=group), path)
        access = Access(
            url=f"https://{ADDRESS}:{PORT}",
            ca_file=self.access.ca_file,
            certificate=path.with_name(f"{name}.crt"),
            key=path.with_name(f"{name}.key"),
        )
        return write_kubeconfig(path.with_name(f"{name}.kubeconfig"), access)

    @property
    def _process(self) -> Process:
        assert self._apiserver is not None
        return self._apiserver

    def _reach(self) -> socket.socket:
        address = (ADDRESS, PORT)
        try:
            return self.machine.in_network(lambda: socket.create_connection(address, timeout=CONNECT_SECONDS))
        except ServerFailed as error:
            raise ConnectionRefusedError("the control plane's machine is not up") from error

    def _is_ready(self) -> bool:
        return is_ready(self._requests)

    def _apiserver_command(self) -> Sequence[str | Path]:
        return (
            *("env", "GOGC=400", self._programs.kube_apiserver),
            *usual_flags(self.folder, etcd_url=self._etcd.url),
            f"--secure-port={PORT}",
            f"--advertise-address={ADDRESS}",
            f"--kubelet-client-certificate={self.folder / 'admin.crt'}",
            f"--kubelet-client-key={self.folder / 'admin.key'}",
            "--kubelet-preferred-address-types=InternalIP",
            *self._flags,
        )

    def _start_controllers(self) -> None:
        config = self.kubeconfig_of("controllers", user="controllers", group="system:masters")
        usual = (f"--kubeconfig={config}", "--leader-elect=false", "--authentication-skip-lookup=true")
        off = ",".join(f"-{name}" for name in _CONTROLLERS_OFF)
        commands: dict[str, tuple[str | Path, ...]] = {
            "kube-controller-manager": (
                self._node_programs.kube_controller_manager,
                *usual,
                "--use-service-account-credentials=false",
                f"--service-account-private-key-file={self.folder / 'accounts.key'}",
                f"--root-ca-file={self.folder / 'ca.crt'}",
                f"--controllers=*,{off}",
                # A node that is gone is noticed soon, and one on a machine that is busy with tests is not gone.
                "--node-monitor-period=2s",
                "--node-monitor-grace-period=30s",
            ),
            "kube-scheduler": (self._node_programs.kube_scheduler, *usual),
        }
        for name, command in commands.items():
            process = self.machine.process(command, log=self.folder / f"{name}.log")
            process.start(lambda: True)
            self._controllers[name] = process
