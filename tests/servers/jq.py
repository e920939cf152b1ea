"""jq, which the documents' commands use: from PATH, else out of the distribution's package, which is only unpacked."""

import shutil
from pathlib import Path

from tests.servers.setup import apt


def jq() -> Path:
    """
    Return jq, bringing it first where it is absent; then it runs with `variables`.

    Raises:
        CommandFailed: the configured sources do not have the package.
    """
    found = shutil.which("jq")
    return Path(found) if found else _package() / "usr/bin/jq"


def variables() -> dict[str, str]:
    """Return where jq finds its libraries, if they are not the system's own."""
    return {} if shutil.which("jq") else {"LD_LIBRARY_PATH": apt.library_path(_package())}


def _package() -> Path:
    return apt.unpacked_with_libraries("jq")
