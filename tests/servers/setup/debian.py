"""
Makes a small root of this system's own release with Python in it, for an image to stand on: mmdebstrap's minbase.

It comes from the machine's own apt sources and holds nothing of how they are reached.
"""

import hashlib
import os
import platform
import shutil
import tempfile
from pathlib import Path

from tests.servers.setup import apt
from tests.servers.setup.chamber import run_inside


# The build stage needs venv and ensurepip, and grpcio the C++ library, which apt alone brings into some.
_PACKAGES = ("python3", "python3-venv", "ca-certificates", "libstdc++6")
_LEFT_OUT = ("/usr/share/doc/*", "/usr/share/info/*", "/usr/share/locale/*", "/usr/share/man/*")
# How the machine reaches its sources, and what an installation leaves that no image needs.
_REMOVED = (
    "etc/apt/apt.conf.d/99mmdebstrap",
    "etc/apt/auth.conf.d/*",
    "etc/apt/sources.list",
    "etc/apt/sources.list.d/*",
    "etc/dpkg/dpkg.cfg.d/99mmdebstrap",
    "etc/hostname",
    "etc/resolv.conf",
    "var/cache/apt/*",
    "var/cache/debconf/*-old",
    "var/lib/apt/lists/*",
    "var/log/*",
)
# The images of Python that people build on come without it, and the Dockerfile has to make up for that.
_WITHOUT_BYTECODE = "find usr/lib/python3* -name __pycache__ -prune -exec rm -r {} +"
_OPTIONS = (
    "--quiet",
    "--mode=root",
    "--variant=minbase",
    "--skip=output/dev",
    f"--include={','.join(_PACKAGES)}",
    *(f"--dpkgopt=path-exclude={pattern}" for pattern in _LEFT_OUT),
    f'--customize-hook=cd "$1" && rm -rf {" ".join(_REMOVED)} && {_WITHOUT_BYTECODE}',
)
MINUTES = 10


def name() -> str:
    """Return what tells the root of this system from others, and changes with how it is made."""
    made_how = hashlib.sha256(repr(_OPTIONS).encode()).hexdigest()[:8]
    return f"{_codename()}-{platform.machine()}-{made_how}"


def make_root(folder: Path) -> Path:
    """
    Make the root as a tar archive in `folder`, and return the archive.

    Raises:
        CommandFailed: a package is not in the machine's sources, or mmdebstrap could not do its work here.
    """
    archive = folder / "root.tar"
    with tempfile.TemporaryDirectory(prefix="root-", dir=folder) as scratch:
        settings = Path(scratch, "apt.conf")
        settings.write_text(apt.settings_for_another_root())
        run_inside(
            ["mmdebstrap", *_OPTIONS, f"--aptopt={settings}", _codename(), archive, *apt.sources()],
            timeout_seconds=MINUTES * 60,
            environment={"PATH": _path(), "TMPDIR": scratch},
        )
    return archive


def _codename() -> str:
    return platform.freedesktop_os_release().get("VERSION_CODENAME", "")


def _path() -> str:
    """Return PATH with mmdebstrap on it, whose own programs it looks for there."""
    path = os.environ["PATH"]
    return path if shutil.which("mmdebstrap") else f"{apt.unpacked('mmdebstrap') / 'usr/bin'}{os.pathsep}{path}"
