"""
The coordinator's token makes, changes and deletes jobs of lists, deletes what is over, and writes copies of pull
secrets; of all other jobs, lists and Secrets it changes nothing, whatever its rights.
"""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest

from tests.servers.apiserver import ApiServer
from tests.servers.apiserver_access import Json
from tests.servers.coordinator import ACCOUNT, NAMESPACE
from tests.servers.deployment import SECRETS, VERSIONS, refusal
from tests.servers.fixtures_apiserver import Names
from tests.servers.processes import until


DRY = "?dryRun=All"
KEY, REFERENCES = (f"imagepulljobs.kruise.io/{name}" for name in ("source-key", "references"))
FINALIZER = "apps.kruise.io/deletion-protection"
OTHER = "example.com/stay"
LIST = {"apiVersion": "apps.kruise.io/v1beta1", "kind": "ImageListPullJob", "name": "nightly", "uid": "u"}
CONTROLLER = {**LIST, "controller": True}
CLONE_SET = {**CONTROLLER, "kind": "CloneSet"}
FOREIGN_LIST = {**CONTROLLER, "apiVersion": "example.com/v1"}
OVER = {"type": "Always", "ttlSecondsAfterFinished": 1}
DONE = {"desired": 0, "completionTime": "2026-01-01T00:00:00Z"}
DOCKER = "kubernetes.io/dockerconfigjson"

NO_CREATE = "creates no job but those of an ImageListPullJob"
NO_CHANGE = "changes nothing of any job but its status, the spec of a job that belongs to an ImageListPullJob"
NO_DELETE = "and jobs of an ImageListPullJob, and no other"
ONLY_COPIES = f'writes copies of pull secrets alone, which have the annotation "{KEY}"'


def _path(namespace: str, kind: str = "imagepulljobs") -> str:
    return f"/apis/apps.kruise.io/v1beta1/namespaces/{namespace}/{kind}"


def _job(*owners: Json, completion: Json | None = None, **metadata: Any) -> Json:  # noqa: ANN401 - JSON
    spec = {"image": "registry.test/app:v1", "completionPolicy": completion or {"type": "Never"}}
    metadata = {"generateName": "job-", "ownerReferences": list(owners), **metadata}
    return {"apiVersion": "apps.kruise.io/v1beta1", "kind": "ImagePullJob", "metadata": metadata, "spec": spec}


def _list(*, completion: Json | None = None) -> Json:
    spec = {"images": ["registry.test/app:v1"], "completionPolicy": completion or {"type": "Never"}}
    kind = {"apiVersion": "apps.kruise.io/v1beta1", "kind": "ImageListPullJob"}
    return {**kind, "metadata": {"generateName": "list-"}, "spec": spec}


def _secret(*, of: str = "team/registry", kind: str = DOCKER, **metadata: Any) -> Json:  # noqa: ANN401 - JSON
    annotations = {KEY: of, REFERENCES: "team/job"} if of else {}
    return {"metadata": {"generateName": "copy-", "annotations": annotations, **metadata}, **_content(kind)}


def _content(kind: str) -> Json:
    contents = {DOCKER: {".dockerconfigjson": "{}"}, "kubernetes.io/dockercfg": {".dockercfg": "{}"}}
    return {"type": kind, "stringData": contents.get(kind, {"username": "u", "password": "p"})}


Make = Callable[[str, Json], str]


@pytest.fixture(scope="module")
def make(deployed: ApiServer) -> Make:
    """Create an object as the administrator and return its path."""

    def made(collection: str, body: Json) -> str:
        found = deployed.request("POST", collection, body)
        path = f"{collection}/{found['metadata']['name']}"
        if "status" in body:
            deployed.request("PATCH", f"{path}/status", {"status": body["status"]})
        return path

    return made


@pytest.fixture(scope="module")
def token(deployed: ApiServer) -> str:
    """The coordinator's, once the policies hold."""
    found = deployed.token(NAMESPACE, ACCOUNT, node="test-home")
    refused = {_path("default"): _job(), f"/api/v1/namespaces/{SECRETS}/secrets": _secret(of="")}
    for path, body in refused.items():
        until(
            partial(_is_bound, deployed, path, body, token=found),
            what=f"the policy of {path} holds",
            timeout_seconds=30,
        )
    return found


