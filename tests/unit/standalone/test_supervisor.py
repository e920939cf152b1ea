"""A run through hours in a moment: the real loop on a scripted runtime, with a clock that a test moves."""

import signal
import tempfile
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Self

import grpc
import pytest

from daemon.clock import Moment, SystemClock
from daemon.config import RunSettings
from daemon.credentials.sources import Credentials
from daemon.display.events import Event
from daemon.node.loop import NodeLoop
from daemon.node.settings import NodeSettings
from daemon.runtime.connect import connect
from daemon.standalone.credentials import ManifestCredentials
from daemon.standalone.mailbox import Mailbox
from daemon.standalone.supervisor import Supervisor
from daemon.standalone.wishes import wishes_of
from tests.servers.scripted_cri import ScriptedCri
from tests.unit.standalone.jobs import jobs


DEADLINE_SECONDS = 20.0
IMAGE = "registry.example/app:v1"
ALWAYS = f"image: '{IMAGE}', pullPolicy: {{backoffLimit: 0}}, completionPolicy: {{}}"
NEVER = f"image: '{IMAGE}', pullPolicy: {{backoffLimit: 0}}, completionPolicy: {{type: Never}}, imagePullPolicy: Always"


class MovedClock:
    """The machine's clocks, ahead by what a test has moved them."""

    def __init__(self) -> None:
        self._ahead_seconds = 0.0

    def now(self) -> Moment:
        """Return this instant."""
        moment = SystemClock().now()
        ahead = timedelta(seconds=self._ahead_seconds)
        return Moment(seconds=moment.seconds + self._ahead_seconds, at=moment.at + ahead)

    def move(self, step: timedelta) -> None:
        """Go ahead."""
        self._ahead_seconds += step.total_seconds()


class Recorder:
    """A display that a test waits for."""

    def __init__(self) -> None:
        self._told = threading.Condition()
        self._read = 0
        self.events: list[Event] = []
        self.is_closed = False

    def show(self, event: Event) -> None:
        """Note an event."""
        with self._told:
            self.events.append(event)
            self._told.notify_all()

    def close(self) -> None:
        """Note the end."""
        self.is_closed = True

    def until(self, name: str) -> Event:
        """Return the next event of this name, after those already waited for."""

        def found() -> bool:
            while self._read < len(self.events):
                self._read += 1
                if self.events[self._read - 1].event == name:
                    return True
            return False

        with self._told:
            assert self._told.wait_for(found, timeout=DEADLINE_SECONDS), (name, self.events)
            return self.events[self._read - 1]


