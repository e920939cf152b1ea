"""
Where each server's program comes from: PATH where the right one is there, else the cache, filled by setup/.

Two containerds matter: the oldest that the system packages (1.6 on Debian 12, 1.7 on Ubuntu 24.04), and 2.x, built
from Go modules. Kubernetes' programs are built too; KUBEBUILDER_ASSETS names a folder with an API server of one's own.
Run as a program (`python -m tests.servers.binaries`), it brings all of them.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import msgspec

from tests.servers.jq import jq
from tests.servers.promtool import promtool
from tests.servers.setup import apt, go
from tests.servers.setup.commands import CommandFailed, announce


MODULE = Path(__file__).parent / "containerd2"
SHIM = "containerd-shim-runc-v2"
COMMANDS = tuple(f"github.com/containerd/containerd/v2/cmd/{name}" for name in ("containerd", SHIM, "ctr"))

KUBERNETES = Path(__file__).parent / "kubernetes"
CONTROLLERS = "kube-controller-manager"
SCHEDULER = "kube-scheduler"
KUBERNETES_COMMANDS = tuple(
    f"k8s.io/kubernetes/cmd/{name}" for name in ("kube-apiserver", CONTROLLERS, SCHEDULER, "kubectl", "kubelet")
)
ASSETS = "KUBEBUILDER_ASSETS"

OLDEST = "1.6"
NEWEST = "2.x"


class ContainerdBinaries(msgspec.Struct, frozen=True, kw_only=True):
    """containerd and its own client, of one `version` such as 1.6.20."""

    version: str
    containerd: Path
    ctr: Path

    @property
    def series(self) -> str:
        """The first two numbers of the version, such as 1.6."""
        return ".".join(self.version.split(".")[:2])


class KubernetesBinaries(msgspec.Struct, frozen=True, kw_only=True):
    """What one API server is made of, and the field's client."""

    etcd: Path
    kube_apiserver: Path
    kubectl: Path

    @property
    def version(self) -> str:
        """The API server's version, such as 1.34.4."""
        return _version(self.kube_apiserver)


class NodeBinaries(msgspec.Struct, frozen=True, kw_only=True):
    """What makes a cluster of an API server, and a machine with a containerd a node."""

    kube_controller_manager: Path
    kube_scheduler: Path
    kubelet: Path
    runc: Path
    cni: Path


def containerd(name: str = OLDEST) -> ContainerdBinaries:
    """
    Return containerd by its name here, OLDEST or NEWEST, bringing it first where it is absent.

    OLDEST is the oldest that this system packages, so `version` and `series` of what comes back tell what it is.
    """
    present = _on_path(name)
    if present is not None:
        return present
    if name == OLDEST:
        return _inspected(apt.unpacked("containerd") / "usr/bin")
    return _inspected(go.built(MODULE, COMMANDS, how_long="one to three minutes"))


def label(name: str) -> str:
    """Name a containerd for a test's id by the series that it really is (1.7 on Ubuntu 24.04); brings nothing."""
    if name == OLDEST and (_on_path(name) or apt.is_unpacked("containerd")):
        return containerd(name).series
    return name


def registry() -> Path:
    """Return docker-registry, bringing it first where it is absent."""
    found = shutil.which("docker-registry")
    return Path(found) if found else apt.unpacked("docker-registry") / "usr/bin/docker-registry"


def kubernetes() -> KubernetesBinaries:
    """
    Return etcd, kube-apiserver and kubectl, bringing them first where they are absent.

    Raises:
        FileNotFoundError: KUBEBUILDER_ASSETS is set and lacks one of them.
        CommandFailed: one could not be downloaded or built.
    """
    assets = os.environ.get(ASSETS)
    if assets:
        return _assets(Path(assets).absolute())
    built = _kubernetes_built()
    return KubernetesBinaries(etcd=_etcd(), kube_apiserver=built / "kube-apiserver", kubectl=built / "kubectl")


