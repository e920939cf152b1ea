"""How `prewarm agent` begins and ends: bad input is one line and 2, a signal is 0, a part that dies is 1."""

import io
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec

from daemon.agent.assembly import assembled
from daemon.agent.command import _serve
from daemon.agent.ending import Ending
from daemon.clock import SystemClock
from daemon.config import AgentSettings
from daemon.credentials.sources import Credentials
from daemon.observe.logs import configure
from tests.servers.scripted_api import ScriptedApi
from tests.unit.observe.before import logging_as_before


DEADLINE_SECONDS = 30.0


class DeadWatch:
    """A watch with a defect."""

    def run(self) -> None:
        """Fail."""
        raise ZeroDivisionError

    def stop(self) -> None:
        """Have ended already."""


def command(folder: Path, *options: str) -> list[str]:
    """Return an agent's command line without a runtime, and with its files in a folder of the test's own."""
    ours = ["--node-name", "n1", "--runtime-endpoint", str(folder / "absent.sock"), "--listen", "127.0.0.1:0"]
    return [sys.executable, "-m", "daemon", "agent", *ours, "--service-account-folder", str(folder), *options]


def environment(**variables: str) -> dict[str, str]:
    """Return an environment that names no API server but what is given."""
    return {"PATH": os.environ["PATH"], **variables}


def ended(folder: Path, *options: str, **variables: str) -> tuple[int, Sequence[str]]:
    """Run an agent that cannot start, and return its exit code and what it said to its person."""
    done = subprocess.run(
        command(folder, *options),
        check=False,
        capture_output=True,
        env=environment(**variables),
        text=True,
        timeout=DEADLINE_SECONDS,
    )
    return done.returncode, done.stderr.splitlines()


def in_pod(api: ScriptedApi, folder: Path) -> dict[str, str]:
    """Put a Pod's files into the folder, and return its variables."""
    api.access(folder)
    return {"KUBERNETES_SERVICE_HOST": api.host, "KUBERNETES_SERVICE_PORT": str(api.port)}


def kubeconfig(api: ScriptedApi, folder: Path) -> Path:
    """Write a kubeconfig with a token."""
    ca_file = str(api.access(folder).ca_file)
    path = folder / "kubeconfig"
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": {"server": api.url, "certificate-authority": ca_file}}],
        "users": [{"name": "u", "user": {"token": "token-of-the-test"}}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "c",
    }
    path.write_text(json.dumps(content))
    return path


def test_without_an_api_server_it_ends_with_one_line(tmp_path: Path) -> None:
    """Outside of a Pod; the line says what to give."""
    code, lines = ended(tmp_path)

    assert (2, 1) == (code, len(lines))
    assert lines[0].startswith("prewarm: no API server: ")
    assert "--kubeconfig" in lines[0]


def test_an_address_that_is_taken_ends_it_with_one_line(tmp_path: Path) -> None:
    """Before anything is asked of an API server or a runtime."""
    with ScriptedApi() as api, socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        code, lines = ended(tmp_path, "--listen", address, **in_pod(api, tmp_path))

    assert (2, [f"prewarm: cannot listen on {address}: Address already in use"]) == (code, lines)
    assert [] == api.requests


def test_a_kubeconfig_serves_as_well_and_a_signal_ends_it_in_order(tmp_path: Path) -> None:
    """As a person starts it, against the server that the file names; 0 though neither runtime nor kinds are there."""
    with ScriptedApi() as api:
        process = subprocess.Popen(
            command(tmp_path, "--kubeconfig", str(kubeconfig(api, tmp_path))),
            env=environment(HOME=str(tmp_path)),
            stdout=subprocess.PIPE,
            text=True,
        )
        with process:
            assert process.stdout is not None
            started = json.loads(process.stdout.readline())
            process.send_signal(signal.SIGTERM)
            rest, _ = process.communicate(timeout=DEADLINE_SECONDS)

    events = [json.loads(line)["event"] for line in rest.splitlines()]
    assert ("agent_started", 0) == (started["event"], process.returncode)
    assert ["agent_stopping", "agent_stopped"] == [event for event in events if event.startswith("agent_")]


def test_a_part_that_dies_ends_the_process_and_is_named(tmp_path: Path) -> None:
    """With its traceback in the log: nobody goes on half, and a restart is the kubelet's."""
    stream = io.StringIO()
    settings = AgentSettings(node_name="n1", runtime_endpoint=str(tmp_path / "absent.sock"), listen="127.0.0.1:0")
    with ScriptedApi() as api, logging_as_before(), Ending() as ending:
        configure("json", stream=stream)
        whole = assembled(settings, access=api.access(tmp_path), credentials=Credentials(), clock=SystemClock())
        code = _serve(msgspec.structs.replace(whole, watch=DeadWatch()), ending=ending)

    died = next(line for line in map(json.loads, stream.getvalue().splitlines()) if line["event"] == "thread_died")
    assert (1, "watch") == (code, died["thread"])
    assert "ZeroDivisionError" in died["exception"]
