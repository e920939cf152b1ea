"""
What the node image holds beside the product: a Python with the base lock's packages and no others.

The development environment has more, and libraries look for each other (structlog imports rich where it is there), so
what an agent costs is measured in this one.
"""

import hashlib
import sys
from pathlib import Path

from tests.servers.setup import cache, pip
from tests.servers.setup.commands import announce, run


LOCK = Path(__file__).parents[3] / "requirements/base.txt"


def packages() -> Path:
    """Return a folder with the base lock's packages and their bytecode, installed once a lock and Python."""
    version = hashlib.sha256(LOCK.read_bytes() + sys.version.encode()).hexdigest()[:16]
    return cache.kept(f"base/{version}", _install)


def interpreter(folder: Path) -> Path:
    """Make a Python in `folder` that sees no packages but those that PYTHONPATH names; return its program."""
    run([sys.executable, "-m", "venv", "--without-pip", folder], timeout_seconds=120)
    return folder / "bin/python"


def _install(folder: Path) -> None:
    announce("installing what the base lock names into the cache")
    options: list[str | Path] = ["--quiet", "--no-deps", "--require-hashes", "--only-binary=:all:", "--compile"]
    run([*pip.command(Path(sys.executable)), "install", *options, "--target", folder, "-r", LOCK], timeout_seconds=600)
