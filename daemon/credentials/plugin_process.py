"""
One run of an exec plugin: request on stdin, answer from stdout, bounded in time and size, interruptible.

Nothing of a plugin outlives its run: it gets a process group of its own, which is killed at the end, whatever the end.
Only what became another user (setuid) may not be killed; nobody waits for it then.
Its stderr is thrown away unread, since plugins print tokens there; a person sees it by running the plugin by hand.
"""

import os
import selectors
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import IO

import msgspec


_LOOK_SECONDS = 0.05
_LOOK_FOR_EXIT_SECONDS = 0.005
_CHUNK_BYTES = 65536


class PluginFailed(Exception):
    """Why a run gave no answer, in words that hold nothing the plugin printed."""


class Bounds(msgspec.Struct, frozen=True, kw_only=True):
    """How long a plugin may run (the kubelet's minute) and how much it may print."""

    timeout_seconds: float = 60.0
    output_bytes_max: int = 1024 * 1024


def run_plugin(
    command: Sequence[str], *, request: bytes, env: Mapping[str, str], bounds: Bounds, cancelled: threading.Event
) -> bytes:
    """
    Run the command and return what it printed.

    `request` must fit a pipe's buffer (64 KiB). `cancelled` is looked at 20 times a second.

    Raises:
        PluginFailed: it can't be started or talked to, ran too long, printed too much, ended with a failure, or was
            cancelled.

    """
    process = _start(command, env=env)
    try:
        _send(process, request)
        output = _receive(process, bounds=bounds, cancelled=cancelled)
    except OSError as error:
        raise PluginFailed(f"can't be talked to: {error.strerror}") from None
    finally:
        _end(process)
    _check_exit_code(process.returncode)
    return output


def _start(command: Sequence[str], *, env: Mapping[str, str]) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=env,
            start_new_session=True,
            bufsize=0,
        )
    except OSError as error:
        raise PluginFailed(f"can't be started: {error.strerror}: {command[0]}") from None


def _pipe(stream: IO[bytes] | None) -> IO[bytes]:
    if stream is None:
        raise PluginFailed("can't be started: it has no pipe")
    return stream


def _send(process: subprocess.Popen[bytes], request: bytes) -> None:
    # A plugin may end, or close its stdin, without reading.
    with suppress(BrokenPipeError), _pipe(process.stdin) as stdin:
        stdin.write(request)


def _receive(process: subprocess.Popen[bytes], *, bounds: Bounds, cancelled: threading.Event) -> bytes:
    """Read until the process has ended and the pipe is empty; what it started itself may keep the pipe open."""
    deadline = time.monotonic() + bounds.timeout_seconds
    stdout = _pipe(process.stdout).fileno()
    output = bytearray()
    with selectors.DefaultSelector() as selector:
        selector.register(stdout, selectors.EVENT_READ)
        while True:
            _check_bounds(bounds, deadline=deadline, bytes_read=len(output), cancelled=cancelled)
            is_open = bool(selector.get_map())
            if is_open and selector.select(timeout=_LOOK_SECONDS):
                chunk = os.read(stdout, _CHUNK_BYTES)
                output += chunk
                if not chunk:
                    selector.unregister(stdout)
            elif _has_ended(process):
                return bytes(output)
            elif not is_open:
                cancelled.wait(_LOOK_FOR_EXIT_SECONDS)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill the process group and reap the process; one that runs as another user may be neither, and is left."""
    for stream in (process.stdin, process.stdout):
        _pipe(stream).close()
    try:
        # Before wait() reaps the process: until then no other process group can have its ID.
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    except PermissionError:  # a setuid plugin that has taken all its IDs from another user, as sudo does
        if not _has_ended(process):
            threading.Thread(target=process.wait, name="left plugin", daemon=True).start()
            return
    process.wait()


def _check_bounds(bounds: Bounds, *, deadline: float, bytes_read: int, cancelled: threading.Event) -> None:
    if cancelled.is_set():
        raise PluginFailed("was stopped, because the pull was cancelled")
    if time.monotonic() >= deadline:
        raise PluginFailed(f"did not end within {bounds.timeout_seconds:g} s")
    if bytes_read > bounds.output_bytes_max:
        raise PluginFailed(f"printed more than {bounds.output_bytes_max} bytes")


def _has_ended(process: subprocess.Popen[bytes]) -> bool:
    """Look without reaping, so that the process group's ID stays taken."""
    return os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def _check_exit_code(code: int) -> None:
    if code < 0:
        raise PluginFailed(f"was ended by signal {-code}")
    if code:
        raise PluginFailed(f"ended with exit code {code}; run it by hand to see what it says")