def _is_bound(deployed: ApiServer, path: str, body: Json, *, token: str) -> bool:
    return "ValidatingAdmissionPolicy" in refusal(deployed, "POST", path, body, token=token)


@pytest.fixture(scope="module")
def wide(deployed: ApiServer, token: str) -> Iterator[None]:
    """Every right on jobs, lists and Secrets for the coordinator's account, so that policies alone stand in the way."""
    resources = "--resource=imagepulljobs.apps.kruise.io,imagelistpulljobs.apps.kruise.io,secrets"
    deployed.kubectl("create", "clusterrole", "test-wide", "--verb=*", resources)
    account = f"--serviceaccount={NAMESPACE}:{ACCOUNT}"
    deployed.kubectl("create", "clusterrolebinding", "test-wide", "--clusterrole=test-wide", account)
    probe = _path("default", "imagelistpulljobs")
    until(
        lambda: "cannot" not in refusal(deployed, "POST", f"{probe}{DRY}", _list(), token=token),
        what="the wide rights are in force",
        timeout_seconds=30,
    )
    yield
    deployed.kubectl("delete", "clusterrolebinding/test-wide", "clusterrole/test-wide")


@pytest.mark.parametrize("version", VERSIONS)
def test_a_job_of_a_list_is_the_coordinator_s(deployed: ApiServer, namespace: str, token: str, version: str) -> None:
    """It makes it, has it follow the list, and deletes it, whether it has ended or not; through either version."""
    jobs = _path(namespace).replace("v1beta1", version)
    child = {**_job(CONTROLLER), "apiVersion": f"apps.kruise.io/{version}"}
    made = deployed.request("POST", jobs, child, token=token)
    path = f"{jobs}/{made['metadata']['name']}"
    edit = [
        {"op": "test", "path": "/metadata/uid", "value": made["metadata"]["uid"]},
        {"op": "replace", "path": "/spec", "value": {**made["spec"], "parallelism": 3}},
    ]

    assert "" == refusal(deployed, "PATCH", path, edit, token=token)
    assert 3 == deployed.request("GET", path)["spec"]["parallelism"]
    assert "" == refusal(deployed, "DELETE", path, token=token)


@pytest.mark.parametrize(
    "owners", [[], [LIST], [CLONE_SET], [FOREIGN_LIST]], ids=["none", "no controller", "CloneSet", "foreign list"]
)
def test_a_job_of_nobody_s_list_is_made_in_a_dry_run_alone(
    deployed: ApiServer, namespace: str, token: str, owners: list[Json]
) -> None:
    """That is how the coordinator finds out whether somebody else's webhook refuses jobs; nothing is stored."""
    job = _job(*owners)

    assert "" == refusal(deployed, "POST", f"{_path(namespace)}{DRY}", job, token=token)
    assert NO_CREATE in refusal(deployed, "POST", _path(namespace), job, token=token)


@pytest.mark.parametrize("owners", [[], [LIST], [CLONE_SET]], ids=["none", "no controller", "CloneSet"])
def test_a_person_s_job_keeps_what_it_asks_for(
    deployed: ApiServer, namespace: str, make: Make, token: str, owners: list[Json]
) -> None:
    """Neither its image, nor that it belongs to a list from now on, is the coordinator's to say."""
    path = make(_path(namespace), _job(*owners))

    for change in ({"spec": {"parallelism": 0}}, {"metadata": {"ownerReferences": [CONTROLLER]}}):
        assert NO_CHANGE in refusal(deployed, "PATCH", path, change, token=token)
    assert NO_DELETE in refusal(deployed, "DELETE", path, token=token)


@pytest.mark.parametrize(
    "change",
    [
        {"labels": {"new": "label"}},
        {"annotations": {"new": "annotation"}},
        {"annotations": {"old": None}},
        {"ownerReferences": []},
        {"finalizers": [OTHER]},
    ],
    ids=str,
)
def test_of_a_list_s_job_only_the_spec_is_changed(
    deployed: ApiServer, namespace: str, make: Make, token: str, change: Json
) -> None:
    """Not by itself, nor beside the spec."""
    path = make(_path(namespace), _job(CONTROLLER, annotations={"old": "annotation"}))

    for beside in ({}, {"spec": {"parallelism": 3}}):
        assert NO_CHANGE in refusal(deployed, "PATCH", path, {"metadata": change, **beside}, token=token)


