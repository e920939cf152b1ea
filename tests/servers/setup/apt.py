"""
Takes a program out of a Debian or Ubuntu package without installing the package.

Installing would start services on default ports, and Debian's containerd would remove Docker's. So the package is
downloaded with apt's lists in our cache, and unpacked there. The machine's own sources, keys and proxy are used.
"""

import contextlib
import os
import platform
import re
import sysconfig
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.servers.setup import cache
from tests.servers.setup.commands import announce, run


# Hooks of an update clean the machine's own archives and wake PackageKit: not ours to do.
_HOOKS = ("APT::Update::Pre-Invoke", "APT::Update::Post-Invoke", "APT::NeverAutoRemove")
# A package in the answer of a simulation that is not there yet: `Inst NAME (VERSION ...`, without `[OLD]` before it.
_NEW = re.compile(r"^Inst (\S+) \(", re.MULTILINE)
# What Release files of the systems that we know say they are from.
_SYSTEMS = ("Debian", "Ubuntu")
_REACHING = tuple(
    f"Acquire::{name}"
    for name in ("http", "https", "ftp", "Check-", "Retries", "ForceIPv", "Max-", "AllowInsecure", "AllowWeak")
)


def unpacked(package: str) -> Path:
    """
    Return a folder that holds the package's files (`usr/bin/...`), downloaded once for each release of the system.

    Raises:
        CommandFailed: there is no apt here, or the configured sources do not have the package.
    """
    return cache.kept(_entry(package), lambda folder: _download(package, folder))


def unpacked_with_libraries(package: str) -> Path:
    """
    Return a folder like `unpacked`'s, which also holds those of the package's dependencies that the machine lacks.

    Raises:
        CommandFailed: there is no apt here, or the configured sources do not have one of them.
    """
    return cache.kept(f"{_entry(package)}-with-libraries", lambda folder: _download(package, folder, libraries=True))


def library_path(folder: Path) -> str:
    """Return LD_LIBRARY_PATH for programs of such a folder."""
    triplet = sysconfig.get_config_var("MULTIARCH") or f"{platform.machine()}-linux-gnu"
    return os.pathsep.join(str(folder / place / triplet) for place in ("usr/lib", "lib"))


def sources() -> list[Path]:
    """Return the machine's lists of sources that name the system's own archive, and no other's where it can be told."""
    with _environment() as environment:
        run(["apt-get", "-qq", "update"], timeout_seconds=300, environment=environment)
        fields = "$(ORIGIN)|$(SOURCESENTRY)"
        lines = run(["apt-get", "indextargets", "--format", fields], timeout_seconds=60, environment=environment)
    # Among them are apt's warnings, such as of a source that stands in two lists.
    named = [line.split("|", 1) for line in lines.splitlines() if "|" in line]
    return sorted({Path(entry.rpartition(":")[0]) for origin, entry in named if origin in _SYSTEMS})


def settings_for_another_root() -> str:
    """Return how the machine's apt reaches its sources (proxies, checks of dates), as lines of apt.conf."""
    machine = run(["apt-config", "dump"], timeout_seconds=30).splitlines()
    return "\n".join(line for line in machine if line.startswith(_REACHING))


def is_unpacked(package: str) -> bool:
    """Tell whether the package is in the cache already."""
    return (cache.folder() / _entry(package)).is_dir()


def _entry(package: str) -> str:
    return f"apt/{_release()}/{package}"


def _release() -> str:
    system = platform.freedesktop_os_release()
    return f"{system.get('ID', 'linux')}-{system.get('VERSION_ID', 'rolling')}-{platform.machine()}"


def _download(package: str, folder: Path, *, libraries: bool = False) -> None:
    announce(f"downloading {package} with apt-get into the cache")
    with _environment() as environment:
        run(["apt-get", "-qq", "update"], timeout_seconds=300, environment=environment)
        packages = _missing(package, environment) if libraries else [package]
        run(["apt-get", "-qq", "download", *packages], timeout_seconds=300, folder=folder, environment=environment)
    for archive in folder.glob("*.deb"):
        run(["dpkg-deb", "-x", archive, folder], timeout_seconds=60)
        archive.unlink()


def _missing(package: str, environment: Mapping[str, str]) -> list[str]:
    """Ask apt what it would install anew; what it would bring up to date is there, and good enough."""
    command = ["apt-get", "--simulate", "--no-install-recommends", "install", package]
    answer = run(command, timeout_seconds=60, environment=environment)
    return [package, *(name for name in _NEW.findall(answer) if name != package)]


@contextlib.contextmanager
def _environment() -> Iterator[Mapping[str, str]]:
    """Yield what makes apt-get work in our cache, which one process at a time does."""
    state = cache.folder() / "apt" / _release() / "apt-state"
    state.parent.mkdir(parents=True, exist_ok=True)
    with cache.locked(state), tempfile.NamedTemporaryFile("w", prefix="prewarm-apt-") as settings:
        settings.write(_settings(state))
        settings.flush()
        yield {"APT_CONFIG": settings.name, "LC_ALL": "C"}


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
