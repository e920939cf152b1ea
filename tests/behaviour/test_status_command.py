"""`prewarm status` on a real API server, as a person runs it: by a kubeconfig, with an account of few rights."""

import contextlib
import os
import pty
import signal
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.servers.apiserver import ApiServer
from tests.servers.crds import install, ours
from tests.servers.fixtures_apiserver import Names
from tests.servers.jobs import JobOnServer, job
from tests.servers.nodeimages import NodeImageOnServer, entry, owner
from tests.servers.persons import RBAC, Person, bound, kubeconfig_of, roles_in
from tests.servers.processes import until


Json = dict[str, Any]
MakeJob = Callable[..., JobOnServer]

DOCUMENT = Path(__file__).parents[2] / "docs/status.md"
REPOSITORY = "registry.test/team/app"
IMAGE = f"{REPOSITORY}:v1"
DIGEST = f"sha256:{'d' * 64}"


@pytest.fixture(scope="module")
def cluster(apiserver: ApiServer) -> ApiServer:
    """An API server with our CRDs, and the roles of docs/status.md."""
    install(apiserver, ours())
    for role in roles_in(DOCUMENT):
        apiserver.request("POST", f"{RBAC}/clusterroles", role)
    return apiserver


@pytest.fixture
def viewer(cluster: ApiServer, namespace: str, names: Names, tmp_path: Path) -> Person:
    """A person with the ClusterRole prewarm-viewer in the whole cluster, and this namespace in their context."""
    return bound(cluster, namespace, names("viewer"), tmp_path, role="prewarm-viewer")


@pytest.fixture
def make_job(cluster: ApiServer, namespace: str) -> MakeJob:
    """Make a job with a status, both as given."""

    def make(name: str = "base", status: Json | None = None, *, place: str = namespace, **spec: Any) -> JobOnServer:  # noqa: ANN401 - JSON
        made = JobOnServer(cluster, place, name)
        made.create(job(IMAGE, kind="Never", **spec))
        if status is not None:
            path = f"/apis/apps.kruise.io/v1beta1/namespaces/{place}/imagepulljobs/{name}/status"
            cluster.request("PATCH", path, {"status": {"desired": 0, "observedGeneration": 1, **status}})
        return made

    return make


def _ago(seconds: float) -> str:
    """Write a time so long ago."""
    return f"{datetime.now(UTC) - timedelta(seconds=seconds):%Y-%m-%dT%H:%M:%SZ}"


def _told(warm: int, cold: int, **prewarm: Any) -> Json:  # noqa: ANN401 - JSON
    """Return a status as a coordinator writes it."""
    ready = {"type": "Ready", "status": "False", "reason": "InProgress", "message": "going on"}
    nodes = {"warm": warm, "stale": 0, "cold": cold, "skipped": 0}
    counts = {"summary": f"{warm}/{warm + cold}", "nodes": nodes, "pulling": 1, "waiting": cold - 1, **prewarm}
    conditions = [{**ready, "lastTransitionTime": _ago(9)}]
    return {"desired": warm + cold, "succeeded": warm, "conditions": conditions, "prewarm": counts}


def _node(cluster: ApiServer, name: str, of: JobOnServer, **answer: Any) -> NodeImageOnServer:  # noqa: ANN401 - JSON
    """Make a NodeImage that has a job's entry, with what the node says of it."""
    made = NodeImageOnServer(cluster, name)
    owners = [owner(of.namespace, of.name, uid=of.uid)]
    # As patient as the job is by default: one that is less is granted anew.
    bounds = {"timeoutSeconds": 600, "backoffLimit": 3}
    wanted = entry("v1", createdAt=_ago(40), ownerReferences=owners, pullPolicy=bounds)
    made.create({REPOSITORY: {"tags": [wanted]}})
    agent = {"version": "0.1.0", "runtime": "containerd://2.3.7", "startedAt": _ago(900), "reportedAt": _ago(3)}
    statuses = {REPOSITORY: {"tags": [{"tag": "v1", "version": 1, "startTime": _ago(30), **answer}]}}
    status = {"desired": 1, "imageStatuses": statuses, "prewarm": {"agent": agent}}
    cluster.request("PATCH", f"/apis/apps.kruise.io/v1beta1/nodeimages/{name}/status", {"status": status})
    return made


def _warm() -> Json:
    return {"phase": "Succeeded", "completionTime": _ago(20), "imageID": f"a@{DIGEST}", "digest": DIGEST}


def _failed(message: str = "no such tag") -> Json:
    words = {"reason": "ImageNotFound", "message": message}
    return {"phase": "Failed", "completionTime": _ago(20), "attempt": 4, **words}


PULLING = {"phase": "Pulling", "progress": 50, "bytes": {"done": 1 << 20, "total": 2 << 20}}


