"""`prewarm agent` as a command: bad input is one line and code 2, each way to give a setting works, an end is 0."""

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest
import trustme

from tests.servers import binaries
from tests.servers.agent import ROOT, Json
from tests.servers.apiserver import ApiServer
from tests.servers.binaries import ContainerdBinaries
from tests.servers.containerd import Containerd
from tests.servers.fixtures_agent import StartAgent
from tests.servers.images import Push
from tests.servers.nodeimages import NodeImageOnServer, entry
from tests.servers.processes import until
from tests.servers.proxy import FaultProxy


MIB = 1 << 20
WAIT_SECONDS = 60.0
IN_POD = {"KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": "1"}


@pytest.fixture
def containerd_binaries() -> ContainerdBinaries:
    """One version: nothing here depends on it."""
    return binaries.containerd(binaries.NEWEST)


@pytest.fixture
def account(tmp_path: Path) -> Path:
    """A service account's folder as a Pod has it, for an API server that is away."""
    folder = tmp_path / "account"
    folder.mkdir()
    trustme.CA().cert_pem.write_to_path(str(folder / "ca.crt"))
    (folder / "token").write_text("token-of-the-test")
    return folder


def command(*options: str | Path) -> list[str]:
    """Return the command line."""
    return [sys.executable, "-m", "daemon", "agent", *map(str, options)]


def environment(variables: Mapping[str, str]) -> dict[str, str]:
    """Return these variables and what Python needs, and nothing of the machine's."""
    return {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **variables}


def refused(*options: str | Path, **variables: str) -> str:
    """Run a command that cannot start, and return what it says: on standard error alone, with exit code 2."""
    done = subprocess.run(
        command(*options),
        env=environment(variables),
        capture_output=True,
        text=True,
        check=False,
        timeout=WAIT_SECONDS,
    )
    assert (2, "") == (done.returncode, done.stdout)
    assert "Traceback" not in done.stderr
    return done.stderr


