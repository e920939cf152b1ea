"""
Where each server's program comes from: PATH where the right one is there, else the cache, filled by setup/.

Two containerds matter: the oldest that the system packages (1.6 on Debian 12, 1.7 on Ubuntu 24.04), and 2.x, built
from Go modules. Run as a program (`python -m tests.servers.binaries`), it brings all of them.
"""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import msgspec

from tests.servers.setup import apt, go
from tests.servers.setup.commands import CommandFailed, announce


MODULE = Path(__file__).parent / "containerd2"
COMMANDS = tuple(f"github.com/containerd/containerd/v2/cmd/{name}" for name in ("containerd", "ctr"))

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
    return _inspected(go.built(MODULE, COMMANDS))


def label(name: str) -> str:
    """Name a containerd for a test's id by the series that it really is (1.7 on Ubuntu 24.04); brings nothing."""
    if name == OLDEST and (_on_path(name) or apt.is_unpacked("containerd")):
        return containerd(name).series
    return name


def registry() -> Path:
    """Return docker-registry, bringing it first where it is absent."""
    found = shutil.which("docker-registry")
    return Path(found) if found else apt.unpacked("docker-registry") / "usr/bin/docker-registry"


def _on_path(name: str) -> ContainerdBinaries | None:
    wanted = {OLDEST: ("1.6", "1.7"), NEWEST: ("2.",)}[name]
    found = shutil.which("containerd")
    if found is None or not Path(found).with_name("ctr").exists():
        return None
    present = _inspected(Path(found).parent)
    return present if present.version.startswith(wanted) else None


def _inspected(folder: Path) -> ContainerdBinaries:
    program = str(folder / "containerd")
    text = subprocess.run([program, "--version"], check=True, capture_output=True, text=True, timeout=10).stdout
    match = re.search(r"\d+\.\d+\.\d+", text)
    if match is None:
        raise ValueError(f"{program} tells no version: {text!r}")
    return ContainerdBinaries(version=match[0], containerd=folder / "containerd", ctr=folder / "ctr")


def main() -> int:
    """Bring every server and say what was found."""
    try:
        for found in (containerd(OLDEST), containerd(NEWEST)):
            announce(f"containerd {found.version}: {found.containerd}")
        announce(f"docker-registry: {registry()}")
    except CommandFailed as error:
        announce(str(error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
