"""`prewarm status` on a real API server, as a person runs it: by a kubeconfig, with an account of few rights."""

from pathlib import Path

import pytest
import yaml

from tests.behaviour.status_objects import IMAGE, PULLING, has_failed, has_image, make_node, told
from tests.servers.apiserver import ApiServer
from tests.servers.fixtures_apiserver import Names
from tests.servers.fixtures_persons import MakeJob
from tests.servers.nodes import NodeOnServer
from tests.servers.persons import RBAC, Person, bound, kubeconfig_of


def test_the_jobs_of_the_contexts_namespace_are_shown(viewer: Person, make_job: MakeJob) -> None:
    """READY, who waits, what is cold, and why."""
    make_job("base", told(488, 312))
    make_job("new")

    head, base, new = (line.split() for line in viewer.output("status").splitlines())

    assert ("NAME", "AGE") == (head[0], head[-1])
    assert ["base", "488/800", "1", "311", "0", "312"] == base[:6]
    assert "InProgress" in base
    assert ("new", "Unobserved") == (new[0], new[-2])


def test_of_all_namespaces_each_row_has_its_own(
    with_roles: ApiServer, viewer: Person, make_job: MakeJob, names: Names
) -> None:
    """With -A; with -n another one's."""
    other = names("other")
    with_roles.request("POST", "/api/v1/namespaces", {"metadata": {"name": other}})
    make_job("base", told(1, 2))
    make_job("elsewhere", told(2, 2), place=other)

    everywhere = [line.split()[:3] for line in viewer.output("status", "-A").splitlines()]
    there = [line.split()[:2] for line in viewer.output("status", "-n", other).splitlines()]

    assert [other, "elsewhere", "2/4"] in everywhere
    assert ["base", "1/3"] in [line[1:] for line in everywhere]
    assert ["elsewhere", "2/4"] == there[1]
    assert 2 == len(there)


def test_the_table_needs_no_right_to_read_nodeimages(
    with_roles: ApiServer, make_job: MakeJob, namespace: str, names: Names, tmp_path: Path
) -> None:
    """It reads jobs and lists, and nothing else."""
    role = names("jobs-alone")
    rule = {"apiGroups": ["apps.kruise.io"], "resources": ["imagepulljobs", "imagelistpulljobs"], "verbs": ["list"]}
    with_roles.request("POST", f"{RBAC}/clusterroles", {"metadata": {"name": role}, "rules": [rule]})
    person = bound(with_roles, namespace, names("person"), tmp_path, role=role)
    make_job("base", told(1, 2))

    assert "1/3" in person.output("status", "-A")


def test_a_job_is_shown_with_its_nodes(with_roles: ApiServer, viewer: Person, make_job: MakeJob, names: Names) -> None:
    """Who pulls and how far, who failed and why, and each by name, beyond the ten that its status names."""
    made = make_job("base", told(1, 14), selector={"names": []})
    failed = [names("failed") for _ in range(12)]
    warm, pulling = names("warm"), names("pulling")
    for name in failed:
        make_node(with_roles, name, made, **has_failed())
    make_node(with_roles, warm, made, **has_image())
    make_node(with_roles, pulling, made, **PULLING)

    page = viewer.output("status", "base")

    lines = [" ".join(line.split()) for line in page.splitlines()]
    assert "Ready: [#-------------------] 6%, 1/15 nodes" in lines
    assert any(line.startswith(f"{pulling} [##########----------] 50% 1.0 MiB of 2.0 MiB") for line in lines)
    assert any(line.startswith("ImageNotFound 12 ") and "no such tag" in line for line in lines)
    cold = [line.split()[0] for line in lines if " cold Failed ImageNotFound 4 " in line]
    assert sorted(failed) == cold
    assert warm not in page
    assert warm in viewer.output("status", "base", "-o", "wide")


def test_a_node_is_shown_with_its_images(
    with_roles: ApiServer, viewer: Person, make_job: MakeJob, names: Names
) -> None:
    """By its name; and by node/NAME where a job has the same."""
    same = names("same")
    made = make_job(same, told(0, 1), selector={"names": [same]})
    other = names("node")
    make_node(with_roles, same, made, **has_failed())
    make_node(with_roles, other, made, **has_image())

    by_name, by_kind = viewer.output("status", other), viewer.output("status", f"node/{same}")

    assert f"Node:       {other}\n" in by_name
    assert f"{made.namespace}/{same}" in by_name
    assert f"Node:       {same}\n" in by_kind
    assert "no such tag" in by_kind
    assert f"Name:     {made.namespace}/{same}\n" in viewer.output("status", same)
    assert viewer.output("status", f"nodeimage/{same}").splitlines()[:1] == by_kind.splitlines()[:1]


def test_a_node_that_no_agent_can_run_on_says_so(with_roles: ApiServer, names: Names, tmp_path: Path) -> None:
    """It has no NodeImage, and that is why jobs leave it out."""
    administrator, name = Person(with_roles.kubeconfig, tmp_path / "home"), names("windows")
    node = NodeOnServer(with_roles, name)
    node.create(labels={"kubernetes.io/os": "windows"})

    page = administrator.output("status", name)
    node.delete()

    assert "Skipped:   NoAgent: no agent can run on a windows node" in page
    assert f"there is no NodeImage {name}" in page


