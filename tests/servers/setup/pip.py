"""
How to run pip with a given Python, also where the system ships none (Debian without python3-pip and python3-venv).

pip's settings (index, certificates) come from its own PIP_ environment and are passed on as they are.
"""

import ast
import os
import subprocess
import sys
from pathlib import Path

from tests.servers.setup import apt
from tests.servers.setup.commands import run


SYSTEM_CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"
# What says where packages come from, and how to get there.
_REACHING = (
    "index-url",
    "extra-index-url",
    "find-links",
    "no-index",
    "trusted-host",
    "proxy",
    "cert",
    "client-cert",
    "timeout",
    "default-timeout",
    "retries",
)


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


def settings() -> dict[str, str]:
    """Return the person's settings that say where packages come from, by pip's names; the environment's over files'."""
    lines = run([*command(Path(sys.executable)), "config", "list"], timeout_seconds=60).splitlines()
    named = [(key, value) for key, _, value in (line.partition("=") for line in lines)]
    found = {}
    for key, value in sorted(named, key=lambda pair: pair[0].startswith(":env:")):
        name = key.rpartition(".")[2].replace("_", "-")
        if name in _REACHING:
            found[name] = str(ast.literal_eval(value))
    return found


def certificates() -> Path | None:
    """Return the file of the authorities that the person's programs trust; None where none is named or in its place."""
    variables = ("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "CURL_CA_BUNDLE")
    named = [settings().get("cert"), *(os.environ.get(name) for name in variables), SYSTEM_CERTIFICATES]
    return next((Path(name) for name in named if name and Path(name).is_file()), None)
