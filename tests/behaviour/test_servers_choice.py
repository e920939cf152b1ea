"""Which API server the tests take is its person's choice, and none of them outlives the tests."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.servers import apiserver_existing, binaries
from tests.servers.apiserver import ApiServer
from tests.servers.apiserver_existing import ClusterNotOffered, ExistingCluster, NotOurs
from tests.servers.apiserver_process import ControlPlane
from tests.servers.processes import until


ROOT = Path(__file__).parents[2]
PROGRAMS = ("etcd", "kube-apiserver", "kubectl")
ONE_TEST = "tests/behaviour/test_servers_apiserver.py::test_it_answers_its_administrator_and_kubectl"
FREEZING = "tests/behaviour/test_servers_apiserver.py::test_a_frozen_one_takes_connections_and_does_not_answer"
# Starts a server, says where it is, and waits to be killed.
HELD = """
import pathlib, sys
from tests.servers.apiserver import ApiServer
from tests.servers.apiserver_process import ControlPlane
processes = ControlPlane(pathlib.Path(sys.argv[1]))
with ApiServer(pathlib.Path(sys.argv[1]), server=processes):
    print(processes._process.pid, processes._etcd._process.pid, processes._etcd.folder, flush=True)
    sys.stdin.read()
"""


def test_assets_are_used_where_they_are_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """KUBEBUILDER_ASSETS names the folder that all three programs come from."""
    for name in PROGRAMS:
        (tmp_path / name).touch(mode=0o755)
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(tmp_path))

    found = binaries.kubernetes()

    assert [tmp_path / name for name in PROGRAMS] == [found.etcd, found.kube_apiserver, found.kubectl]


def test_incomplete_assets_are_refused_by_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A program that KUBEBUILDER_ASSETS lacks is named, and nothing of ours is mixed in."""
    for name in ("etcd", "kubectl"):
        (tmp_path / name).touch(mode=0o755)
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(tmp_path))

    with pytest.raises(FileNotFoundError, match=f"KUBEBUILDER_ASSETS={tmp_path} has no program kube-apiserver"):
        binaries.kubernetes()


def test_a_server_starts_from_assets(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What is started is what KUBEBUILDER_ASSETS names."""
    ours = binaries.kubernetes()
    assets = tmp_path / "assets"
    assets.mkdir()
    for program in (ours.etcd, ours.kube_apiserver, ours.kubectl):
        (assets / program.name).symlink_to(program)
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(assets))

    processes = ControlPlane(tmp_path / "api")
    with ApiServer(tmp_path / "api", server=processes) as server:
        answer = server.kubectl("version")
        command = Path(f"/proc/{processes._process.pid}/cmdline").read_text()

    assert f"Server Version: v{ours.version}" in answer
    assert command.startswith(str(assets / "kube-apiserver"))


def test_without_a_setting_no_cluster_is_taken(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """KUBECONFIG is never read, however it is set."""
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "precious"))

    assert apiserver_existing.offered() is None


def test_a_cluster_that_may_not_be_destroyed_is_refused(apiserver: ApiServer) -> None:
    """PREWARM_TEST_KUBECONFIG alone fails, and says which setting is missing and what it means."""
    done = _pytest(ONE_TEST, PREWARM_TEST_KUBECONFIG=str(apiserver.kubeconfig))

    assert 1 == done.returncode
    assert "set PREWARM_TEST_DESTROY=yes if it may be destroyed" in done.stdout


def test_a_cluster_that_may_be_destroyed_is_used(apiserver: ApiServer) -> None:
    """With both settings tests run on the person's cluster; those that would freeze it are skipped."""
    offered = {"PREWARM_TEST_KUBECONFIG": str(apiserver.kubeconfig), "PREWARM_TEST_DESTROY": "yes"}

    done = _pytest(ONE_TEST, FREEZING, **offered)

    assert 0 == done.returncode
    assert "1 passed, 1 skipped" in done.stdout
    assert "this test would freeze the API server" in done.stdout


def test_an_absent_file_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A path that names nothing is told as such."""
    monkeypatch.setenv("PREWARM_TEST_KUBECONFIG", str(tmp_path / "none"))
    monkeypatch.setenv("PREWARM_TEST_DESTROY", "yes")

    with pytest.raises(ClusterNotOffered, match="there is no such file"):
        apiserver_existing.offered()


def test_a_persons_cluster_is_reached_by_a_token(apiserver: ApiServer, namespace: str, tmp_path: Path) -> None:
    """A kubeconfig with a token is as good as one with a certificate."""
    token = apiserver.token(namespace, "person")
    user = apiserver.account(namespace, "person")
    apiserver.kubectl("create", "clusterrolebinding", namespace, "--clusterrole=cluster-admin", f"--user={user}")
    kubeconfig = tmp_path / "kubeconfig"
    for command in (
        ("set-cluster", "c", f"--server={apiserver.url}", f"--certificate-authority={apiserver.ca_file}"),
        ("set-credentials", "u", f"--token={token}"),
        ("set-context", "x", "--cluster=c", "--user=u"),
        ("use-context", "x"),
    ):
        apiserver.kubectl("config", *command, "--kubeconfig", kubeconfig)

    with ApiServer(tmp_path / "api", server=ExistingCluster(kubeconfig)) as existing:
        found = existing.request("GET", f"/api/v1/namespaces/{namespace}")
        with pytest.raises(NotOurs, match="would stop"):
            existing.stop()

    assert namespace == found["metadata"]["name"]


def test_nothing_outlives_a_killed_test_run(tmp_path: Path) -> None:
    """When a test run is killed its servers end with it, and the next server clears their memory."""
    held = subprocess.Popen(
        [sys.executable, "-c", HELD, tmp_path / "api"], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert held.stdout
    assert held.stdin
    with held:
        *pids, folder = held.stdout.readline().decode().split()
        assert Path(folder).is_dir()

        held.send_signal(signal.SIGKILL)

    until(lambda: not any(_runs(pid) for pid in pids), what="both servers to end", timeout_seconds=10)
    with ApiServer(tmp_path / "next"):
        assert not Path(folder).exists()


def _runs(pid: str) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state not in "ZX"


def _pytest(*tests: str, **settings: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q", "-rs", *tests]
    environment = {**os.environ, **settings}
    return subprocess.run(command, check=False, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=100)
