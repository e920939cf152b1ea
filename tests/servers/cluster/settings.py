"""What a node's containerd, kubelet and network plugin are told, and why it differs from what they do by themselves."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.servers import binaries


REGISTRY = "registry.lab:5000"
PAUSE = f"{REGISTRY}/pause:1"
# Of all nodes.
POD_NETWORKS = "10.88.0.0/16"


def node_address(number: int) -> str:
    """Return the address of a node on the switch."""
    return f"10.99.0.{20 + number}"


def pod_network(number: int) -> str:
    """Return the addresses of a node's Pods."""
    return f"10.88.{number}.0/24"


def containerd(folder: Path, *, disk: Path, hosts: Path) -> str:
    """Return a containerd's configuration, in the old form that 1.6 and 2.x both read."""
    programs = binaries.node()
    cri = 'plugins."io.containerd.grpc.v1.cri"'
    return f"""version = 2
root = "{disk / "containerd"}"
state = "/run/containerd/state"
disabled_plugins = ["io.containerd.internal.v1.opt", "io.containerd.nri.v1.nri"]
[grpc]
  address = "/run/containerd/containerd.sock"
[{cri}]
  # Without CAP_SYS_RESOURCE, which many machines for builds lack, no Pod would start otherwise.
  restrict_oom_score_adj = true
  sandbox_image = "{PAUSE}"
  [{cri}.registry]
    config_path = "{hosts}"
  [{cri}.cni]
    bin_dir = "{programs.cni}"
    conf_dir = "{folder / "cni"}"
  [{cri}.containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [{cri}.containerd.runtimes.runc.options]
      BinaryName = "{programs.runc}"
"""


def network(number: int, *, data: Path) -> str:
    """Return the network plugin's configuration: a bridge a node, and routes between nodes."""
    ranges = [[{"subnet": pod_network(number)}]]
    ipam = {"type": "host-local", "dataDir": str(data), "ranges": ranges, "routes": [{"dst": "0.0.0.0/0"}]}
    plugin = {"type": "bridge", "bridge": "cni0", "isGateway": True, "ipam": ipam}
    return json.dumps({"cniVersion": "1.0.0", "name": "lab", "plugins": [plugin]})


def kubelet(*, address: str, folder: Path, ca_file: Path, taints: Sequence[str], changes: Mapping[str, object]) -> str:
    """Return a kubelet's configuration; `changes` come last."""
    config = {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": False},
            "x509": {"clientCAFile": str(ca_file)},
        },
        "authorization": {"mode": "AlwaysAllow"},
        "address": address,
        "containerRuntimeEndpoint": "unix:///run/containerd/containerd.sock",
        # No systemd, no swap to turn off, and cgroups as the machine has them.
        "cgroupDriver": "cgroupfs",
        "cgroupsPerQOS": False,
        "enforceNodeAllocatable": [],
        "failSwapOn": False,
        "failCgroupV1": False,
        "localStorageCapacityIsolation": False,
        # Otherwise it makes a folder under /usr.
        "volumePluginDir": str(folder / "plugins"),
        "registerWithTaints": [_taint(text) for text in taints],
        "nodeStatusUpdateFrequency": "4s",
        "nodeLeaseDurationSeconds": 16,
        **changes,
    }
    # JSON is YAML.
    return json.dumps(config, indent=1)


def _taint(text: str) -> dict[str, str]:
    rest, _, effect = text.rpartition(":")
    key, _, value = rest.partition("=")
    return {"key": key, "value": value, "effect": effect}
