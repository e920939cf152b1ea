"""
Another client of the same API server: it changes one ConfigMap again and again, and notes how long each write takes.

It runs in a process of its own, as the client that it stands for does: `python -m bench.other_client KUBECONFIG`. Each
line that it prints is one write: when it began, in seconds of time.monotonic, and how long it took.
"""

import os
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from bench.hollow.senders import TIMEOUT_SECONDS
from daemon.cluster.interface import Operation
from daemon.cluster.kubeconfig import read_kubeconfig
from daemon.cluster.transport import HttpApi
from tests.servers.apiserver import ApiServer
from tests.servers.processes import Process, until


ROOT: Final = Path(__file__).parents[1]
COLLECTION: Final = "/api/v1/namespaces/default/configmaps"
NAME: Final = "other-client"
PAUSE_SECONDS: Final = 0.02
SLOWEST_SHARE: Final = 0.99


class OtherClient:
    """Writes while it is entered."""

    def __init__(self, apiserver: ApiServer, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._process = Process(
            [sys.executable, "-m", "bench.other_client", apiserver.kubeconfig],
            log=folder / "other.log",
            environment={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "HOME": str(folder)},
        )

    def __enter__(self) -> Self:
        self._process.start(lambda: bool(self._writes(since=0.0)))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.stop()

    def slowest_ms(self, *, since: float | None = None, seconds: float = 0.0) -> float:
        """Return the 99th percentile of the writes since a time of time.monotonic, or of so many seconds to come."""
        begins = time.monotonic() if since is None else since
        ends = begins + seconds
        until(lambda: time.monotonic() >= ends, what="the time is over", timeout_seconds=seconds + 10)
        taken = sorted(self._writes(since=begins))
        return 1000 * taken[min(len(taken) - 1, int(SLOWEST_SHARE * len(taken)))]

    def _writes(self, *, since: float) -> list[float]:
        if not self._process.log.exists():
            return []
        whole = [line for line in self._process.log.read_text().splitlines(keepends=True) if line.endswith("\n")]
        pairs = [line.split() for line in whole]
        return [float(taken) for began, taken in pairs if float(began) >= since]


def main(kubeconfig: Path) -> None:
    """Write until SIGTERM."""
    api = HttpApi(read_kubeconfig(kubeconfig), user_agent="other-client")
    api.create(
        COLLECTION,
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": NAME}, "data": {"n": "0"}},
        timeout_seconds=TIMEOUT_SECONDS,
    )
    count = 0
    while True:
        count += 1
        began = time.monotonic()
        step = Operation(op="add", path="/data/n", value=str(count))
        api.patch(f"{COLLECTION}/{NAME}", (step,), timeout_seconds=TIMEOUT_SECONDS)
        print(began, time.monotonic() - began, flush=True)
        time.sleep(PAUSE_SECONDS)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
