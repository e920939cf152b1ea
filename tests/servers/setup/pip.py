"""
How to run pip with a given Python, also where the system ships none (Debian without python3-pip and python3-venv).

pip's settings (index, certificates) come from its own PIP_ environment and are passed on as they are.
"""

import subprocess
from pathlib import Path

from tests.servers.setup import apt


def command(python: Path) -> list[str | Path]:
    """
    Return the beginning of a pip command line for `python`: its own pip, else the one in Debian's python3-pip-whl.

    Raises:
        CommandFailed: it has none, and the package can't be downloaded.
    """
    own = subprocess.run([python, "-c", "import pip"], check=False, capture_output=True, timeout=30)
    if own.returncode == 0:
        return [python, "-m", "pip"]
    wheels = (apt.unpacked("python3-pip-whl") / "usr/share/python-wheels").glob("pip-*.whl")
    return [python, next(wheels) / "pip"]
