"""
A containerd of a test's own: root, state, socket and registry hosts in one folder, nothing shared with the machine's.

It pulls through CRI with no CNI and no runc. It runs in a mount namespace of its own, so its mounts end with it, even
after a kill. Plugins that write elsewhere (/opt, /run/nri) are off.
"""

import json
import os
import socket
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.servers import cri
from tests.servers.binaries import ContainerdBinaries
from tests.servers.ctr import Ctr
from tests.servers.disks import has_overlay
from tests.servers.processes import Process


Setting = bool | int | str

_DISABLED = (
    "io.containerd.internal.v1.opt",
    "io.containerd.internal.v1.tracing",
    "io.containerd.nri.v1.nri",
    "io.containerd.snapshotter.v1.aufs",
    "io.containerd.snapshotter.v1.blockfile",
    "io.containerd.snapshotter.v1.btrfs",
    "io.containerd.snapshotter.v1.devmapper",
    "io.containerd.snapshotter.v1.erofs",
    "io.containerd.snapshotter.v1.zfs",
    "io.containerd.tracing.processor.v1.otlp",
)


class Hosts:
    """The folder that tells containerd where a registry name is served (`config_path`); read anew at each pull."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def add(self, name: str, url: str) -> None:
        """Serve `name` (`docker.io`, `registry.example:5000`) from `url`, plain HTTP allowed, at once."""
        (self.folder / name).mkdir(exist_ok=True)
        text = f'server = "{url}"\n[host."{url}"]\n  capabilities = ["pull", "resolve"]\n'
        (self.folder / name / "hosts.toml").write_text(text)


class Containerd:
    """
    One containerd in `folder`, whose path must be short (a socket's path ends at 107 bytes).

    Args:
        binaries: which one, from binaries.containerd().
        folder: its own; kept over restarts, so images stay.
        hosts: where registry names are served; localhost:PORT needs no entry.
        root: where images are kept, such as a small disk; folder/root where not given.
        max_concurrent_downloads: of one image; the version's own default where None.
        cri_settings: of the CRI plugin, by their version 2 names, such as image_pull_progress_timeout="10s".
        extra_config: TOML that is appended.
    """

    def __init__(
        self,
        binaries: ContainerdBinaries,
        folder: Path,
        *,
        hosts: Hosts | None = None,
        root: Path | None = None,
        max_concurrent_downloads: int | None = None,
        cri_settings: Mapping[str, Setting] | None = None,
        extra_config: str = "",
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.binaries = binaries
        self.folder = folder
        self.hosts = hosts or Hosts(folder / "hosts")
        self.root = root or folder / "root"
        self.root.mkdir(exist_ok=True)
        self.socket = folder / "c.sock"
        self.endpoint = f"unix://{self.socket}"
        self.snapshotter = "overlayfs" if has_overlay(self.root) else "native"
        self.max_concurrent_downloads = max_concurrent_downloads
        (folder / "containerd.toml").write_text(self._config(cri_settings or {}, extra_config))
        self.process = Process(
            ["unshare", "--mount", "--propagation", "slave", binaries.containerd, "-c", folder / "containerd.toml"],
            log=folder / "containerd.log",
            environment={"PATH": os.environ["PATH"], "TMPDIR": str(folder)},
        )

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self, *, timeout_seconds: float = 30) -> None:
        """Start it, on what an earlier run left in its folder, and return when CRI answers."""
        self.process.start(self.answers, timeout_seconds=timeout_seconds)

    def stop(self) -> None:
        """Stop it as systemd would."""
        self.process.stop()

    def kill(self) -> None:
        """Kill it with SIGKILL, as a crash would."""
        self.process.kill()

    def restart(self) -> None:
        """Stop it and start it again on the same folder."""
        self.stop()
        self.start()

    def freeze(self) -> None:
        """Make it hang: its socket takes connections and nothing answers."""
        self.process.freeze()

    def thaw(self) -> None:
        """Let a frozen one go on."""
        self.process.thaw()

    def answers(self) -> bool:
        """Tell whether CRI's image service answers within a second."""
        if not self._connects():
            return False
        # The CRI plugin is ready later than the socket.
        return cri.answers(self.endpoint, timeout_seconds=1)

    def pull(self, reference: str, *, user: tuple[str, str] | None = None, timeout_seconds: float = 60) -> None:
        """
        Pull through CRI, as the kubelet does, apart from the code under test.

        Raises:
            grpc.RpcError: the runtime ended the pull; its words are in `details()`.
        """
        cri.pull(self.endpoint, reference, user=user, timeout_seconds=timeout_seconds)

    @property
    def client(self) -> Ctr:
        """Its own client."""
        return Ctr(self.binaries.ctr, self.socket)

    def ctr(self, *arguments: str, timeout_seconds: float = 60) -> str:
        """Return what containerd's own client prints; see Ctr.run."""
        return self.client.run(*arguments, timeout_seconds=timeout_seconds)

    def images(self) -> dict[str, str]:
        """Return each image's name and the digest of its manifest or index; see Ctr.images."""
        return self.client.images()

    def blobs(self) -> set[str]:
        """Return the digests of all finished content."""
        return self.client.blobs()

    def leases(self) -> dict[str, str]:
        """Return each lease's id and its labels as printed."""
        return self.client.leases()

    def _connects(self) -> bool:
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(1)
            try:
                client.connect(str(self.socket))
            except OSError:
                return False
        return True

    def _config(self, cri_settings: Mapping[str, Setting], extra: str) -> str:
        settings = {"restrict_oom_score_adj": True, **cri_settings}
        is_old = self.binaries.version.startswith("1.")
        transfer = ""
        if self.max_concurrent_downloads is not None and is_old:
            settings["max_concurrent_downloads"] = self.max_concurrent_downloads
        elif self.max_concurrent_downloads is not None:
            # Set in CRI's section, it would turn 2.x back to the old way to pull.
            table = '[plugins."io.containerd.transfer.v1.local"]'
            transfer = f"{table}\n  max_concurrent_downloads = {self.max_concurrent_downloads}\n"
        lines = "\n".join(f"  {name} = {json.dumps(value)}" for name, value in settings.items())
        plugin = 'plugins."io.containerd.grpc.v1.cri"'
        return f"""version = 2
root = "{self.root}"
state = "{self.folder / "state"}"
disabled_plugins = {json.dumps(_DISABLED)}
[grpc]
  address = "{self.socket}"
[{plugin}]
{lines}
  [{plugin}.containerd]
    snapshotter = "{self.snapshotter}"
  [{plugin}.registry]
    config_path = "{self.hosts.folder}"
  [{plugin}.cni]
    bin_dir = "{self.folder / "cni/bin"}"
    conf_dir = "{self.folder / "cni/conf"}"
{transfer}{extra}
"""
