"""
The whole agent in this process, on a clock that a test steps: what a machine's own clocks can't be made to do here.

Everything else is as in a Pod: its parts and threads, the API server by a service account's token, a real runtime.
"""

import contextlib
import signal
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

from daemon.agent.assembly import Assembly, assembled
from daemon.agent.command import _serve
from daemon.clock import Moment, SystemClock
from daemon.cluster.access import in_pod
from daemon.config import AgentSettings
from daemon.credentials.sources import Credentials
from daemon.ending import Ending
from tests.servers.apiserver import ApiServer


END_SECONDS = 30.0


class SteppedClock:
    """The machine's clocks and how far a test has put each of them from there."""

    def __init__(self) -> None:
        self._machine = SystemClock()
        self._wall = timedelta()
        self._seconds = 0.0

    def now(self) -> Moment:
        """Return this instant."""
        now = self._machine.now()
        return Moment(seconds=now.seconds + self._seconds, at=now.at + self._wall)

    def set_wall(self, step: timedelta) -> None:
        """Put the wall clock forward or back, as whoever sets a clock does; durations go on."""
        self._wall += step

    def sleep(self, seconds: float) -> None:
        """Let both clocks pass over a time in which the machine was suspended."""
        self._seconds += seconds
        self._wall += timedelta(seconds=seconds)


class SteppedAgent:
    """An agent that runs in threads of this process."""

    def __init__(self, assembly: Assembly) -> None:
        self._port = assembly.server.port

    def metric(self, name: str) -> float:
        """Return one sample of /metrics by its name with all its labels, 0 where it is absent."""
        rows = (line.rpartition(" ") for line in self.get("/metrics")[1].splitlines())
        return next((float(value) for head, _, value in rows if head == name), 0.0)

    def get(self, path: str) -> tuple[int, str]:
        """Return the status and text of a path of its HTTP server."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self._port}{path}", timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()


@contextlib.contextmanager
def stepped_agent(
    apiserver: ApiServer, folder: Path, *, node_name: str, endpoint: str, clock: SteppedClock
) -> Iterator[SteppedAgent]:
    """Run an agent until the end of the context, where it ends as on SIGTERM; a part that dies fails the test."""
    account = apiserver.service_account_folder(folder, "prewarm-system", "prewarm-agent", node=node_name)
    settings = AgentSettings(node_name=node_name, runtime_endpoint=endpoint, listen="127.0.0.1:0", min_free="0")
    access = in_pod(account, environment=apiserver.service_environment())
    assembly = assembled(settings, access=access, credentials=Credentials(), clock=clock)
    ending, codes = Ending(), list[int]()
    thread = threading.Thread(
        target=lambda: codes.append(_serve(assembly, coordination=None, ending=ending)), name="agent"
    )
    thread.start()
    try:
        yield SteppedAgent(assembly)
    finally:
        ending._caught(signal.SIGTERM, None)
        thread.join(END_SECONDS)
        assert [0] == codes