def test_documents_are_for_programs(with_roles: ApiServer, viewer: Person, make_job: MakeJob, names: Names) -> None:
    """JSON and YAML of the same, for jobs, a job and a node."""
    made = make_job("base", told(1, 1, eta="2030-01-01T00:00:00Z"), selector={"names": []})
    name = names("node")
    make_node(with_roles, name, made, **PULLING)

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
    with_roles: ApiServer, viewer: Person, make_job: MakeJob, namespace: str
) -> None:
    """In the list's order, what has no job yet too; as a row of its own before them; a namesake's jobs are not its."""
    place = f"/apis/apps.kruise.io/v1beta1/namespaces/{namespace}/imagelistpulljobs"
    spec = {"images": ["b:1", IMAGE, "c:1"], "completionPolicy": {"type": "Always"}}
    kind = {"apiVersion": "apps.kruise.io/v1beta1", "kind": "ImageListPullJob"}
    made = with_roles.request("POST", place, {**kind, "metadata": {"name": "nightly"}, "spec": spec})
    for name, image, uid in (
        ("nightly-1", IMAGE, made["metadata"]["uid"]),
        ("nightly-2", "b:1", made["metadata"]["uid"]),
        ("nightly-0", "c:1", "of-an-earlier-one"),
    ):
        child = make_job(name, told(1, 1))
        reference = {**kind, "name": "nightly", "uid": uid, "controller": True}
        with_roles.request(
            "PATCH",
            f"/apis/apps.kruise.io/v1beta1/namespaces/{namespace}/imagepulljobs/{child.name}",
            {"metadata": {"ownerReferences": [reference]}, "spec": {"image": image}},
        )

    table, page = viewer.output("status"), viewer.output("status", "list/nightly")

    names = ["list/nightly", "nightly-2", "nightly-1", "nightly-0"]
    assert names == [line.split()[0] for line in table.splitlines()[1:]]
    lines = [line.split() for line in page.splitlines()]
    assert ["Images:", "3", "images"] in lines
    assert [("b:1", "nightly-2"), (IMAGE, "nightly-1"), ("c:1", "-")] == [(line[0], line[-1]) for line in lines[-3:]]
    assert "NotMade" in lines[-1]
    assert page.splitlines()[0] == viewer.output("status", "nightly").splitlines()[0]
    assert ["list/nightly"] == [line.split()[0] for line in viewer.output("status", "lists").splitlines()[1:]]
    assert sorted(names[1:]) == sorted(line.split()[0] for line in viewer.output("status", "jobs").splitlines()[1:])


def test_who_may_read_one_namespace_sees_it_without_the_nodes_names(
    with_roles: ApiServer, make_job: MakeJob, namespace: str, names: Names, tmp_path: Path
) -> None:
    """And hears what is missing, and which role to ask for."""
    person = bound(with_roles, namespace, names("bound"), tmp_path, role="prewarm-viewer", is_everywhere=False)
    failure = {"reason": "DiskLow", "count": 1, "nodes": ["worker-1"], "message": "1 GiB free"}
    make_job("base", told(0, 1, failures=[failure]))

    page, denied = person.output("status", "base"), person.run("status", "-A")

    assert "you may not list NodeImages (the ClusterRole prewarm-viewer lets you)" in page
    assert "worker-1" in page
    assert (1, True, True) == (
        denied.returncode,
        "imagepulljobs" in denied.stderr,
        "ClusterRole prewarm-viewer" in denied.stderr,
    )


def test_words_of_a_registry_do_nothing_to_the_terminal(
    with_roles: ApiServer, viewer: Person, make_job: MakeJob, names: Names
) -> None:
    """They are shown as what they are."""
    made = make_job("base", told(0, 1), selector={"names": []})
    name = names("node")
    make_node(with_roles, name, made, **has_failed("\x1b[2Jgone"))

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


def test_a_server_that_is_away_is_told(with_roles: ApiServer, namespace: str, tmp_path: Path) -> None:
    """In one line, without waiting for minutes."""
    away = kubeconfig_of(
        with_roles, tmp_path / "away", namespace=namespace, account="any", server="https://127.0.0.1:1"
    )

    done = Person(away, tmp_path / "home").run("status")

    assert (1, 1) == (done.returncode, len(done.stderr.splitlines()))
    assert "Connection refused; is it up" in done.stderr


def test_in_a_pod_its_own_account_serves(
    with_roles: ApiServer, make_job: MakeJob, namespace: str, names: Names, tmp_path: Path
) -> None:
    """As in the coordinator's, where nothing is installed."""
    account = names("pod")
    bound(with_roles, namespace, account, tmp_path, role="prewarm-viewer")
    folder = with_roles.service_account_folder(tmp_path / "account", namespace, account)
    make_job("base", told(1, 2))

    done = Person(None, tmp_path / "home").run(
        "status", "--service-account-folder", str(folder), variables=with_roles.service_environment()
    )

    assert (0, "") == (done.returncode, done.stderr)
    assert "1/3" in done.stdout