class RunUnderWay:
    """One run in a thread of its own."""

    def __init__(self, cri: ScriptedCri, *specs: str, is_watching: bool = False, wait_seconds: float = 30) -> None:
        self.clock = MovedClock()
        self.display = Recorder()
        self.mailbox = Mailbox()
        self.code: int | None = None
        self._runtime = connect(cri.endpoint, clock=self.clock)
        supervisor = Supervisor(
            NodeLoop(
                self._runtime,
                credentials=ManifestCredentials(Credentials(), secrets=()),
                observer=self.mailbox,
                clock=self.clock,
                settings=NodeSettings(role="run", min_free="0", is_kept_warm=is_watching),
            ),
            wishes=wishes_of(jobs(*specs), node="node-a", now=self.clock.now().at),
            display=self.display,
            mailbox=self.mailbox,
            clock=self.clock,
            settings=RunSettings(is_watching=is_watching, runtime_wait_seconds=wait_seconds),
        )
        self._thread = threading.Thread(target=lambda: self._run(supervisor), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.signal(signal.SIGINT)
        self.ended()
        self._runtime.close()

    def _run(self, supervisor: Supervisor) -> None:
        self.code = supervisor.run(())

    def until(self, name: str) -> Event:
        """Wait for an event."""
        return self.display.until(name)

    def move(self, step: timedelta) -> None:
        """Let time pass at once; the run, which looks at the clock all the time here, finds out."""
        self.clock.move(step)

    def signal(self, number: signal.Signals) -> None:
        """Let it be told of a signal, without changing the handlers of the tests' own process."""
        self.mailbox.signalled(number)

    def ended(self) -> int:
        """Wait for its end and return the exit code."""
        self._thread.join(DEADLINE_SECONDS)
        assert self.code is not None, self.display.events
        return self.code


@pytest.fixture(autouse=True)
def _look_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a run look at its clock at once, and not each minute."""
    monkeypatch.setattr("daemon.standalone.supervisor.LOOK_SECONDS", 0.02)


@pytest.fixture
def cri() -> Iterator[ScriptedCri]:
    """Serve CRI at a socket of its own."""
    with tempfile.TemporaryDirectory(prefix="cri-") as folder, ScriptedCri(Path(folder) / "cri.sock") as scripted:
        yield scripted


def test_one_pass_ends_when_all_is_answered(cri: ScriptedCri) -> None:
    """With 0, the last event saying what came of it, and the display closed."""
    with RunUnderWay(cri, NEVER) as run:
        code = run.ended()

    last = run.display.events[-1]
    assert (0, "run_finished", 1, 0) == (code, last.event, last.succeeded, last.failed)
    assert run.display.is_closed


def test_nothing_for_this_machine_is_a_good_end(cri: ScriptedCri) -> None:
    """No job selects it: nothing is missing."""
    with RunUnderWay(cri) as run:
        assert 0 == run.ended()

    assert ["run_finished"] == [event.event for event in run.display.events]


def test_a_failed_never_job_gets_a_new_round(cri: ScriptedCri) -> None:
    """After a minute, then two; the image comes with the first round that can bring it."""
    cri.refuse(IMAGE, code=grpc.StatusCode.UNKNOWN, words="dial tcp: connection refused", times=2)

    with RunUnderWay(cri, NEVER, is_watching=True) as run:
        first = run.until("image_failed")
        run.move(timedelta(minutes=1))
        second = run.until("image_failed")
        run.move(timedelta(minutes=1))
        run.move(timedelta(minutes=1))
        pulled = run.until("image_pulled")

    assert [1, 2, 3] == [first.version, second.version, pulled.version]
    assert timedelta(minutes=1) <= second.time - first.time < timedelta(minutes=2)
    assert timedelta(minutes=2) <= pulled.time - second.time < timedelta(minutes=3)


def test_a_failed_always_job_stays_failed(cri: ScriptedCri) -> None:
    """It has its answer until the next start."""
    cri.refuse(IMAGE, code=grpc.StatusCode.UNKNOWN, words="dial tcp: connection refused")

    with RunUnderWay(cri, ALWAYS, is_watching=True) as run:
        run.until("image_failed")
        run.move(timedelta(days=2))
        run.signal(signal.SIGTERM)
        code = run.ended()

    assert (0, 1) == (code, len(cri.pulls))


def test_a_never_job_is_renewed_each_24_hours(cri: ScriptedCri) -> None:
    """What the registry has by then is brought; the hour has ten minutes of spread."""
    with RunUnderWay(cri, NEVER, is_watching=True) as run:
        first = run.until("image_pulled")
        cri.push(IMAGE)
        run.move(timedelta(hours=24, minutes=10))
        second = run.until("image_pulled")

    assert (1, 2, True) == (first.version, second.version, second.changed)
    assert first.image_id != second.image_id


@pytest.mark.parametrize(
    ("number", "is_watching", "expected"),
    [
        (signal.SIGINT, False, 130),
        (signal.SIGTERM, False, 130),
        (signal.SIGINT, True, 130),
        (signal.SIGTERM, True, 0),
    ],
)
def test_a_signal_cancels_what_runs_and_ends_the_run(
    cri: ScriptedCri, number: signal.Signals, *, is_watching: bool, expected: int
) -> None:
    """A service manager's stop is a good end of a watch, and of nothing else."""
    cri.hold(IMAGE)

    with RunUnderWay(cri, NEVER, is_watching=is_watching) as run:
        cri.wait_until(lambda: bool(cri.running()), what="a pull is under way")
        run.signal(number)
        code = run.ended()

    cri.wait_until(lambda: [pull.is_cancelled for pull in cri.pulls] == [True], what="the one pull is cancelled")
    assert expected == code
    assert "run_finished" == run.display.events[-1].event


def test_a_pass_gives_up_a_runtime_that_stays_away(cri: ScriptedCri) -> None:
    """After --runtime-wait, with 3."""
    cri.hold(IMAGE)

    with RunUnderWay(cri, NEVER, wait_seconds=600) as run:
        cri.wait_until(lambda: bool(cri.running()), what="a pull is under way")
        cri.kill()
        run.until("runtime_lost")
        run.move(timedelta(seconds=600))
        code = run.ended()

    assert (3, "run_finished") == (code, run.display.events[-1].event)


def test_a_runtime_that_comes_back_in_time_is_used(cri: ScriptedCri) -> None:
    """The interruption costs no attempt."""
    cri.hold(IMAGE)

    with RunUnderWay(cri, NEVER, wait_seconds=600) as run:
        cri.wait_until(lambda: bool(cri.running()), what="a pull is under way")
        cri.kill()
        run.until("runtime_lost")
        cri.start()
        run.until("runtime_found")
        cri.wait_until(lambda: bool(cri.running()), what="another pull is under way")
        cri.finish(IMAGE)
        code = run.ended()

    assert (0, 1) == (code, run.display.events[-2].attempt)