@pytest.mark.parametrize("owners", [[], [CONTROLLER]], ids=["a person's", "a list's"])
def test_openkruise_s_finalizer_is_taken_off(
    deployed: ApiServer, namespace: str, make: Make, token: str, owners: list[Json]
) -> None:
    """Off any job, also one that is being deleted; another's stays, and nothing goes with it."""
    path = make(_path(namespace), _job(*owners, finalizers=[OTHER, FINALIZER]))
    deployed.request("DELETE", path)

    for metadata in ({"finalizers": None}, {"finalizers": [FINALIZER]}, {"finalizers": [OTHER], "labels": {"a": "b"}}):
        assert NO_CHANGE in refusal(deployed, "PATCH", path, {"metadata": metadata}, token=token)
    both = {"metadata": {"finalizers": [OTHER]}, "spec": {"parallelism": 3}}
    assert NO_CHANGE in refusal(deployed, "PATCH", path, both, token=token)
    taken = [
        {"op": "test", "path": "/metadata/finalizers/1", "value": FINALIZER},
        {"op": "remove", "path": "/metadata/finalizers/1"},
    ]
    assert "" == refusal(deployed, "PATCH", path, taken, token=token)
    assert [OTHER] == deployed.request("GET", path)["metadata"]["finalizers"]


def test_no_finalizer_is_put_on(deployed: ApiServer, namespace: str, make: Make, token: str) -> None:
    """Not even OpenKruise's."""
    path = make(_path(namespace), _job())

    assert NO_CHANGE in refusal(deployed, "PATCH", path, {"metadata": {"finalizers": [FINALIZER]}}, token=token)


@pytest.mark.parametrize("kind", ["imagepulljobs", "imagelistpulljobs"])
@pytest.mark.parametrize(
    ("completion", "status"),
    [({"type": "Never"}, {"desired": 0}), ({"type": "Always"}, DONE), (OVER, {"desired": 0})],
    ids=["Never", "without a TTL", "still running"],
)
def test_what_did_not_ask_for_it_is_not_deleted(
    deployed: ApiServer, namespace: str, make: Make, token: str, kind: str, completion: Json, status: Json
) -> None:
    """A stolen token does not make a person's jobs and lists vanish."""
    body = _job(completion=completion) if kind == "imagepulljobs" else _list(completion=completion)
    path = make(_path(namespace, kind), {**body, "status": status})

    assert NO_DELETE in refusal(deployed, "DELETE", path, token=token)


@pytest.mark.parametrize("version", VERSIONS)
def test_what_is_over_is_deleted(deployed: ApiServer, namespace: str, make: Make, token: str, version: str) -> None:
    """A finished job or list with a TTL, through either version."""
    job = make(_path(namespace), {**_job(completion=OVER), "status": DONE})
    images = make(_path(namespace, "imagelistpulljobs"), {**_list(completion=OVER), "status": DONE})

    assert ["", ""] == [
        refusal(deployed, "DELETE", path.replace("v1beta1", version), token=token) for path in (job, images)
    ]


@pytest.mark.usefixtures("wide")
def test_no_right_makes_lists_the_coordinator_s(deployed: ApiServer, namespace: str, make: Make, token: str) -> None:
    """Lists are people's, in a dry run too; so is a running one that somebody says belongs to another."""
    lists = _path(namespace, "imagelistpulljobs")
    body = _list()
    path = make(lists, {**body, "metadata": {**body["metadata"], "ownerReferences": [CONTROLLER]}})

    assert NO_CREATE in refusal(deployed, "POST", f"{lists}{DRY}", _list(), token=token)
    assert NO_CHANGE in refusal(deployed, "PATCH", path, {"spec": {"parallelism": 0}}, token=token)
    assert NO_CHANGE in refusal(deployed, "PATCH", path, {"metadata": {"ownerReferences": []}}, token=token)
    assert NO_DELETE in refusal(deployed, "DELETE", path, token=token)