def test_the_jobs_of_the_contexts_namespace_are_shown(viewer: Person, make_job: MakeJob) -> None:
    """READY, who waits, what is cold, and why."""
    make_job("base", _told(488, 312))
    make_job("new")

    head, base, new = (line.split() for line in viewer.output("status").splitlines())

    assert ("NAME", "AGE") == (head[0], head[-1])
    assert ["base", "488/800", "1", "311", "0", "312"] == base[:6]
    assert "InProgress" in base
    assert ("new", "Unobserved") == (new[0], new[-2])


def test_of_all_namespaces_each_row_has_its_own(
    cluster: ApiServer, viewer: Person, make_job: MakeJob, names: Names
) -> None:
    """With -A; with -n another one's."""
    other = names("other")
    cluster.request("POST", "/api/v1/namespaces", {"metadata": {"name": other}})
    make_job("base", _told(1, 2))
    make_job("elsewhere", _told(2, 2), place=other)

    everywhere = [line.split()[:3] for line in viewer.output("status", "-A").splitlines()]
    there = [line.split()[:2] for line in viewer.output("status", "-n", other).splitlines()]

    assert [other, "elsewhere", "2/4"] in everywhere
    assert ["base", "1/3"] in [line[1:] for line in everywhere]
    assert ["elsewhere", "2/4"] == there[1]
    assert 2 == len(there)


def test_the_table_needs_no_right_to_read_nodeimages(
    cluster: ApiServer, make_job: MakeJob, namespace: str, names: Names, tmp_path: Path
) -> None:
    """It reads jobs and lists, and nothing else."""
    role = names("jobs-alone")
    rule = {"apiGroups": ["apps.kruise.io"], "resources": ["imagepulljobs", "imagelistpulljobs"], "verbs": ["list"]}
    cluster.request("POST", f"{RBAC}/clusterroles", {"metadata": {"name": role}, "rules": [rule]})
    person = bound(cluster, namespace, names("person"), tmp_path, role=role)
    make_job("base", _told(1, 2))

    assert "1/3" in person.output("status", "-A")


def test_a_job_is_shown_with_its_nodes(cluster: ApiServer, viewer: Person, make_job: MakeJob, names: Names) -> None:
    """Who pulls and how far, who failed and why, and each by name, beyond the ten that its status names."""
    made = make_job("base", _told(1, 14), selector={"names": []})
    failed = [names("failed") for _ in range(12)]
    warm, pulling = names("warm"), names("pulling")
    for name in failed:
        _node(cluster, name, made, **_failed())
    _node(cluster, warm, made, **_warm())
    _node(cluster, pulling, made, **PULLING)

    page = viewer.output("status", "base")

    lines = [" ".join(line.split()) for line in page.splitlines()]
    assert "Ready: [#-------------------] 6%, 1/15 nodes" in lines
    assert any(line.startswith(f"{pulling} [##########----------] 50% 1.0 MiB of 2.0 MiB") for line in lines)
    assert any(line.startswith("ImageNotFound 12 ") and "no such tag" in line for line in lines)
    cold = [line.split()[0] for line in lines if " cold Failed ImageNotFound 4 " in line]
    assert sorted(failed) == cold
    assert warm not in page
    assert warm in viewer.output("status", "base", "-o", "wide")


def test_a_node_is_shown_with_its_images(cluster: ApiServer, viewer: Person, make_job: MakeJob, names: Names) -> None:
    """By its name; and by node/NAME where a job has the same."""
    same = names("same")
    made = make_job(same, _told(0, 1), selector={"names": [same]})
    other = names("node")
    _node(cluster, same, made, **_failed())
    _node(cluster, other, made, **_warm())

    by_name, by_kind = viewer.output("status", other), viewer.output("status", f"node/{same}")

    assert f"Node:       {other}\n" in by_name
    assert f"{made.namespace}/{same}" in by_name
    assert f"Node:       {same}\n" in by_kind
    assert "no such tag" in by_kind
    assert f"Name:     {made.namespace}/{same}\n" in viewer.output("status", same)
    assert viewer.output("status", f"nodeimage/{same}").splitlines()[:1] == by_kind.splitlines()[:1]


