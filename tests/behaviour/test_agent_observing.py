"""What an operator sees of an agent: health, readiness, metrics, state and log, while things go well and while not."""

import json
import os
import pty
import re
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

from daemon import __version__
from daemon.observe.catalogue import METRICS
from tests.servers import binaries
from tests.servers.agent import AgentProcess, Json
from tests.servers.apiserver import ApiServer
from tests.servers.binaries import ContainerdBinaries
from tests.servers.containerd import Containerd
from tests.servers.fixtures_agent import StartAgent
from tests.servers.images import Push, PushedImage
from tests.servers.nodeimages import NodeImageOnServer, entry
from tests.servers.processes import until
from tests.servers.proxy import FaultProxy
from tests.servers.registry import Registry


MIB = 1 << 20
WAIT_SECONDS = 60.0
# A kubelet's probe waits for a second by default, ours for five.
PROBE_SECONDS = 5.0
# On a busy machine an API server takes half a minute to start, and the agent asks it again each half minute by then.
RETURN_SECONDS = 120.0


@pytest.fixture
def containerd_binaries() -> ContainerdBinaries:
    """One version: nothing here depends on it."""
    return binaries.containerd(binaries.NEWEST)


def live_through(node_image: NodeImageOnServer, agent: AgentProcess, containerd: Containerd, image: PushedImage) -> str:
    """Have an image pulled, asked for again, another one not found, and the first evicted; return the other's key."""
    node_image.want(image.key, entry("v1"))
    node_image.ended(image.key, "v1")
    node_image.want(image.key, entry("v1", version=2, policy="Always"))
    node_image.ended(image.key, "v1", version=2)
    missing = f"{image.host}/missing"
    node_image.want(missing, entry("v1", pullPolicy={"backoffLimit": 1}))
    node_image.ended(missing, "v1")
    containerd.ctr("images", "rm", image.reference)
    until(lambda: len(told(agent, "image_pulled")) == 3, what="the evicted image is back", timeout_seconds=WAIT_SECONDS)
    return missing


def told(agent: AgentProcess, event: str) -> list[Json]:
    """Return the log's lines of one event."""
    return [line for line in agent.lines() if line["event"] == event]


def test_the_metrics_count_what_happened(
    node_image: NodeImageOnServer, start_agent: StartAgent, containerd: Containerd, push: Push, registry: Registry
) -> None:
    """Each metric of the catalogue is there, and after a story the numbers are the story's."""
    agent = start_agent(node_image, containerd, options=["--min-free", "1%"])
    agent.until_ready()

    live_through(node_image, agent, containerd, push("app", tag="v1"))
    until(lambda: agent.metric("prewarm_pulls_running") == 0, what="nothing runs", timeout_seconds=WAIT_SECONDS)
    text = agent.get("/metrics")[1]

    assert [] == [one.name for one in METRICS if f"# TYPE {one.name} {one.kind}\n" not in text]
    attempts = [("pulled", ""), ("unchanged", ""), ("present", ""), ("failed", "ImageNotFound")]
    assert [2, 1, 0, 2] == [
        agent.metric("prewarm_attempts_total", result=result, reason=reason) for result, reason in attempts
    ]
    assert [2, 1, 2] == [
        agent.metric("prewarm_pull_duration_seconds_count", registry=registry.host, result=result)
        for result in ("pulled", "unchanged", "failed")
    ]
    assert 1 == agent.metric("prewarm_failures_total", reason="ImageNotFound")
    assert 1 == agent.metric("prewarm_evictions_total")
    states = ("succeeded", "failed", "waiting", "pulling", "suspended")
    assert [1, 1, 0, 0, 0] == [agent.metric("prewarm_images", state=state) for state in states]
    assert [0, 0, 1] == [agent.metric(f"prewarm_{name}") for name in ("pulls_running", "pulls_waiting", "runtime_up")]
    assert 1 == agent.metric("prewarm_build_info", version=__version__)