class Running:
    """An agent that runs until the end of the block, with exactly these options and variables."""

    def __init__(self, folder: Path, *options: str | Path, **variables: str) -> None:
        self._log = folder / "agent.log"
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(command(*options), env=environment(variables), stdout=log, stderr=log)

    def __enter__(self) -> Self:
        until(self._port, what="the agent has started", timeout_seconds=WAIT_SECONDS)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            error.add_note(self._log.read_text())
        self.process.kill()
        self.process.wait(timeout=WAIT_SECONDS)

    def state(self) -> Json:
        """Return what /state shows."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self._port()}/state", timeout=10) as answer:
            found: Json = json.loads(answer.read())
        return found

    def end(self, number: signal.Signals) -> int:
        """Send a signal and return the exit code."""
        self.process.send_signal(number)
        return self.process.wait(timeout=WAIT_SECONDS)

    def _port(self) -> int:
        assert self.process.poll() is None, self._log.read_text()
        lines = [json.loads(line) for line in self._log.read_text().splitlines(keepends=True) if line.endswith("\n")]
        return next((int(line["port"]) for line in lines if line["event"] == "agent_started"), 0)


@pytest.mark.parametrize(
    ("options", "variables", "expected"),
    [
        ([], {}, "--node-name: required, the node that this agent serves (in a Pod: NODE_NAME by fieldRef)"),
        (["--node-name", "Worker 1"], {}, '--node-name: "Worker 1" is no name of an object'),
        ([], {"NODE_NAME": "Worker_1"}, 'NODE_NAME: "Worker_1" is no name of an object'),
        (["--node-name", "n", "--min-free", "much"], {}, '--min-free: "much" is neither a percentage'),
        (["--node-name", "n"], {"PREWARM_MIN_FREE": "much"}, 'PREWARM_MIN_FREE: "much" is neither a percentage'),
        (["--node-name", "n", "--max-concurrent-pulls", "0"], {}, "--max-concurrent-pulls: 0 is less than 1"),
        (["--node-name", "n", "--runtime-endpoint", "tcp://a"], {}, '--runtime-endpoint: "tcp://a" is neither'),
        (["--node-name", "n", "--plugin-config", "/etc/p.yaml"], {}, "--plugin-config: needs --plugin-bin-dir"),
        (["--node-name", "n"], {}, "no API server: the variable KUBERNETES_SERVICE_HOST is not set (not in a Pod?"),
        (["--node-name", "n"], {**IN_POD, "KUBERNETES_SERVICE_PORT": "x"}, "no API server: KUBERNETES_SERVICE_PORT is"),
        (["--node-name", "n", "--kubeconfig", "/none"], {}, "kubeconfig /none: No such file or directory"),
    ],
)
def test_bad_input_is_one_line(options: Sequence[str], variables: Mapping[str, str], expected: str) -> None:
    """It names the flag or the variable, the value, and what would do."""
    (line,) = refused(*options, **variables).splitlines()

    assert line.startswith(f"prewarm: {expected}")


def test_an_unknown_flag_is_named(tmp_path: Path) -> None:
    """With the command's own usage; half a flag is none, which a later release may give to another."""
    for flag in ("--nonsense", "--node"):
        *usage, line = refused(flag, "n").splitlines()

        assert ["usage: prewarm agent --node-name NAME [OPTION]..."] == usage
        assert line.startswith(f"prewarm agent: error: unrecognized arguments: {flag}")


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("token", None, "no API server: {}/token is missing (not in a Pod? give --kubeconfig)"),
        ("ca.crt", None, "no API server: {}/ca.crt is missing (not in a Pod? give --kubeconfig)"),
        ("ca.crt", "no certificate", "CA file {}/ca.crt: it holds no usable certificate"),
    ],
)
def test_a_broken_service_account_names_the_file(account: Path, name: str, content: str | None, expected: str) -> None:
    """A Pod without its account's volume, or with one that is no account's."""
    (account / name).unlink()
    if content is not None:
        (account / name).write_text(content)

    (line,) = refused("--node-name", "n", "--service-account-folder", account, **IN_POD).splitlines()

    assert line.startswith(f"prewarm: {expected.format(account)}")


def test_a_kubeconfig_of_no_use_is_not_quoted(tmp_path: Path) -> None:
    """Half of one can have a token in it, on the line that cannot be read."""
    broken = tmp_path / "kubeconfig"
    broken.write_text("users: [{name: a, user: {token: s3cret-of-the-test\n")

    (line,) = refused("--node-name", "n", "--kubeconfig", broken).splitlines()

    assert line.startswith(f"prewarm: kubeconfig {broken}: the current context is of no use")
    assert "s3cret" not in line


@pytest.mark.parametrize("address", ["nonsense", "example.org:80", "127.0.0.1:99999", "::1:80"])
def test_an_address_that_is_none_is_named(account: Path, address: str) -> None:
    """Before anything starts."""
    options = ("--node-name", "n", "--service-account-folder", account, "--listen", address)

    (line,) = refused(*options, **IN_POD).splitlines()

    assert line.startswith(f'prewarm: "{address}" is no address to listen on: ')