def node() -> NodeBinaries:
    """
    Return what runs beside an API server and on a node, bringing it first where it is absent.

    Raises:
        CommandFailed: one could not be downloaded or built.
    """
    built = _kubernetes_built()
    found = shutil.which("runc")
    plugins = Path("/usr/lib/cni")
    return NodeBinaries(
        kube_controller_manager=built / CONTROLLERS,
        kube_scheduler=built / SCHEDULER,
        kubelet=built / "kubelet",
        runc=Path(found) if found else apt.unpacked("runc") / "usr/sbin/runc",
        cni=plugins if (plugins / "bridge").exists() else apt.unpacked("containernetworking-plugins") / "usr/lib/cni",
    )


def kubectl() -> Path:
    """Return the machine's kubectl, which fits its person's cluster, else the one that goes with `kubernetes`."""
    found = shutil.which("kubectl")
    return Path(found) if found else kubernetes().kubectl


def _assets(folder: Path) -> KubernetesBinaries:
    found = KubernetesBinaries(
        etcd=folder / "etcd", kube_apiserver=folder / "kube-apiserver", kubectl=folder / "kubectl"
    )
    for program in (found.etcd, found.kube_apiserver, found.kubectl):
        if not os.access(program, os.X_OK):
            raise FileNotFoundError(f"{ASSETS}={folder} has no program {program.name}; unset it to use our own")
    return found


def _etcd() -> Path:
    found = shutil.which("etcd")
    return Path(found) if found else apt.unpacked("etcd-server") / "usr/bin/etcd"


def _kubernetes_built() -> Path:
    match = re.search(r"k8s\.io/kubernetes v((\d+)\.(\d+)\.\d+)", (KUBERNETES / "go.mod").read_text())
    if match is None:
        raise ValueError(f"{KUBERNETES / 'go.mod'} does not require k8s.io/kubernetes")
    # A build from modules knows no version, and kube-apiserver then says v0.0.0.
    names = {"gitVersion": f"v{match[1]}", "gitMajor": match[2], "gitMinor": match[3]}
    variables = {f"k8s.io/component-base/version.{name}": value for name, value in names.items()}
    return go.built(
        KUBERNETES, KUBERNETES_COMMANDS, how_long="five to fifteen minutes on two cores", variables=variables
    )


def _on_path(name: str) -> ContainerdBinaries | None:
    wanted = {OLDEST: ("1.6", "1.7"), NEWEST: ("2.",)}[name]
    found = shutil.which("containerd")
    if found is None or not Path(found).with_name("ctr").exists():
        return None
    present = _inspected(Path(found).parent)
    return present if present.version.startswith(wanted) else None


def _inspected(folder: Path) -> ContainerdBinaries:
    program = folder / "containerd"
    return ContainerdBinaries(version=_version(program), containerd=program, ctr=folder / "ctr")


def _version(program: Path) -> str:
    command = [str(program), "--version"]
    text = subprocess.run(command, check=True, capture_output=True, text=True, timeout=10).stdout
    match = re.search(r"\d+\.\d+\.\d+", text)
    if match is None:
        raise ValueError(f"{program} tells no version: {text!r}")
    return match[0]


def main() -> int:
    """Bring every server and say what was found."""
    try:
        for found in (containerd(OLDEST), containerd(NEWEST)):
            announce(f"containerd {found.version}: {found.containerd}")
        announce(f"docker-registry: {registry()}")
        brought = kubernetes()
        announce(f"etcd {_version(brought.etcd)}: {brought.etcd}")
        announce(f"kube-apiserver {brought.version}: {brought.kube_apiserver}")
        announce(f"kubectl: {brought.kubectl}")
        brought_for_nodes = node()
        announce(f"kubelet: {brought_for_nodes.kubelet}")
        announce(f"runc: {brought_for_nodes.runc}")
        announce(f"CNI plugins: {brought_for_nodes.cni}")
        announce(f"promtool: {promtool()}")
        announce(f"jq: {jq()}")
    except (CommandFailed, FileNotFoundError) as error:
        announce(str(error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
