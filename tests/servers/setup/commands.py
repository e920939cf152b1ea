"""Runs one command for the setup, quiet while it works, with its own words when it fails."""

import os
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path


class CommandFailed(Exception):
    """A command ended with an error; the message holds the command and the end of what it printed."""


def announce(what: str) -> None:
    """Tell the person at the terminal what takes time now."""
    print(f"prewarm: {what}", file=sys.stderr, flush=True)  # noqa: T201 - the setup's one way to be seen working


def run(
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
    command = [str(argument) for argument in arguments]
    try:
        done = subprocess.run(
            command,
            check=False,
            cwd=folder,
            env={**os.environ, **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=timeout_seconds,
        )
    except FileNotFoundError as error:
        raise CommandFailed(f"{command[0]} is not installed") from error
    except subprocess.TimeoutExpired as error:
        raise CommandFailed(f"no end after {timeout_seconds:g} s: {shlex.join(command)}") from error
    if done.returncode:
        raise CommandFailed(f"exit code {done.returncode}: {shlex.join(command)}\n{done.stdout[-4000:]}")
    return done.stdout