def test_a_port_that_is_taken_is_named(account: Path) -> None:
    """Two agents of one node, say, or one beside kruise-daemon, whose port ours is."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        options = ("--node-name", "n", "--service-account-folder", account, "--listen", address)
        (line,) = refused(*options, **IN_POD).splitlines()

    assert f"prewarm: cannot listen on {address}: Address already in use" == line


SETTINGS = {
    "runtime_endpoint": "/absent/c.sock",
    "max_concurrent_pulls": 3,
    "min_free": "5Gi",
    "secret_namespace": "copies",
    "has_owner_events": True,
    "plugin_config": "/absent/plugins.yaml",
}


def test_every_flag_has_a_variable(account: Path, tmp_path: Path) -> None:
    """A DaemonSet can be configured by its environment alone; SIGTERM ends it with 0, though nothing was there."""
    variables = {
        "PREWARM_NODE_NAME": "worker-1",
        "PREWARM_SERVICE_ACCOUNT_FOLDER": str(account),
        "PREWARM_RUNTIME_ENDPOINT": "/absent/c.sock",
        "PREWARM_MAX_CONCURRENT_PULLS": "3",
        "PREWARM_MIN_FREE": "5Gi",
        "PREWARM_LISTEN": "127.0.0.1:0",
        "PREWARM_SECRET_NAMESPACE": "copies",
        "PREWARM_OWNER_EVENTS": "true",
        "PREWARM_PLUGIN_CONFIG": "/absent/plugins.yaml",
        "PREWARM_PLUGIN_BIN_DIR": "/absent",
        "PREWARM_LOG_FORMAT": "json",
    }

    with Running(tmp_path, **variables, **IN_POD) as agent:
        state = agent.state()
        code = agent.end(signal.SIGTERM)

    assert (0, "worker-1", SETTINGS) == (code, state["agent"]["node"], state["settings"])


def test_the_flags_of_kruise_daemon_work(account: Path, tmp_path: Path) -> None:
    """Its own DaemonSet's arguments mean the same here; SIGINT ends it with 0 as well."""
    options = (
        "--addr=127.0.0.1:0",
        "--socket-file=/absent/c.sock",
        "--max-workers-for-pull-image=3",
        "--plugin-config-file=/absent/plugins.yaml",
        "--plugin-bin-dir=/absent",
        *("--service-account-folder", account, "--min-free", "5Gi", "--secret-namespace", "copies", "--owner-events"),
    )

    with Running(tmp_path, *options, NODE_NAME="worker-1", **IN_POD) as agent:
        state = agent.state()
        code = agent.end(signal.SIGINT)

    assert (0, "worker-1", SETTINGS) == (code, state["agent"]["node"], state["settings"])


def test_a_kubeconfig_serves_a_node(
    node_image: NodeImageOnServer, deployed: ApiServer, containerd: Containerd, push: Push, workdir: Path
) -> None:
    """Outside of any Pod: neither variables nor a service account's folder are needed."""
    image = push("app", tag="v1")
    options = ("--runtime-endpoint", containerd.endpoint, "--listen", "127.0.0.1:0", "--min-free", "0")

    with Running(workdir, "--node-name", node_image.name, "--kubeconfig", deployed.kubeconfig, *options):
        node_image.want(image.key, entry("v1"))
        status = node_image.ended(image.key, "v1")

    assert ("Succeeded", image.digest) == (status["phase"], status["digest"])


def test_a_second_signal_neither_hurries_nor_breaks_the_end(
    node_image: NodeImageOnServer,
    start_agent: StartAgent,
    containerd: Containerd,
    push: Push,
    faults: FaultProxy,
    deployed: ApiServer,
) -> None:
    """In a pull, at an API server that hangs: it ends in order and in the kubelet's grace period, with 0."""
    image = push("app", tag="v1", layers=[4 * MIB]).at(faults.host)
    faults.limit(MIB / 8)
    agent = start_agent(node_image, containerd)
    node_image.want(image.key, entry("v1"))
    until(lambda: faults.traffic.blob_bytes() > 0, what="the pull is in flight", timeout_seconds=WAIT_SECONDS)

    deployed.freeze()
    try:
        for number in (signal.SIGINT, signal.SIGTERM):
            os.kill(agent.process.pid, number)
            until(lambda: events(agent.lines(), "agent_stopping"), what="it stops", timeout_seconds=WAIT_SECONDS)
        until(lambda: not agent.process.is_running, what="it has ended", timeout_seconds=30)
        code = agent.stop()
    finally:
        deployed.thaw()

    assert 0 == code
    assert [1, 1] == [len(events(agent.lines(), name)) for name in ("agent_stopping", "agent_stopped")]


def events(lines: Sequence[Json], name: str) -> list[Json]:
    """Return the lines of one event."""
    return [line for line in lines if line["event"] == name]
