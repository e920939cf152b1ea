"""`prewarm suspend` and `resume` on a real API server: what they change, what they leave alone, and who may."""

from datetime import UTC, datetime
from pathlib import Path

from tests.servers.apiserver import ApiServer
from tests.servers.fixtures_apiserver import Names
from tests.servers.fixtures_persons import MakeJob
from tests.servers.jobs import JobOnServer
from tests.servers.objects import Json, ObjectOnServer
from tests.servers.persons import Person, bound


KINDS = "/apis/apps.kruise.io/v1beta1"
LEASES = "/apis/coordination.k8s.io/v1/namespaces/prewarm-system/leases"


def _is_suspended(made: JobOnServer) -> bool:
    found: bool = made.read()["spec"].get("prewarm", {}).get("suspend", False)
    return found


def _make_list(with_roles: ApiServer, namespace: str, name: str) -> Json:
    spec = {"images": ["a:1"], "completionPolicy": {"type": "Never"}}
    kind = {"apiVersion": "apps.kruise.io/v1beta1", "kind": "ImageListPullJob"}
    made = with_roles.request(
        "POST", f"{KINDS}/namespaces/{namespace}/imagelistpulljobs", {**kind, "metadata": {"name": name}, "spec": spec}
    )
    return {**kind, "name": name, "uid": made["metadata"]["uid"], "controller": True}


def _path(made: JobOnServer) -> str:
    return f"{KINDS}/namespaces/{made.namespace}/imagepulljobs/{made.name}"


def test_all_jobs_of_a_namespace_are_suspended_and_resumed(
    with_roles: ApiServer, editor: Person, make_job: MakeJob, names: Names
) -> None:
    """With a line for each, and no other namespace's; once more changes nothing and says so."""
    other = names("other")
    with_roles.request("POST", "/api/v1/namespaces", {"metadata": {"name": other}})
    first, second, elsewhere = make_job("first"), make_job("second"), make_job("third", place=other)

    said = editor.output("suspend", "--all").splitlines()
    suspended = [_is_suspended(each) for each in (first, second, elsewhere)]
    again = editor.output("suspend", "--all").splitlines()
    generation = first.read()["metadata"]["generation"]
    editor.output("resume", "--all")

    assert [
        f"imagepulljob.apps.kruise.io/{name} -n {first.namespace}: suspended" for name in ("first", "second")
    ] == said
    assert [True, True, False] == suspended
    assert [True, True] == [line.endswith("is suspended already") for line in again]
    assert 2 == generation
    assert [False, False] == [_is_suspended(each) for each in (first, second)]


def test_everything_is_suspended_everywhere(
    with_roles: ApiServer, editor: Person, make_job: MakeJob, namespace: str, names: Names
) -> None:
    """With --all -A: jobs and lists of every namespace."""
    other = names("other")
    with_roles.request("POST", "/api/v1/namespaces", {"metadata": {"name": other}})
    here, elsewhere = make_job("here"), make_job("elsewhere", place=other)
    _make_list(with_roles, other, "nightly")

    editor.output("suspend", "--all", "-A")
    images = with_roles.request("GET", f"{KINDS}/namespaces/{other}/imagelistpulljobs/nightly")
    suspended = [_is_suspended(here), _is_suspended(elsewhere), images["spec"]["prewarm"]["suspend"]]
    editor.output("resume", "--all", "-A")

    assert [True, True, True] == suspended
    assert [False, False] == [_is_suspended(here), _is_suspended(elsewhere)]


def test_what_an_edit_would_harm_is_left_alone(with_roles: ApiServer, editor: Person, make_job: MakeJob) -> None:
    """A job that has finished would run again, and one of a list follows its list."""
    finished = make_job("finished", kind="Always")
    status = {"desired": 1, "observedGeneration": 1, "completionTime": "2026-01-01T00:00:00Z"}
    with_roles.request("PATCH", f"{_path(finished)}/status", {"status": status})
    child = make_job("nightly-0")
    reference = _make_list(with_roles, child.namespace, "nightly")
    with_roles.request("PATCH", _path(child), {"metadata": {"ownerReferences": [reference]}})

    said = editor.output("suspend", "--all")
    by_name = editor.run("suspend", "nightly-0")

    assert [False, False] == [_is_suspended(finished), _is_suspended(child)]
    assert "finished -n " in said
    assert "has finished, left alone" in said
    assert "imagelistpulljob.apps.kruise.io/nightly " in said
    assert (1, True) == (by_name.returncode, "follows its list, left alone: see list/nightly" in by_name.stdout)


def test_jobs_are_suspended_by_name(editor: Person, make_job: MakeJob) -> None:
    """Those alone; one that is not there is told, and keeps nothing from the others."""
    first, second = make_job("first"), make_job("second")

    done = editor.run("suspend", "nope", "job/first", "list/first")

    assert 1 == done.returncode
    assert [True, False] == [_is_suspended(first), _is_suspended(second)]
    assert [
        f"there is no {what} {first.namespace}/{name}" in done.stderr
        for what, name in (
            ("ImagePullJob or ImageListPullJob", "nope"),
            ("ImageListPullJob", "first"),
        )
    ] == [True, True]


def test_a_dry_run_changes_nothing(editor: Person, make_job: MakeJob) -> None:
    """The API server checks it all the same."""
    made = make_job("base")

    said = editor.output("suspend", "--all", "--dry-run")

    assert said.endswith("suspended (server dry run)\n")
    assert 1 == made.read()["metadata"]["generation"]


def test_who_may_only_look_is_told_what_is_missing(
    with_roles: ApiServer, make_job: MakeJob, namespace: str, names: Names, tmp_path: Path
) -> None:
    """The right, and the role that has it."""
    viewer = bound(with_roles, namespace, names("viewer"), tmp_path, role="prewarm-viewer")
    made = make_job("base")

    done = viewer.run("suspend", "--all")

    assert (1, False) == (done.returncode, _is_suspended(made))
    assert "cannot patch resource" in done.stderr
    assert "ClusterRole prewarm-job-editor" in done.stderr


def test_where_there_is_no_job_nothing_is_done(editor: Person) -> None:
    """And that is said."""
    done = editor.run("suspend", "--all")

    assert (0, "") == (done.returncode, done.stdout)
    assert "No ImagePullJob and no ImageListPullJob found." in done.stderr


def test_it_is_said_where_no_coordinator_passes_it_on(with_roles: ApiServer, make_job: MakeJob, tmp_path: Path) -> None:
    """To whoever may read the Lease; the job is suspended all the same."""
    namespace = ObjectOnServer(with_roles, "/api/v1/namespaces", "prewarm-system")
    if namespace.find() is None:
        namespace.create({"apiVersion": "v1", "kind": "Namespace"})
    lease = ObjectOnServer(with_roles, LEASES, "prewarm-coordinator")
    lease.delete()
    admin, made = Person(with_roles.kubeconfig, tmp_path / "admin"), make_job("base")
    named = (f"job/{made.name}", "-n", made.namespace)

    alone = admin.run("suspend", *named)
    renewed_at = datetime.now(UTC).isoformat().replace("+00:00", "Z")
    lease.create(
        {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "spec": {"holderIdentity": "pod-a", "leaseDurationSeconds": 15, "renewTime": renewed_at},
        }
    )
    led = admin.run("resume", *named)
    lease.delete()

    assert (0, True) == (alone.returncode, "no coordinator leads" in alone.stderr)
    assert (0, "") == (led.returncode, led.stderr)
    assert not _is_suspended(made)
