"""Waiting for a runtime: for how long, what is said meanwhile, and that a signal ends it."""

import os
import signal
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from daemon.config import RunSettings
from daemon.standalone.command import run
from daemon.standalone.mailbox import Mailbox
from daemon.standalone.search import Interrupted, RuntimeMissing, wait_for_runtime
from tests.servers.processes import until
from tests.servers.scripted_cri import ScriptedCri


@pytest.fixture
def socket() -> Iterator[Path]:
    """A path that is short enough for a socket."""
    with tempfile.TemporaryDirectory(prefix="cri-") as folder:
        yield Path(folder) / "cri.sock"


def _settings(socket: Path, *, wait_seconds: float, is_watching: bool = False) -> RunSettings:
    return RunSettings(runtime_endpoint=str(socket), runtime_wait_seconds=wait_seconds, is_watching=is_watching)


def test_a_runtime_that_answers_is_taken_at_once(socket: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """And nothing is said."""
    with ScriptedCri(socket) as cri, Mailbox() as mailbox:
        runtime = wait_for_runtime(_settings(socket, wait_seconds=0), mailbox=mailbox)
        runtime.close()

    assert cri.endpoint == runtime.endpoint
    assert ("", "") == capsys.readouterr()


def test_one_pass_gives_up_and_says_where_it_looked(socket: Path) -> None:
    """With what was wrong there and what to do."""
    with Mailbox() as mailbox, pytest.raises(RuntimeMissing) as missing:
        wait_for_runtime(_settings(socket, wait_seconds=0), mailbox=mailbox)

    assert f"  unix://{socket}: no such socket\n" in str(missing.value)
    assert "--runtime-endpoint" in str(missing.value)


def test_a_runtime_that_comes_later_is_taken(socket: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Who waits is told so once."""
    cri = ScriptedCri(socket)
    later = threading.Timer(0.5, cri.start)
    later.start()
    try:
        with Mailbox() as mailbox:
            wait_for_runtime(_settings(socket, wait_seconds=0, is_watching=True), mailbox=mailbox).close()
    finally:
        later.join()
        cri.kill()

    assert 1 == capsys.readouterr().err.count("no container runtime answers")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_waiting(socket: Path, number: signal.Signals) -> None:
    """Without a traceback; the handlers that were there before are back afterwards."""
    before = [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)]
    with Mailbox() as mailbox:
        os.kill(os.getpid(), number)
        with pytest.raises(Interrupted):
            wait_for_runtime(_settings(socket, wait_seconds=60), mailbox=mailbox)

    assert before == [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)]


@pytest.mark.parametrize(("number", "expected"), [(signal.SIGINT, 130), (signal.SIGTERM, 0)])
def test_a_watch_that_waits_for_its_runtime_stops_as_any_watch(
    socket: Path, number: signal.Signals, expected: int
) -> None:
    """A service manager's SIGTERM is no failure, though no runtime has come yet."""
    settings = RunSettings(images=("a",), runtime_endpoint=str(socket), is_watching=True)
    sender = threading.Thread(target=_send_when_caught, args=(number, signal.getsignal(signal.SIGTERM)))
    sender.start()

    code = run(settings)

    sender.join()
    assert expected == code


def _send_when_caught(number: signal.Signals, before: object) -> None:
    """Send a signal to this process once a mailbox listens for it in place of `before`."""
    until(lambda: signal.getsignal(signal.SIGTERM) != before, what="the handlers are set", timeout_seconds=10)
    os.kill(os.getpid(), number)