@pytest.mark.parametrize("kind", [DOCKER, "kubernetes.io/dockercfg"])
def test_a_copy_of_a_pull_secret_is_the_coordinator_s(deployed: ApiServer, token: str, kind: str) -> None:
    """It makes it, brings it up to date and takes it away."""
    copies = f"/api/v1/namespaces/{SECRETS}/secrets"
    made = deployed.request("POST", copies, _secret(kind=kind), token=token)
    path = f"{copies}/{made['metadata']['name']}"
    renewed = {"metadata": {"annotations": {REFERENCES: "team/job,team/other"}}, **_content(kind)}

    assert ["", ""] == [
        refusal(deployed, method, path, body, token=token) for method, body in (("PATCH", renewed), ("DELETE", None))
    ]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (_secret(of=""), ONLY_COPIES),
        (_secret(kind="Opaque"), "alone"),
        (_secret(kind="kubernetes.io/basic-auth"), "dockercfg alone"),
        (
            _secret(
                kind="kubernetes.io/service-account-token",
                annotations={KEY: "a/b", "kubernetes.io/service-account.name": "default"},
            ),
            "dockercfg alone",
        ),
    ],
    ids=["no copy", "Opaque", "basic-auth", "a token of an account"],
)
def test_nothing_else_is_put_among_the_copies(deployed: ApiServer, token: str, body: Json, words: str) -> None:
    """Above all no Secret that Kubernetes would fill with an account's token."""
    assert words in refusal(deployed, "POST", f"/api/v1/namespaces/{SECRETS}/secrets", body, token=token)


@pytest.mark.parametrize("annotations", [{}, {KEY: ""}], ids=["no annotation", "an empty one"])
def test_a_secret_that_is_no_copy_is_left_alone(deployed: ApiServer, make: Make, token: str, annotations: Json) -> None:
    """What a person keeps in that namespace can't be made a copy, changed or deleted."""
    path = make(f"/api/v1/namespaces/{SECRETS}/secrets", _secret(of="", annotations=annotations))

    for body in ({"metadata": {"annotations": {KEY: "team/registry"}}}, _content(DOCKER)):
        assert ONLY_COPIES in refusal(deployed, "PATCH", path, body, token=token)
    assert ONLY_COPIES in refusal(deployed, "DELETE", path, token=token)


@pytest.mark.parametrize("of", ["other/registry", None])
def test_a_copy_stays_the_copy_of_its_secret(deployed: ApiServer, make: Make, token: str, of: str | None) -> None:
    """Or one tenant's credentials could be given out as another's."""
    path = make(f"/api/v1/namespaces/{SECRETS}/secrets", _secret())

    message = refusal(deployed, "PATCH", path, {"metadata": {"annotations": {KEY: of}}}, token=token)

    assert "a copy stays the copy of the Secret that it is of" in message


def test_a_copy_of_another_type_can_only_be_taken_away(deployed: ApiServer, make: Make, token: str) -> None:
    """OpenKruise's manager copies Secrets of every type, and leaves them behind."""
    path = make(f"/api/v1/namespaces/{SECRETS}/secrets", _secret(kind="Opaque"))

    changed = refusal(deployed, "PATCH", path, {"metadata": {"annotations": {REFERENCES: "a/b"}}}, token=token)

    assert "dockercfg alone" in changed
    assert "" == refusal(deployed, "DELETE", path, token=token)


@pytest.mark.usefixtures("wide")
def test_no_right_lets_the_coordinator_write_secrets_elsewhere(
    deployed: ApiServer, namespace: str, make: Make, token: str, names: Names
) -> None:
    """Also one that looks like a copy."""
    secrets = f"/api/v1/namespaces/{namespace}/secrets"
    path = make(secrets, _secret())
    new = _secret(name=names("copy"))

    for method, where, body in (("POST", secrets, new), ("PATCH", path, _content(DOCKER)), ("DELETE", path, None)):
        message = refusal(deployed, method, where, body, token=token)
        assert f'writes Secrets in the namespace "{SECRETS}" alone' in message
