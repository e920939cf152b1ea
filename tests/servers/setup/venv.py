"""
Makes the virtual environment that everything else runs in: `python3 -m tests.servers.setup.venv FOLDER`.

Packages come from the hash-pinned locks only; the project itself is installed editable, which generates its stubs.
It works where Python has neither pip nor ensurepip, as on a Debian with python3 alone.
"""

import importlib.util
import sys
from pathlib import Path

from tests.servers.setup import pip
from tests.servers.setup.commands import CommandFailed, announce, run


OLDEST_PYTHON = (3, 11)
LOCK = Path("requirements/dev.txt")


def make(folder: Path, *, project: Path) -> None:
    """
    Bring the environment in `folder` to what the locks of `project` say.

    Raises:
        CommandFailed: a command of it failed; the message has its words.
    """
    python = folder / "bin/python"
    if not python.exists():
        announce(f"making {folder}")
        has_pip = importlib.util.find_spec("ensurepip") is not None
        options = [] if has_pip else ["--without-pip"]
        run([sys.executable, "-m", "venv", *options, folder], timeout_seconds=120)
    installer = [*pip.command(python), "install", "--quiet"]
    announce("installing what the locks name")
    run([*installer, "--require-hashes", "--no-deps", "-r", project / LOCK], timeout_seconds=1200)
    run([*installer, "--no-build-isolation", "--no-deps", "--editable", project], timeout_seconds=300)


def main() -> int:
    """Make the environment that the one argument names, for the project in the current folder."""
    if sys.version_info < OLDEST_PYTHON:
        announce(f"python3 is {sys.version.split()[0]}; 3.11 or newer is needed (make PYTHON=/path/to/python3.11 ...)")
        return 1
    try:
        make(Path(sys.argv[1]), project=Path.cwd())
    except CommandFailed as error:
        announce(str(error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