def test_the_metrics_tell_of_the_api_server_and_the_disk(
    node_image: NodeImageOnServer, start_agent: StartAgent, containerd: Containerd, push: Push
) -> None:
    """Requests by what they asked, each write of the status, when the watch was last right, and free space."""
    agent = start_agent(node_image, containerd, options=["--min-free", "1%"])
    agent.until_ready()
    image = push("app", tag="v1")

    node_image.want(image.key, entry("v1"))
    node_image.ended(image.key, "v1")
    until(lambda: agent.metric("prewarm_status_writes_total") >= 2, what="both writes", timeout_seconds=WAIT_SECONDS)

    written = agent.metric("prewarm_status_writes_total", result="written")
    patched = {"verb": "patch", "resource": "nodeimages/status", "code": "200"}
    assert written == agent.metric("prewarm_api_requests_total", **patched)
    for verb, resource in (("list", "nodeimages"), ("watch", "nodeimages"), ("create", "events")):
        assert 1 <= agent.metric("prewarm_api_requests_total", verb=verb, resource=resource), (verb, resource)
    assert abs(time.time() - agent.metric("prewarm_last_sync_timestamp_seconds")) < WAIT_SECONDS
    assert [0, 0] == [agent.metric("prewarm_watch_restarts_total"), agent.metric("prewarm_events_dropped_total")]
    free, size, floor = (agent.metric(f"prewarm_image_filesystem_{name}_bytes") for name in ("free", "size", "floor"))
    assert 0 < free < size
    assert size * 0.01 == pytest.approx(floor, rel=0.001)


def test_the_log_has_a_line_for_what_happened(
    node_image: NodeImageOnServer, start_agent: StartAgent, containerd: Containerd, push: Push
) -> None:
    """JSON with a time, a level, the node, and the image, version and attempt that it is about."""
    agent = start_agent(node_image, containerd)
    image = push("app", tag="v1")

    missing = live_through(node_image, agent, containerd, image)

    lines = agent.lines()
    brought = [line for line in lines if line.get("image") == image.reference]
    assert [
        ("pull_started", 1, 1),
        ("image_pulled", 1, 1),
        ("pull_started", 2, 1),
        ("image_pulled", 2, 1),
        ("image_lost", 2, None),
        ("pull_started", 2, 1),
        ("image_pulled", 2, 1),
    ] == [(line["event"], line["version"], line.get("attempt")) for line in brought]
    failing = [(line["event"], line["attempt"]) for line in lines if line.get("image") == f"{missing}:v1"]
    expected = [("pull_started", 1), ("attempt_failed", 1), ("pull_started", 2), ("image_failed", 2)]
    assert expected == failing
    (failed,) = told(agent, "image_failed")
    assert ("error", "ImageNotFound") == (failed["level"], failed["reason"])
    times = [datetime.fromisoformat(line["time"]) for line in lines]
    assert times == sorted(times)
    assert {node_image.name} == {line["node"] for line in lines}


def test_state_tells_how_far_a_pull_is(
    node_image: NodeImageOnServer, start_agent: StartAgent, containerd: Containerd, push: Push, faults: FaultProxy
) -> None:
    """In the middle of a slow pull and after it, with all that a person without a shell wants to know."""
    image = push("app", tag="v1", layers=[2 * MIB]).at(faults.host)
    faults.limit(MIB / 4)
    agent = start_agent(node_image, containerd)
    secret = {"namespace": "kruise-daemon-config", "name": "absent"}

    node_image.want(image.key, entry("v1", version=7), pullSecrets=[secret])
    during = state_when(agent, lambda found: (found["progress"] or {}).get("bytes_done", 0) > 0)
    faults.limit(None)
    node_image.ended(image.key, "v1", version=7)
    after = state_when(agent, lambda found: found["state"] == "succeeded")

    (pulling,), (done,) = during["images"], after["images"]
    about = {"repository": image.key, "tag": "v1", "image": image.reference, "version": 7, "attempt": 1}
    assert about == {name: pulling[name] for name in about} == {name: done[name] for name in about}
    assert ("pulling", "Pulling", 1) == (pulling["state"], pulling["phase"], during["counts"]["attempts_running"])
    progress = pulling["progress"]
    assert 0 < progress["bytes_done"] < progress["bytes_total"]
    assert image.layer_bytes <= progress["bytes_total"] < image.layer_bytes + 10_000
    assert progress["bytes_done"] * 100 // progress["bytes_total"] == progress["percent"]
    assert ("Succeeded", image.digest, True) == (done["phase"], done["digest"], done["changed"])
    assert done["running"] is None
    assert ["kruise-daemon-config/absent"] == done["wanted"]["pull_secrets"]
    assert {"known": True, "uid": node_image.read()["metadata"]["uid"], "generation": 2} == after["node_image"]
    assert (True, "") == (after["api"]["synced"], after["api"]["problem"])
    assert (containerd.endpoint, True) == (after["runtime"]["endpoint"], after["runtime"]["up"])
    assert after["runtime"]["version"].startswith(f"containerd://{containerd.binaries.version}")
    assert (node_image.name, __version__) == (after["agent"]["node"], after["agent"]["version"])
    assert 0 < agent.metric("prewarm_pull_bytes_total", registry=faults.host) <= progress["bytes_total"]