def test_documents_are_for_programs(cluster: ApiServer, viewer: Person, make_job: MakeJob, names: Names) -> None:
    """JSON and YAML of the same, for jobs, a job and a node."""
    made = make_job("base", _told(1, 1, eta="2030-01-01T00:00:00Z"), selector={"names": []})
    name = names("node")
    _node(cluster, name, made, **PULLING)

    jobs, one, node = (viewer.document("status", *named) for named in ((), ("base",), (name,)))

    assert (["base"], "2030-01-01T00:00:00Z") == ([each["name"] for each in jobs["jobs"]], jobs["jobs"][0]["eta"])
    assert {"selected": 2, "warm": 1, "stale": 0, "cold": 1, "skipped": 0} == one["job"]["nodes"]
    assert [(name, "cold", "Pulling", 50)] == [
        (each["node"], each["group"], each["state"], each["percent"]) for each in one["nodes"]
    ]
    assert [IMAGE] == [each["image"] for each in node["node"]["entries"]]
    as_yaml = yaml.safe_load(viewer.output("status", "base", "-o", "yaml"))
    assert {**one, "time": 0} == {**as_yaml, "time": 0}


def test_a_list_is_shown_with_the_jobs_of_its_images(
    cluster: ApiServer, viewer: Person, make_job: MakeJob, namespace: str
) -> None:
    """In the list's order, and as a row of its own beside them."""
    place = f"/apis/apps.kruise.io/v1beta1/namespaces/{namespace}/imagelistpulljobs"
    spec = {"images": ["b:1", IMAGE], "completionPolicy": {"type": "Always"}}
    kind = {"apiVersion": "apps.kruise.io/v1beta1", "kind": "ImageListPullJob"}
    made = cluster.request("POST", place, {**kind, "metadata": {"name": "nightly"}, "spec": spec})
    reference = {**kind, "name": "nightly", "uid": made["metadata"]["uid"]}
    child = make_job("nightly-1", _told(1, 1))
    cluster.request(
        "PATCH",
        f"/apis/apps.kruise.io/v1beta1/namespaces/{namespace}/imagepulljobs/{child.name}",
        {"metadata": {"ownerReferences": [reference]}},
    )

    table, page = viewer.output("status"), viewer.output("status", "list/nightly")

    assert ["list/nightly", "nightly-1"] == [line.split()[0] for line in table.splitlines()[1:]]
    assert "Image:    2 images" in page
    assert ["nightly-1", "1/2"] == page.splitlines()[-1].split()[:2]
    assert page.splitlines()[0] == viewer.output("status", "nightly").splitlines()[0]


def test_who_may_read_one_namespace_sees_it_without_the_nodes_names(
    cluster: ApiServer, make_job: MakeJob, namespace: str, names: Names, tmp_path: Path
) -> None:
    """And hears what is missing, and which role to ask for."""
    person = bound(cluster, namespace, names("bound"), tmp_path, role="prewarm-viewer", is_everywhere=False)
    failure = {"reason": "DiskLow", "count": 1, "nodes": ["worker-1"], "message": "1 GiB free"}
    make_job("base", _told(0, 1, failures=[failure]))

    page, denied = person.output("status", "base"), person.run("status", "-A")

    assert "you may not list NodeImages (the ClusterRole prewarm-viewer lets you)" in page
    assert "worker-1" in page
    assert (1, True, True) == (
        denied.returncode,
        "imagepulljobs" in denied.stderr,
        "ClusterRole prewarm-viewer" in denied.stderr,
    )


def test_words_of_a_registry_do_nothing_to_the_terminal(
    cluster: ApiServer, viewer: Person, make_job: MakeJob, names: Names
) -> None:
    """They are shown as what they are."""
    made = make_job("base", _told(0, 1), selector={"names": []})
    name = names("node")
    _node(cluster, name, made, **_failed("\x1b[2Jgone"))

    pages = [viewer.output("status", *arguments) for arguments in (("base",), (name,), (name, "-o", "json"))]

    assert [False, False, False] == ["\x1b" in page for page in pages]


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("status", "nope"), 1, 'and no node, is called "nope"; `prewarm status -A` names all jobs'),
        (("status", "job/nope"), 1, "there is no ImagePullJob "),
        (("status", "node/nope"), 1, "there is no NodeImage nope"),
        (("status", "--context", "nope"), 2, "no context 'nope' (it has test)"),
        (("status", "--kubeconfig", "/nope"), 2, "kubeconfig /nope: No such file or directory"),
        (("status", "a", "-A"), 2, "--all-namespaces"),
    ],
)
def test_what_is_not_there_is_told_in_one_line(
    viewer: Person, arguments: tuple[str, ...], code: int, words: str
) -> None:
    """With what to do, and no traceback."""
    done = viewer.run(*arguments)

    assert (code, "", 1) == (done.returncode, done.stdout, len(done.stderr.splitlines()))
    assert words in done.stderr


def test_that_there_is_no_job_is_no_error(viewer: Person, namespace: str) -> None:
    """Nothing for a pipe, a word for a person, and an empty list for a program."""
    done = viewer.run("status")

    assert (0, "", True) == (done.returncode, done.stdout, namespace in done.stderr)
    assert [] == viewer.document("status")["jobs"]


