"""
`prewarm agent` as a Pod runs it: a process of its own with a service account's folder and nothing of the machine's.

It listens on a free loopback port, which its own log tells.
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
NAMESPACE = "prewarm-system"
ACCOUNT = "prewarm-agent"
# What the kubelet gives a Pod to end.
GRACE_SECONDS = 30

Json = dict[str, Any]


class AgentProcess:
    """
    The agent of one node.

    Arguments:
        apiserver: where its NodeImage is.
        folder: its own: the token, its log, its home.
        node_name: whose NodeImage it serves.
        endpoint: the container runtime's socket; "" lets it look for one.
        options: further ones, such as "--min-free", "10%".
        variables: environment variables beside those of a Pod.
        account: namespace and name of its service account; its token is bound to a Pod on the node.
        host: the API server's address, such as ::1 in place of the usual.
        python: what runs it, with the folders that its PYTHONPATH has beside the product's.
    """

    def __init__(
        self,
        apiserver: ApiServer,
        folder: Path,
        *,
        node_name: str,
        endpoint: str = "",
        options: Sequence[str] = (),
        variables: Mapping[str, str] | None = None,
        account: tuple[str, str] = (NAMESPACE, ACCOUNT),
        host: str | None = None,
        python: tuple[Path, Sequence[Path]] = (Path(sys.executable), ()),
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        program, libraries = python
        self.folder = folder
        self.node_name = node_name
        self._apiserver = apiserver
        self._account = account
        self._process = Process(
            [program, "-m", "daemon", *self._arguments(endpoint, options)],
            log=folder / "agent.log",
            environment={
                "PATH": os.environ["PATH"],
                "PYTHONPATH": os.pathsep.join(map(str, (ROOT, *libraries))),
                "HOME": str(folder),
                "POD_NAME": f"agent-{node_name}",
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
            raise ServerFailed(f"the agent was told to end, and its exit code is {code}\n{self.tail()}")

    @property
    def process(self) -> Process:
        """The process, to freeze or to look at."""
        return self._process

    @property
    def port(self) -> int:
        """Where its HTTP server listens."""
        started = [line for line in self.lines() if line.get("event") == "agent_started"]
        return int(started[-1]["port"])

    def start(self) -> None:
        """Start it, with a fresh token, and return when it serves HTTP; nothing else need be there."""
        namespace, name = self._account
        self._apiserver.service_account_folder(self.folder / "account", namespace, name, node=self.node_name)
        before = self._starts()
        self._process.start(lambda: self._starts() > before)

    def stop(self) -> int | None:
        """End it as the kubelet does, by SIGTERM, and return its exit code; None where it outlived the grace period."""
        return self._process.stop(timeout_seconds=GRACE_SECONDS)

    def kill(self) -> None:
        """Kill it by SIGKILL, as the kernel does when memory runs out."""
        self._process.kill()

    def lines(self) -> list[Json]:
        """Return what it logged so far; every line is JSON, or this fails."""
        text = self._process.log.read_text() if self._process.log.exists() else ""
        return [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]

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

    def state(self) -> Json:
        """Return what /state shows."""
        found: Json = json.loads(self.get("/state")[1])
        return found

    def until_state(self, condition: Callable[[Json], bool], *, what: str) -> Json:
        """Return what /state shows when it first fits."""
        found: list[Json] = []

        def fits() -> bool:
            found[:] = [self.state()]
            return condition(found[0])

        until(fits, what=f"{self.node_name}: {what}", timeout_seconds=30)
        return found[0]

    def until_ready(self) -> None:
        """Wait until /readyz is content."""
        until(lambda: self.get("/readyz")[0] == 200, what=f"{self.node_name} is ready", timeout_seconds=30)

    def tail(self) -> str:
        """Return the end of its log, for a person."""
        return self._process.tail()

    def _starts(self) -> int:
        return sum(1 for line in self.lines() if line.get("event") == "agent_started")

    def _arguments(self, endpoint: str, options: Sequence[str]) -> list[str]:
        runtime = ["--runtime-endpoint", endpoint] if endpoint else []
        account = ["--service-account-folder", str(self.folder / "account")]
        # The machine's own disk plays no part, unless a test says so.
        ours = ["--node-name", self.node_name, "--listen", "127.0.0.1:0", "--min-free", "0", *account]
        return ["agent", *ours, *runtime, *options]
