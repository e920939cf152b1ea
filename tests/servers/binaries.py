"""
Where each server's program comes from: PATH where the right one is there, else the cache, filled by setup/.

Two containerds matter: the oldest that the system packages (1.6 on Debian 12, 1.7 on Ubuntu 24.04), and 2.x, built
from Go modules. Run as a program (`python -m tests.servers.binaries`), it brings all of them.
"""

import re
import shutil
import subprocess
from pathlib import Path

import msgspec

from tests.servers.setup import apt, go
from tests.servers.setup.commands import announce


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
    wanted = {OLDEST: ("1.6", "1.7"), NEWEST: ("2.",)}[name]
    found = shutil.which("containerd")
    if found and shutil.which("ctr", path=str(Path(found).parent)):
        present = _inspected(Path(found).parent)
        if present.version.startswith(wanted):
            return present
    if name == OLDEST:
        return _inspected(apt.unpacked("containerd") / "usr/bin")
    return _inspected(go.built(MODULE, COMMANDS))


def registry() -> Path:
    """Return docker-registry, bringing it first where it is absent."""
    found = shutil.which("docker-registry")
    return Path(found) if found else apt.unpacked("docker-registry") / "usr/bin/docker-registry"


def _inspected(folder: Path) -> ContainerdBinaries:
    program = str(folder / "containerd")
    text = subprocess.run([program, "--version"], check=True, capture_output=True, text=True, timeout=10).stdout
    match = re.search(r"\d+\.\d+\.\d+", text)
    if match is None:
        raise ValueError(f"{program} tells no version: {text!r}")
    return ContainerdBinaries(version=match[0], containerd=folder / "containerd", ctr=folder / "ctr")


def main() -> None:
    """Bring every server and say what was found."""
    for found in (containerd(OLDEST), containerd(NEWEST)):
        announce(f"containerd {found.version}: {found.containerd}")
    announce(f"docker-registry: {registry()}")


if __name__ == "__main__":
    main()