def test_without_a_kubeconfig_it_says_where_it_has_looked(tmp_path: Path) -> None:
    """And what to give."""
    done = Person(None, tmp_path / "home").run("status")

    assert 2 == done.returncode
    assert f"{tmp_path}/home/.kube/config does not exist; give --kubeconfig" in done.stderr


def test_a_server_that_is_away_is_told(cluster: ApiServer, namespace: str, tmp_path: Path) -> None:
    """In one line, without waiting for minutes."""
    away = kubeconfig_of(cluster, tmp_path / "away", namespace=namespace, account="any", server="https://127.0.0.1:1")

    done = Person(away, tmp_path / "home").run("status")

    assert (1, 1) == (done.returncode, len(done.stderr.splitlines()))
    assert "Connection refused; is it up" in done.stderr


def test_in_a_pod_its_own_account_serves(
    cluster: ApiServer, make_job: MakeJob, namespace: str, names: Names, tmp_path: Path
) -> None:
    """As in the coordinator's, where nothing is installed."""
    account = names("pod")
    bound(cluster, namespace, account, tmp_path, role="prewarm-viewer")
    folder = cluster.service_account_folder(tmp_path / "account", namespace, account)
    make_job("base", _told(1, 2))

    done = Person(None, tmp_path / "home").run(
        "status", "--service-account-folder", str(folder), variables=cluster.service_environment()
    )

    assert (0, "") == (done.returncode, done.stderr)
    assert "1/3" in done.stdout


def test_watched_it_tells_what_changes_until_ctrl_c(cluster: ApiServer, viewer: Person, make_job: MakeJob) -> None:
    """The table, then each line that says something else, once, and that there is no job any more; then code 130."""
    made = make_job("base", _told(1, 2))

    with viewer.following("status") as following:
        following.until("base", "1/3")
        made.edit({"prewarm": {"suspend": True}})
        following.until("base", "Unobserved")
        made.delete()
        following.until("base: gone")
        code = following.interrupt()

    assert 130 == code
    assert 5 == len(following.lines), following.lines


def test_a_job_that_goes_away_ends_its_watch(viewer: Person, make_job: MakeJob) -> None:
    """There is nothing more to see; code 1."""
    made = make_job("base", _told(1, 2))

    with viewer.following("status", "base") as following:
        following.until("Ready: 33%, 1/3 nodes")
        made.delete()
        code = following.ended()

    assert 1 == code
    assert "there is no ImagePullJob" in following.lines[-1]


def test_a_watch_goes_on_over_an_outage(cluster: ApiServer, viewer: Person, make_job: MakeJob) -> None:
    """It says that what it shows may be old, and shows what is new when the server is back."""
    made = make_job("base", _told(1, 2))

    with viewer.following("status") as following:
        following.until("1/3")
        cluster.stop()
        try:
            following.until("this may be old")
        finally:
            cluster.start()
        made.edit({"parallelism": 3})
        following.until("base", "Unobserved")

        assert 130 == following.interrupt()


@pytest.mark.parametrize("variables", [{}, {"NO_COLOR": "1"}], ids=["in colours", "NO_COLOR"])
def test_on_a_terminal_the_page_is_drawn_in_place(
    cluster: ApiServer, viewer: Person, make_job: MakeJob, names: Names, variables: dict[str, str]
) -> None:
    """With live bars, and the cursor is shown again at the end; colours only where they are wanted."""
    made = make_job("base", _told(0, 1), selector={"names": []})
    name = names("node")
    image = _node(cluster, name, made, **PULLING)
    ours_end, theirs = pty.openpty()
    environment = viewer.environment({"TERM": "xterm", "LINES": "40", **variables})

    with subprocess.Popen(
        viewer.command("status", "base", "--watch"), stdin=theirs, stdout=theirs, stderr=theirs, env=environment
    ) as child:
        os.close(theirs)
        os.set_blocking(ours_end, False)
        drawn = bytearray()

        def has(words: str) -> bool:
            # Nothing to read now; or the other end is closed.
            with contextlib.suppress(OSError):
                drawn.extend(os.read(ours_end, 1 << 16))
            return words.encode() in drawn

        until(lambda: has("━" * 10), what="a bar", timeout_seconds=30)
        progress = f"/status/imageStatuses/{REPOSITORY.replace('/', '~1')}/tags/0/progress"
        image.patch_status({"op": "replace", "path": progress, "value": 75})
        until(lambda: has("75%"), what="the new state", timeout_seconds=30)
        child.send_signal(signal.SIGINT)
        code = child.wait(30)
        until(lambda: has("\x1b[?25h"), what="the cursor", timeout_seconds=5)
    os.close(ours_end)

    assert 130 == code
    assert ("NO_COLOR" not in variables) == (b"\x1b[32m" in drawn)
