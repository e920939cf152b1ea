"""
Writes requirements/*.txt from pyproject.toml, with the hash of every file: `make lock`.

uv resolves, for all platforms and Pythons that we support; it is pinned itself and lives in the cache. No index is
written into a lock: where packages come from is the person's own setting.
"""

import hashlib
import sys
from pathlib import Path

from tests.servers.setup import cache, pip
from tests.servers.setup.commands import announce, run


UV = Path(__file__).parent / "uv.txt"
# A group alone leaves the project's own dependencies out.
LOCKS = {
    Path("requirements/base.txt"): ("pyproject.toml",),
    Path("requirements/build.txt"): ("--group", "build"),
    Path("requirements/dev.txt"): ("pyproject.toml", "--all-extras", "--group", "build", "--group", "dev"),
}
OPTIONS = (
    "--quiet",
    "--generate-hashes",
    "--no-emit-index-url",
    "--no-header",
    "--universal",
    "--python-version",
    "3.11",
)


def main() -> None:
    """Resolve each lock anew, to the newest versions that pyproject.toml allows."""
    uv = _uv()
    for lock, selection in LOCKS.items():
        announce(f"resolving {lock}")
        run([uv, "pip", "compile", *OPTIONS, *selection, "--upgrade", "-o", lock], timeout_seconds=600)


def _uv() -> Path:
    version = hashlib.sha256(UV.read_bytes()).hexdigest()[:16]
    return cache.kept(f"uv/{version}", _install) / "bin/uv"


def _install(folder: Path) -> None:
    options = ["--quiet", "--no-deps", "--require-hashes", "--only-binary=:all:", "--target", str(folder)]
    run([*pip.command(Path(sys.executable)), "install", *options, "-r", UV], timeout_seconds=300)


if __name__ == "__main__":
    main()
