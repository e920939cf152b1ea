"""
Makes a small root of this system's own release with Python in it, for an image to stand on: mmdebstrap's minbase.

It comes from the machine's own apt sources and holds nothing of how they are reached.
"""

import hashlib
import os
import platform
import shutil
from pathlib import Path

from tests.servers.setup import apt, cache
from tests.servers.setup.chamber import run_inside
from tests.servers.setup.commands import announce


# The build stage needs venv and ensurepip.
_PACKAGES = ("python3", "python3-venv", "ca-certificates")
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
_OPTIONS = (
    "--quiet",
    "--mode=root",
    "--variant=minbase",
    "--skip=output/dev",
    f"--include={','.join(_PACKAGES)}",
    *(f"--dpkgopt=path-exclude={pattern}" for pattern in _LEFT_OUT),
    f'--customize-hook=cd "$1" && rm -rf {" ".join(_REMOVED)}',
)
MINUTES = 10


def root() -> Path:
    """
    Return the root as a tar archive, made once for each release of the system.

    Raises:
        CommandFailed: a package is not in the machine's sources, or mmdebstrap could not do its work here.
    """
    release = platform.freedesktop_os_release()
    codename = release.get("VERSION_CODENAME", "")
    made_how = hashlib.sha256(repr(_OPTIONS).encode()).hexdigest()[:16]
    name = f"image/root/{codename}-{platform.machine()}-{made_how}"
    return cache.kept(name, lambda folder: _make(folder, codename)) / "root.tar"


def _make(folder: Path, codename: str) -> None:
    announce(f"making a root of {codename} with Python in the cache (half a minute, once)")
    settings = folder / "apt.conf"
    settings.write_text(apt.settings_for_another_root())
    scratch = folder / "scratch"
    scratch.mkdir()
    run_inside(
        ["mmdebstrap", *_OPTIONS, f"--aptopt={settings}", codename, folder / "root.tar", *apt.sources()],
        timeout_seconds=MINUTES * 60,
        environment={"PATH": _path(), "TMPDIR": str(scratch)},
    )
    shutil.rmtree(scratch)
    settings.unlink()


def _path() -> str:
    """Return PATH with mmdebstrap on it, whose own programs it looks for there."""
    path = os.environ["PATH"]
    return path if shutil.which("mmdebstrap") else f"{apt.unpacked('mmdebstrap') / 'usr/bin'}{os.pathsep}{path}"
