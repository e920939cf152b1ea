"""
Runs a command in mount and process namespaces of its own, so that its end is the end of all that it started.

Whatever it mounts is seen by nobody else and goes with it, and so do its processes, also when it or we are killed: a
build that was broken off leaves files in the cache at most. It needs root.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.servers.setup.commands import run


_ENTER = (
    *("setpriv", "--pdeathsig", "KILL"),
    *("unshare", "--mount", "--propagation", "private", "--pid", "--fork", "--kill-child", "--mount-proc"),
)


def run_inside(
    arguments: Sequence[str | Path],
    *,
    timeout_seconds: float,
    folder: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> str:
    """
    Return what the command printed; `environment` is added to ours.

    Raises:
        CommandFailed: it is absent, ended with an error, or ran longer than timeout_seconds.
    """
    return run([*_ENTER, *arguments], timeout_seconds=timeout_seconds, folder=folder, environment=environment)
