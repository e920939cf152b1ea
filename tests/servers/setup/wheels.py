"""Asks the package index whether a lock can be installed on another machine than this one, from wheels alone."""

import hashlib
import shutil
import sys
from pathlib import Path

from tests.servers.setup import cache, pip
from tests.servers.setup.commands import announce, run


# The tags that a Debian of the last years takes; pip wants each by name where it is not for the machine it runs on.
GLIBCS = ("2014", "_2_17", "_2_24", "_2_26", "_2_27", "_2_28", "_2_31", "_2_34", "_2_35")


def names(lock: Path, *, machine: str, python: str) -> list[str]:
    """
    Return the names of the wheels that a lock comes to, downloaded and compared with its hashes once.

    Args:
        lock: a requirements file with hashes.
        machine: as in a wheel's name, such as aarch64.
        python: such as 3.13.

    Raises:
        CommandFailed: for one of them there is no wheel there, or it is another file than the lock's.
    """
    content = hashlib.sha256(lock.read_bytes()).hexdigest()[:16]

    def download(folder: Path) -> None:
        announce(f"looking for the wheels of {lock.name} for Python {python} on {machine}")
        wheels = folder / "wheels"
        platforms = (f"--platform=manylinux{glibc}_{machine}" for glibc in GLIBCS)
        options = ["--quiet", "--no-deps", "--require-hashes", "--only-binary=:all:", f"--python-version={python}"]
        command = [*pip.command(Path(sys.executable)), "download", *options, *platforms]
        run([*command, "--dest", wheels, "-r", lock], timeout_seconds=600)
        (folder / "names").write_text("\n".join(sorted(wheel.name for wheel in wheels.iterdir())))
        shutil.rmtree(wheels)

    found = cache.kept(f"image/wheels/{content}-{machine}-{python}", download)
    return (found / "names").read_text().splitlines()
