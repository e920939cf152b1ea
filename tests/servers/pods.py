"""
A command of `prewarm` as a Pod runs it: a process with a service account's folder and nothing of the machine's.

It listens on a free loopback port, which its own log tells. A role's options are agent.py's and coordinator.py's.
"""

import json
import os
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.servers.apiserver import ApiServer
from tests.servers.processes import Process, ServerFailed, until


ROOT = Path(__file__).parents[2]
# What the kubelet gives a Pod to end.
GRACE_SECONDS = 30

Json = dict[str, Any]


class PodProcess:
    """
    One such process.

    Args:
        role: the command, such as "agent".
        apiserver: where its objects are.
        folder: its own: the token, its log, its home.
        name: of its Pod.
        account: namespace and name of its service account.
        node: binds its token to a Pod on this node, where it is given.
        options: of the command.
        variables: environment variables beside those of a Pod.
        host: the API server's address, such as ::1 in place of the usual.
        python: what runs it, with the folders that its PYTHONPATH has beside the product's.
    """

    def __init__(
        self,
        role: str,
        apiserver: ApiServer,
        folder: Path,
        *,
        name: str,
        account: tuple[str, str],
        node: str | None = None,
        options: Sequence[str] = (),
        variables: Mapping[str, str] | None = None,
        host: str | None = None,
        python: tuple[Path, Sequence[Path]] = (Path(sys.executable), ()),
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        program, libraries = python
        self.folder = folder
        self.name = name
        self._role = role
        self._apiserver = apiserver
        self._account = account
        self._node = node
        ours = ["--listen", "127.0.0.1:0", "--service-account-folder", str(folder / "account")]
        self._process = Process(
            [program, "-m", "daemon", role, *ours, *options],
            log=folder / f"{role}.log",
            environment={
                "PATH": os.environ["PATH"],
                "PYTHONPATH": os.pathsep.join(map(str, (ROOT, *libraries))),
                "HOME": str(folder),
                "POD_NAME": name,
                **apiserver.service_environment(host=host),
                **(variables or {}),
            },
        )

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        was_running = self._process.is_running
        code = self.stop()
        if was_running and code != 0 and error is None:
            raise ServerFailed(f"the {self._role} was told to end, and its exit code is {code}\n{self.tail()}")

    @property
    def process(self) -> Process:
        """The process, to freeze or to look at."""
        return self._process

    @property
    def port(self) -> int:
        """Where its HTTP server listens."""
        return int(self._starts()[-1]["port"])

    def start(self) -> None:
        """Start it, with a fresh token, and return when it serves HTTP; nothing else need be there."""
        namespace, name = self._account
        self._apiserver.service_account_folder(self.folder / "account", namespace, name, node=self._node)
        before = len(self._starts())
        self._process.start(lambda: len(self._starts()) > before)

    def stop(self) -> int | None:
        """End it as the kubelet does, by SIGTERM, and return its exit code; None where it outlived the grace period."""
        return self._process.stop(timeout_seconds=GRACE_SECONDS)

    def kill(self) -> None:
        """Kill it by SIGKILL, as the kernel does when memory runs out."""
        self._process.kill()

    def freeze(self) -> None:
        """Stop its execution, as a machine that is suspended does: its connections stay open."""
        self._process.freeze()

    def thaw(self) -> None:
        """Let it go on after a freeze."""
        self._process.thaw()

    def lines(self) -> list[Json]:
        """Return what it logged so far; every line is JSON, or this fails."""
        text = self._process.log.read_text() if self._process.log.exists() else ""
        return [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]

    def told(self, event: str) -> list[Json]:
        """Return the lines of its log that tell this event."""
        return [line for line in self.lines() if line.get("event") == event]

    def get(self, path: str) -> tuple[int, str]:
        """Return the status and text of a path of its HTTP server."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    def metric(self, name: str, **labels: str) -> float:
        """Return the sum of the samples of /metrics that have this name and these labels, 0 where there is none."""
        wanted = {f'{key}="{value}"' for key, value in labels.items()}
        found = 0.0
        for line in self.get("/metrics")[1].splitlines():
            head, _, value = line.rpartition(" ")
            label_text = head.partition("{")[2].removesuffix("}")
            if head.partition("{")[0] == name and wanted <= set(label_text.split(",")):
                found += float(value)
        return found

    def is_not_ready(self, words: str = "") -> bool:
        """Tell whether /readyz fails and says these words."""
        status, text = self.get("/readyz")
        return status == 503 and words in text

    def state(self) -> Json:
        """Return what /state shows."""
        found: Json = json.loads(self.get("/state")[1])
        return found

    def until_state(self, condition: Callable[[Json], bool], *, what: str, timeout_seconds: float = 30) -> Json:
        """Return what /state shows when it first fits."""
        found: list[Json] = []

        def fits() -> bool:
            found[:] = [self.state()]
            return condition(found[0])

        until(fits, what=f"{self.name}: {what}", timeout_seconds=timeout_seconds)
        return found[0]

    def until_ready(self) -> None:
        """Wait until /readyz is content."""
        until(lambda: self.get("/readyz")[0] == 200, what=f"{self.name} is ready", timeout_seconds=30)

    def tail(self) -> str:
        """Return the end of its log, for a person."""
        return self._process.tail()

    def _starts(self) -> list[Json]:
        return self.told(f"{self._role}_started")
