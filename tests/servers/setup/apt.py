"""
Takes a program out of a Debian or Ubuntu package without installing the package.

Installing would start services on default ports, and Debian's containerd would remove Docker's. So the package is
downloaded with apt's lists in our cache, and unpacked there. The machine's own sources, keys and proxy are used.
"""

import os
import platform
import tempfile
from pathlib import Path

from tests.servers.setup import cache
from tests.servers.setup.commands import announce, run


# Hooks of an update clean the machine's own archives and wake PackageKit: not ours to do.
_HOOKS = ("APT::Update::Pre-Invoke", "APT::Update::Post-Invoke", "APT::NeverAutoRemove")


def unpacked(package: str) -> Path:
    """
    Return a folder that holds the package's files (`usr/bin/...`), downloaded once for each release of the system.

    Raises:
        CommandFailed: there is no apt here, or the configured sources do not have the package.
    """
    return cache.kept(_entry(package), lambda folder: _download(package, folder))


def is_unpacked(package: str) -> bool:
    """Tell whether the package is in the cache already."""
    return (cache.folder() / _entry(package)).is_dir()


def _entry(package: str) -> str:
    return f"apt/{_release()}/{package}"


def _release() -> str:
    system = platform.freedesktop_os_release()
    return f"{system.get('ID', 'linux')}-{system.get('VERSION_ID', 'rolling')}-{platform.machine()}"


def _download(package: str, folder: Path) -> None:
    announce(f"downloading {package} with apt-get into the cache")
    state = cache.folder() / "apt" / _release() / "apt-state"
    state.parent.mkdir(parents=True, exist_ok=True)
    with cache.locked(state), tempfile.NamedTemporaryFile("w", prefix="prewarm-apt-") as settings:
        settings.write(_settings(state))
        settings.flush()
        environment = {"APT_CONFIG": settings.name, "LC_ALL": "C"}
        run(["apt-get", "-qq", "update"], timeout_seconds=300, environment=environment)
        run(["apt-get", "-qq", "download", package], timeout_seconds=300, folder=folder, environment=environment)
    for archive in folder.glob("*.deb"):
        run(["dpkg-deb", "-x", archive, folder], timeout_seconds=60)
        archive.unlink()


def _settings(state: Path) -> str:
    """
    Return the machine's apt settings with every folder that apt writes to moved under `state`.

    It names the machine's files by hand and turns the configuration folder off, since a hook can't be unset later.
    """
    for name in ("lists/partial", "archives/partial"):
        (state / name).mkdir(parents=True, exist_ok=True)
    machine = run(["apt-config", "dump"], timeout_seconds=30).splitlines()
    ours = {
        "Dir::Etc::parts": "/dev/null",
        "Dir::Etc::main": "/dev/null",
        "Dir::State": str(state),
        "Dir::State::lists": str(state / "lists"),
        "Dir::State::status": "/var/lib/dpkg/status",
        "Dir::Cache": str(state),
        "Dir::Cache::archives": str(state / "archives"),
        "Acquire::Languages": "none",
        "APT::Sandbox::User": "root" if os.geteuid() == 0 else "",
    }
    skipped = (*_HOOKS, *ours)
    lines = [line for line in machine if not line.startswith(skipped)]
    return "\n".join([*lines, *(f'{name} "{value}";' for name, value in ours.items())])