def state_when(agent: AgentProcess, condition: Callable[[Json], bool]) -> Json:
    """Return /state as it is when its one image first fits."""

    def fitting() -> Json | None:
        status, text = agent.get("/state")
        assert 200 == status
        found: Json = json.loads(text)
        return found if found["images"] and condition(found["images"][0]) else None

    state = until(fitting, what="/state", timeout_seconds=WAIT_SECONDS)
    assert state is not None
    return state


def test_a_person_at_a_terminal_gets_readable_lines(
    node_image: NodeImageOnServer, start_agent: StartAgent, containerd: Containerd
) -> None:
    """Time, level, event and key=value, without a flag for it; Ctrl-C ends it in order."""
    agent = start_agent(node_image, containerd)
    agent.stop()

    with Terminal(agent) as terminal:
        terminal.until("node_image_found")
        terminal.process.send_signal(signal.SIGINT)
        code = terminal.process.wait(timeout=WAIT_SECONDS)
        lines = terminal.screen().splitlines()

    assert 0 == code
    started = rf"\S+Z info +agent_started node={node_image.name} version={re.escape(__version__)} port=\d+"
    assert re.fullmatch(started, next(line for line in lines if "agent_started" in line))
    assert [] == [line for line in lines if not re.match(r"\d{4}-\d\d-\d\dT\S+Z (info|warning) +\w+( \w+=.+)*$", line)]
    assert lines[-1].endswith(f"agent_stopped node={node_image.name}")


