"""What a program and a person see of `prewarm run`: JSON in a pipe, bars on a terminal, lines where asked for."""

import os
import pty
import subprocess
import sys
import threading
from datetime import datetime
from pathlib import Path

import pytest

from tests.lab.command import DEADLINE_SECONDS, ROOT, command, environment, events, names, run
from tests.servers import binaries
from tests.servers.binaries import ContainerdBinaries
from tests.servers.containerd import Containerd
from tests.servers.images import Push, PushedImage
from tests.servers.processes import until
from tests.servers.proxy import FaultProxy


MIB = 1 << 20
HIDE_CURSOR = "\x1b[?25l"
SHOW_CURSOR = "\x1b[?25h"
# Makes standard output the controlling terminal, then becomes the command.
OWN_TERMINAL = """
import fcntl, os, sys, termios
os.setsid()
fcntl.ioctl(1, termios.TIOCSCTTY, 0)
os.execv(sys.argv[1], sys.argv[1:])
"""


@pytest.fixture
def containerd_binaries() -> ContainerdBinaries:
    """One version: nothing here depends on it."""
    return binaries.containerd(binaries.NEWEST)


@pytest.fixture
def image(push: Push, faults: FaultProxy) -> PushedImage:
    """An image that takes three seconds."""
    image = push(layers=[2 * MIB, MIB]).at(faults.host)
    faults.limit(MIB)
    return image


def test_a_pipe_gets_a_json_line_an_event(workdir: Path, containerd: Containerd, image: PushedImage) -> None:
    """In order of time, with bytes that grow to the image's size and never shrink."""
    done = run(containerd, workdir, "--image", image.reference)

    told = events(done.stdout)
    progress = [event for event in told if event["event"] == "pull_progressed"]
    times = [datetime.fromisoformat(event["time"]) for event in told]
    counts = [event.get("bytes_done", 0) for event in progress]
    assert ["pull_started", "image_pulled", "run_finished"] == names(told)
    assert times == sorted(times)
    assert counts == sorted(counts)
    assert 0 < counts[-1] <= progress[-1]["bytes_total"]
    assert image.layer_bytes <= progress[-1]["bytes_total"] < image.layer_bytes + 10_000
    assert {image.reference} == {event["image"] for event in told[:-1]}
    assert (image.digest, True) == (told[-2]["digest"], told[-2]["changed"])


def test_lines_are_sentences(workdir: Path, containerd: Containerd, image: PushedImage) -> None:
    """Also in a pipe where --output asks for them."""
    done = run(containerd, workdir, "--image", image.reference, "--output", "lines")

    lines = done.stdout.splitlines()
    assert f"{image.reference}: pulling" == lines[0]
    assert lines[-2].startswith(f"{image.reference}: pulled in ")
    assert lines[-1].startswith("1 image is there, 0 failed, in ")
    assert any("% " in line and " MiB of 3.0 MiB" in line for line in lines)


def test_a_reader_that_goes_away_ends_it_quietly(workdir: Path, containerd: Containerd, image: PushedImage) -> None:
    """`| head -1`: the code of a broken pipe, and not a word."""
    pipeline = '"$@" | head -1; exit ${PIPESTATUS[0]}'

    done = subprocess.run(
        ["bash", "-c", pipeline, "bash", *command(containerd, "--image", image.reference)],
        cwd=ROOT,
        env=environment(workdir),
        capture_output=True,
        text=True,
        check=False,
        timeout=DEADLINE_SECONDS,
    )

    assert (141, "") == (done.returncode, done.stderr)
    assert ["pull_started"] == names(events(done.stdout))


class Terminal:
    """A terminal of its own, read as fast as it is written."""

    def __init__(self) -> None:
        self._master, self.slave = pty.openpty()
        self._text = bytearray()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def until(self, text: str) -> None:
        """Wait until a text was written to it."""
        until(lambda: text.encode() in self._text, what=f"{text!r} on the screen", timeout_seconds=DEADLINE_SECONDS)

    def type(self, keys: bytes) -> None:
        """Press keys."""
        os.write(self._master, keys)

    def screen(self) -> str:
        """Return all that was written to it, after the last writer has closed it."""
        os.close(self.slave)
        self._thread.join(DEADLINE_SECONDS)
        os.close(self._master)
        return self._text.decode()

    def _read(self) -> None:
        while True:
            try:
                data = os.read(self._master, 65536)
            except OSError:
                # The other side is closed: that is how a terminal ends on Linux.
                return
            if not data:
                return
            self._text += data


def test_a_terminal_shows_bars_and_is_left_in_order(workdir: Path, containerd: Containerd, image: PushedImage) -> None:
    """Image, percent and size while it runs; at the end the cursor is back and the result stays."""
    terminal = Terminal()
    done = subprocess.run(
        command(containerd, "--image", image.reference),
        cwd=ROOT,
        env=environment(workdir, TERM="xterm-256color", COLUMNS="120", LINES="40"),
        stdin=subprocess.DEVNULL,
        stdout=terminal.slave,
        stderr=subprocess.PIPE,
        check=False,
        timeout=DEADLINE_SECONDS,
    )
    screen = terminal.screen()

    assert (0, b"") == (done.returncode, done.stderr)
    assert image.reference in screen
    assert "% " in screen
    assert "MiB of 3.0 MiB" in screen
    assert screen.rfind(HIDE_CURSOR) < screen.rfind(SHOW_CURSOR)
    assert f"{image.reference}: pulled in " in screen
    assert "1 image is there, 0 failed" in screen


def test_a_terminal_is_in_order_after_an_interruption(
    workdir: Path, containerd: Containerd, image: PushedImage
) -> None:
    """Ctrl-C as the terminal itself sends it, in the middle of a bar."""
    terminal = Terminal()
    # A process group of its own with the terminal as its own: the byte 3 is then a SIGINT, as at a keyboard.
    process = subprocess.Popen(
        [sys.executable, "-c", OWN_TERMINAL, *command(containerd, "--image", image.reference)],
        cwd=ROOT,
        env=environment(workdir, TERM="xterm-256color", COLUMNS="120", LINES="40"),
        stdin=subprocess.DEVNULL,
        stdout=terminal.slave,
        stderr=subprocess.DEVNULL,
    )
    try:
        terminal.until("MiB of 3.0 MiB")
        terminal.type(b"\x03")
        code = process.wait(timeout=DEADLINE_SECONDS)
    finally:
        process.kill()
    screen = terminal.screen()

    assert 130 == code
    assert "interrupted; run it again within 24 h to go on from here" in screen
    assert screen.rfind(HIDE_CURSOR) < screen.rfind(SHOW_CURSOR)
