"""
The command as a person starts it: a process of its own, with nothing of the machine's settings.

`run` waits for its end; `Running` is one under way, whose events a test waits for.
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.servers.containerd import Containerd
from tests.servers.processes import until


ROOT = Path(__file__).parents[2]
DEADLINE_SECONDS = 60.0

Event = dict[str, Any]


def job(image: str, *, name: str = "warm", images: list[str] | None = None, **spec: object) -> str:
    """Return a manifest, in JSON: an ImagePullJob, or with `images` an ImageListPullJob; `spec` has further fields."""
    what: dict[str, object] = {"image": image} if images is None else {"images": images}
    manifest = {
        "apiVersion": "apps.kruise.io/v1beta1",
        "kind": "ImagePullJob" if images is None else "ImageListPullJob",
        "metadata": {"name": name},
        "spec": {"completionPolicy": {"type": "Always"}, **what, **spec},
    }
    return json.dumps(manifest)


def command(containerd: Containerd | None, *arguments: str | Path) -> list[str]:
    """Return the command line of `prewarm run`; the machine's own disk plays no part."""
    endpoint = ["--runtime-endpoint", containerd.endpoint] if containerd else []
    return [sys.executable, "-m", "daemon", "run", *endpoint, "--min-free", "0", *map(str, arguments)]


def environment(workdir: Path, **variables: str) -> dict[str, str]:
    """Return an environment with a home of the test's own, without docker's config."""
    return {**os.environ, "HOME": str(workdir), "DOCKER_CONFIG": str(workdir / "none"), **variables}


def run(
    containerd: Containerd | None, workdir: Path, *arguments: str | Path, stdin: str = "", **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run to the end; its output is piped, so it is JSON."""
    return subprocess.run(
        command(containerd, *arguments),
        cwd=ROOT,
        env=environment(workdir, **variables),
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
        timeout=DEADLINE_SECONDS,
    )


def events(output: str) -> list[Event]:
    """Read JSON lines; every line must be an object."""
    return [dict(json.loads(line)) for line in output.splitlines()]


def names(told: list[Event]) -> list[str]:
    """Return the names of events other than progress, in order."""
    return [event["event"] for event in told if event["event"] != "pull_progressed"]


class Running:
    """A run under way, with JSON in a file; killed at the end of its block if it still runs."""

    def __init__(
        self, containerd: Containerd, workdir: Path, *arguments: str | Path, name: str = "run", **variables: str
    ) -> None:
        self.output = workdir / f"{name}.out"
        self.errors = workdir / f"{name}.err"
        with self.output.open("wb") as output, self.errors.open("wb") as errors:
            self.process = subprocess.Popen(
                command(containerd, *arguments),
                cwd=ROOT,
                env=environment(workdir, **variables),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=errors,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(timeout=DEADLINE_SECONDS)

    @property
    def events(self) -> list[Event]:
        """What it has told so far, without a line that is half written."""
        return events(self.output.read_text().rpartition("\n")[0])

    def until(self, condition: Callable[[Event], bool], *, what: str) -> Event:
        """Wait for the first event that fits, among those told and to come."""

        def found() -> Event | None:
            told = next(filter(condition, self.events), None)
            assert told or self.process.poll() is None, self.output.read_text() + self.errors.read_text()
            return told

        event = until(found, what=what, timeout_seconds=DEADLINE_SECONDS)
        assert event is not None
        return event

    def until_event(self, name: str, **fields: object) -> Event:
        """Wait for an event by its name and fields."""
        wanted: Mapping[str, object] = {"event": name, **fields}
        return self.until(
            lambda event: all(event.get(field) == value for field, value in wanted.items()), what=str(wanted)
        )

    def send(self, number: signal.Signals) -> None:
        """Send a signal."""
        self.process.send_signal(number)

    def code(self) -> int:
        """Wait for the end and return the exit code, -N for a death by signal N."""
        return self.process.wait(timeout=DEADLINE_SECONDS)

    def catches(self, number: signal.Signals) -> bool:
        """Tell whether a handler of its own is set for a signal now."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        mask = int(next(line.split()[1] for line in status.splitlines() if line.startswith("SigCgt")), 16)
        return bool(mask >> (number - 1) & 1)