class Terminal:
    """An agent's own command on a terminal of its own, until the end of the block."""

    def __init__(self, agent: AgentProcess) -> None:
        self._master, self._slave = pty.openpty()
        os.set_blocking(self._master, False)
        self._text = bytearray()
        self.process = subprocess.Popen(
            agent.process.arguments,
            env=agent.process._environment,
            stdin=self._slave,
            stdout=self._slave,
            stderr=self._slave,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            error.add_note(self.screen())
        self.process.kill()
        self.process.wait(timeout=WAIT_SECONDS)
        os.close(self._slave)
        os.close(self._master)

    def screen(self) -> str:
        """Return all that was written to it so far."""
        with suppress(BlockingIOError):
            while data := os.read(self._master, 65536):
                self._text.extend(data)
        return self._text.decode(errors="replace")

    def until(self, word: str) -> None:
        """Wait until a word was written to it."""
        until(lambda: word in self.screen(), what=f"{word} on the screen", timeout_seconds=WAIT_SECONDS)


def test_a_runtime_that_goes_is_named_and_its_return_is_noticed(
    node_image: NodeImageOnServer, start_agent: StartAgent, containerd: Containerd
) -> None:
    """Though nothing is wanted; liveness never depends on it, since a restart of the agent mends nothing."""
    agent = start_agent(node_image, containerd)
    agent.until_ready()

    containerd.stop()
    # First come the words of the connection that was cut, a second later those of the socket.
    until_not_ready(agent, beginning="runtime: RuntimeUnavailable: ", word=str(containerd.socket))
    during = (agent.get("/healthz"), agent.metric("prewarm_runtime_up"))
    containerd.start()
    agent.until_ready()

    assert ((200, "ok\n"), 0) == during
    assert (1, (200, "ok\n")) == (agent.metric("prewarm_runtime_up"), agent.get("/readyz"))
    assert (1, 1) == (len(told(agent, "runtime_lost")), len(told(agent, "runtime_found")))


def until_not_ready(agent: AgentProcess, *, beginning: str, word: str = "") -> str:
    """Wait until /readyz is not content for what begins so and has a word, and return that line."""

    def said() -> str:
        status, text = agent.get("/readyz")
        assert status in {200, 503}
        lines = text.splitlines() if status == 503 else []
        return next((line for line in lines if line.startswith(beginning) and word in line), "")

    return until(said, what=f"{agent.node_name} is not ready: {beginning}", timeout_seconds=WAIT_SECONDS)


def test_a_runtime_that_hangs_holds_up_no_answer(
    node_image: NodeImageOnServer, start_agent: StartAgent, containerd: Containerd, push: Push
) -> None:
    """Each path answers as fast as a probe needs it; what cannot be measured is left out; after it, work goes on."""
    agent = start_agent(node_image, containerd)
    agent.until_ready()
    image = push("app", tag="v1")

    containerd.freeze()
    try:
        node_image.want(image.key, entry("v1"))
        until_not_ready(agent, beginning="runtime: RuntimeUnavailable: ")
        until(lambda: not has_space(timed(agent, "/metrics")), what="no free space", timeout_seconds=WAIT_SECONDS)
        answers = {path: timed(agent, path) for path in ("/healthz", "/state", "/metrics")}
    finally:
        containerd.thaw()
    status = node_image.ended(image.key, "v1")

    assert "ok\n" == answers["/healthz"]
    assert json.loads(answers["/state"])["space"] is None
    assert ("Succeeded", 1) == (status["phase"], status["attempt"])


def has_space(metrics: str) -> bool:
    """Tell whether free space has a sample."""
    return re.search(r"^prewarm_image_filesystem_free_bytes ", metrics, re.MULTILINE) is not None


def timed(agent: AgentProcess, path: str) -> str:
    """Return what a path answers, which has to be a 200 and in a probe's time."""
    began = time.monotonic()
    status, text = agent.get(path)
    assert (200, True) == (status, time.monotonic() - began < PROBE_SECONDS), path
    return text


def test_a_runtime_is_waited_for_where_runtimes_usually_are(
    node_image: NodeImageOnServer, deployed: ApiServer, containerd: Containerd, push: Push, workdir: Path
) -> None:
    """Without --runtime-endpoint on a node whose runtime starts last: it says where it looks, and then works."""
    sockets = workdir / "run/containerd"
    sockets.mkdir(parents=True)
    image = push("app", tag="v1")
    node_image.want(image.key, entry("v1"))

    python = (with_own_run(workdir), ())
    with AgentProcess(deployed, workdir / "agent", node_name=node_image.name, python=python) as agent:
        words = until_not_ready(agent, beginning="runtime: RuntimeUnavailable: no container runtime answers (")
        waiting = node_image.until(image.key, "v1", bool, what="is reported")
        (sockets / "containerd.sock").symlink_to(containerd.socket)
        status = node_image.ended(image.key, "v1")
        agent.until_ready()
        endpoint = json.loads(agent.get("/state")[1])["runtime"]["endpoint"]

    assert "unix:///run/containerd/containerd.sock: no such socket" in words
    assert "Waiting" == waiting["phase"]
    assert ("Succeeded", 1) == (status["phase"], status["attempt"])
    assert "unix:///run/containerd/containerd.sock" == endpoint


def with_own_run(workdir: Path) -> Path:
    """Return a program that is Python with `workdir`/run as its /run, where this machine's own runtime is not."""
    program = workdir / "python"
    inner = f'mount --bind "{workdir}/run" /run && exec "{sys.executable}" "$@"'
    program.write_text(f"#!/bin/sh\nexec unshare --mount --propagation private sh -c '{inner}' sh \"$@\"\n")
    program.chmod(stat.S_IRWXU)
    return program


@pytest.mark.timeout(300)
def test_an_api_server_that_goes_is_named_and_its_return_is_logged(
    node_image: NodeImageOnServer, start_agent: StartAgent, containerd: Containerd, deployed: ApiServer
) -> None:
    """The agent lives on; whoever reads the log later sees the end of it too."""
    agent = start_agent(node_image, containerd)
    agent.until_ready()

    deployed.stop()
    try:
        words = until_not_ready(agent, beginning="api: watch: ")
        alive = agent.get("/healthz")
        problem = json.loads(agent.get("/state")[1])["api"]["problem"]
    finally:
        deployed.start()
    until(lambda: agent.get("/readyz")[0] == 200, what="it is ready again", timeout_seconds=RETURN_SECONDS)
    until(lambda: told(agent, "watch_works_again"), what="the end in the log", timeout_seconds=WAIT_SECONDS)

    assert ((200, "ok\n"), f"api: {problem}") == (alive, words)
    assert told(agent, "watch_failed")
    assert 1 <= agent.metric("prewarm_watch_restarts_total")


@pytest.mark.timeout(300)
def test_an_api_server_that_is_away_at_the_start_is_waited_for(
    node_image: NodeImageOnServer, start_agent: StartAgent, containerd: Containerd, deployed: ApiServer, push: Push
) -> None:
    """A node that boots with its control plane: it is up, says what it waits for, and then works."""
    image = push("app", tag="v1")
    agent = start_agent(node_image, containerd)
    agent.stop()
    node_image.want(image.key, entry("v1"))

    deployed.stop()
    try:
        starts = len(told(agent, "agent_started"))
        agent.process.start(lambda: len(told(agent, "agent_started")) > starts)
        words = until_not_ready(agent, beginning="api: watch: ")
        answers = {path: agent.get(path)[0] for path in ("/healthz", "/metrics", "/state")}
    finally:
        deployed.start()
    until(
        lambda: node_image.tag(image.key, "v1").get("phase") == "Succeeded",
        what="it works",
        timeout_seconds=RETURN_SECONDS,
    )

    assert "connection refused" in words.lower()
    assert {"/healthz": 200, "/metrics": 200, "/state": 200} == answers
