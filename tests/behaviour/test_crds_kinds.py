"""The CRDs on a real API server: accepted without a word, nothing lost or added, readable at first sight, quick."""

import subprocess
from typing import Any

import pytest

from tests.behaviour import crds_full
from tests.behaviour.crds_objects import SMALLEST, address, job, put
from tests.servers import crds
from tests.servers.apiserver import ApiServer
from tests.servers.apiserver_access import ApiFailed
from tests.servers.fixtures_apiserver import Names
from tests.servers.processes import until


Json = dict[str, Any]

KINDS = pytest.mark.parametrize("full", crds_full.ALL, ids=lambda full: str(full["kind"]))


@pytest.fixture(scope="module", autouse=True)
def _installed(apiserver: ApiServer) -> None:
    crds.install(apiserver, crds.ours())


def explained(apiserver: ApiServer, place: str, *, version: str) -> str:
    """Return what kubectl explains; a new kind is served a moment before the server's discovery tells of it."""
    said: list[str] = []

    def is_told() -> bool:
        try:
            said.append(apiserver.kubectl("explain", place, f"--api-version=apps.kruise.io/{version}"))
        except subprocess.CalledProcessError as error:
            if "couldn't find resource" not in str(error.stderr):
                raise
            return False
        return True

    until(is_told, what=f"{place} is explained", timeout_seconds=30)
    return said[-1]


@pytest.mark.parametrize("way", ["--server-side=false", "--server-side"])
def test_kubectl_applies_them_without_a_warning(apiserver: ApiServer, way: str) -> None:
    """By both ways to apply, the server has nothing to remark."""
    files = [argument for path in crds.FILES for argument in ("--filename", path)]
    conflicts = ["--force-conflicts"] if way == "--server-side" else []

    said = apiserver.kubectl("apply", way, *conflicts, "--warnings-as-errors", *files)

    assert len(crds.FILES) == len(said.splitlines())


def test_they_are_established_and_structural(apiserver: ApiServer) -> None:
    """Every name is free, every schema structural, v1beta1 alone is stored, and no webhook converts."""
    for crd in crds.ours():
        found = apiserver.request("GET", f"{crds.PATH}/{crd['metadata']['name']}")

        conditions = ("Established", "NamesAccepted", "NonStructuralSchema")
        assert ["True", "True", ""] == [crds.condition(found, name) for name in conditions]
        assert (["v1beta1"], "None") == (found["status"]["storedVersions"], found["spec"]["conversion"]["strategy"])


def test_short_names_clash_with_nothing_of_kubernetes(apiserver: ApiServer) -> None:
    """`kubectl get ipj`, `ilpj` and `ni` mean these kinds, and no other resource of the server answers to them."""
    resources = [line.split() for line in apiserver.kubectl("api-resources", "--no-headers").splitlines()]

    owners = {short: [words[0] for words in resources if short in words[:2]] for short in ("ipj", "ilpj", "ni")}

    assert {"ipj": ["imagepulljobs"], "ilpj": ["imagelistpulljobs"], "ni": ["nodeimages"]} == owners


@pytest.mark.parametrize("place", ["ipj.spec.prewarm.refresh", "ilpj.status.prewarm", "ni.spec.images.tags.prewarm"])
@pytest.mark.parametrize("version", ["v1alpha1", "v1beta1"])
def test_kubectl_explains_every_addition(apiserver: ApiServer, place: str, version: str) -> None:
    """Each field of ours has a sentence in both versions."""
    said = explained(apiserver, place, version=version)

    assert "<no description>" not in said


@KINDS
def test_a_write_through_the_older_version_loses_nothing(full: Json, apiserver: ApiServer, names: Names) -> None:
    """Read in v1alpha1, changed, written back: everything else of a full object stays, in spec and in status."""
    before = put(apiserver, full, name=names("a"))
    older = apiserver.request("GET", address(before, version="v1alpha1"))
    is_job = full["kind"] != "NodeImage"

    older["metadata"]["labels"]["tier"] = "one"
    if is_job:
        older["spec"]["parallelism"] = 7
    written = apiserver.request("PUT", address(before, version="v1alpha1"), older)
    written["status"]["desired"] = 5
    apiserver.request("PUT", f"{address(before, version='v1alpha1')}/status", written)

    after = apiserver.request("GET", address(before))
    changed = {"parallelism": 7} if is_job else {}
    assert {**before["spec"], **changed} == after["spec"]
    assert {**before["status"], "desired": 5} == after["status"]
    assert {**before["metadata"]["labels"], "tier": "one"} == after["metadata"]["labels"]


@KINDS
def test_a_full_status_survives_and_lies_behind_its_subresource(full: Json, apiserver: ApiServer, names: Names) -> None:
    """All of a status is kept, a write of the object leaves it alone, and a write of it leaves the spec alone."""
    stored = put(apiserver, full, name=names("a"))

    through_object = apiserver.request("PUT", address(stored), {**stored, "status": {"desired": 0}})
    through_status = apiserver.request(
        "PUT", f"{address(stored)}/status", {**through_object, "spec": SMALLEST[full["kind"]]}
    )

    assert full["status"] == stored["status"] == through_object["status"] == through_status["status"]
    assert full["spec"] == through_status["spec"]
    assert 1 == through_status["metadata"]["generation"]


@KINDS
def test_what_was_left_out_stays_out(full: Json, apiserver: ApiServer, names: Names) -> None:
    """The smallest object of each kind is stored as it was written."""
    small = {**full, "spec": SMALLEST[full["kind"]]}
    del small["status"]

    stored = put(apiserver, small, name=names("a"))

    assert (small["spec"], False) == (stored["spec"], "status" in stored)


@pytest.mark.parametrize("version", ["v1alpha1", "v1beta1"])
def test_an_empty_list_of_names_survives(version: str, apiserver: ApiServer, names: Names) -> None:
    """`names: []` selects no node, so it must not become a selector of all of them by a read and a write."""
    stored = put(apiserver, job(selector={"names": []}), name=names("a"))

    read = apiserver.request("GET", address(stored, version=version))
    written = apiserver.request("PUT", address(stored, version=version), {**read, "metadata": _labelled(read)})

    assert {"names": []} == read["spec"]["selector"] == written["spec"]["selector"]


def test_two_tags_or_conditions_of_one_name_are_refused(apiserver: ApiServer, names: Names) -> None:
    """The server keeps a tag, a tag's status and a condition unique, for whoever writes."""
    stored = put(apiserver, crds_full.NODE_IMAGE, name=names("a"))
    status = stored["status"]
    tags = status["imageStatuses"]["registry.example.com:5000/team/app"]["tags"]
    twice = {
        "conditions[3]": {**status, "conditions": [*status["conditions"], status["conditions"][0]]},
        "tags[1]": {**status, "imageStatuses": {"nginx": {"tags": [*tags, *tags]}}},
    }

    for place, value in twice.items():
        with pytest.raises(ApiFailed, match="Duplicate value") as refused:
            apiserver.request("PUT", f"{address(stored)}/status", {**stored, "status": value})
        assert (422, True) == (refused.value.status, place in refused.value.text)


@pytest.mark.parametrize("version", ["v1alpha1", "v1beta1"])
def test_a_phase_or_policy_that_is_none_is_refused(version: str, apiserver: ApiServer, names: Names) -> None:
    """A typing error changes nothing (8.2 number 11: any text is taken, and a policy in lower case is Always)."""
    stored = put(apiserver, crds_full.NODE_IMAGE, name=names("a"), version=version)
    said = {"desired": 1, "imageStatuses": {"nginx": {"tags": [{"tag": "latest", "phase": "Done"}]}}}

    with pytest.raises(ApiFailed, match="Unsupported value") as phase:
        apiserver.request("PUT", f"{address(stored, version=version)}/status", {**stored, "status": said})
    with pytest.raises(ApiFailed, match="Unsupported value") as policy:
        put(apiserver, job(imagePullPolicy="always"), name=names("j"), version=version)

    assert (422, 422) == (phase.value.status, policy.value.status)


def test_a_repository_is_one_unit_of_ownership(apiserver: ApiServer, names: Names) -> None:
    """Who wrote what is noted by repository, not by each field of each tag: an object stays as small as it is."""
    stored = put(apiserver, crds_full.NODE_IMAGE, name=names("a"))

    noted = [entry["fieldsV1"] for entry in stored["metadata"]["managedFields"]]
    images = next(fields["f:spec"]["f:images"] for fields in noted if "f:spec" in fields)
    statuses = next(fields["f:status"]["f:imageStatuses"] for fields in noted if "f:status" in fields)
    assert {} == images["f:registry.example.com:5000/team/app"] == statuses["f:registry.example.com:5000/team/app"]


@pytest.mark.parametrize(
    ("full", "columns", "wide"),
    [
        (
            crds_full.JOB,
            {"READY": "488/800", "TOTAL": "799", "ACTIVE": "10", "SUCCEED": "488", "FAILED": "1", "AGE": "<age>"}
            | {"MESSAGE": "job is running, progress 61.2%"},
            {"IMAGE": "registry.example.com:5000/team/app:v1", "REASON": "NodesFailed"}
            | {"SKIPPED": "1", "NEXT-REFRESH": "2026-01-31T02:00:00Z"},
        ),
        (
            crds_full.LIST,
            {"READY": "488/800", "TOTAL": "2", "SUCCEEDED": "1", "COMPLETED": "1", "AGE": "<age>"},
            {"REASON": "NodesFailed", "NEXT-REFRESH": "2026-01-31T02:00:00Z"},
        ),
        (
            crds_full.NODE_IMAGE,
            {"DESIRED": "4", "PULLING": "2", "WAITING": "1", "SUCCEED": "1", "FAILED": "0", "AGE": "<age>"},
            {"AGENT": "0.1.0", "RUNTIME": "containerd://2.3.7", "REPORTED": "<age>"},
        ),
    ],
    ids=["ImagePullJob", "ImageListPullJob", "NodeImage"],
)
@pytest.mark.parametrize("version", ["v1alpha1", "v1beta1"])
def test_kubectl_get_shows_what_matters(
    full: Json, columns: dict[str, str], wide: dict[str, str], version: str, apiserver: ApiServer, names: Names
) -> None:
    """The columns of both versions (8.2 number 15: MESSAGE is lost in one); the last ones with --output=wide."""
    stored = put(apiserver, full, name=names("a"))

    assert {"NAME": stored["metadata"]["name"], **columns} == _row(apiserver, stored, version=version)
    assert {"NAME": stored["metadata"]["name"], **columns, **wide} == _row(
        apiserver, stored, "--output=wide", version=version
    )


def _labelled(manifest: Json) -> Json:
    return {**manifest["metadata"], "labels": {"changed": "yes"}}


def _row(apiserver: ApiServer, stored: Json, *options: str, version: str) -> dict[str, str]:
    """Return one object's line of kubectl's table by column; an age, which moves, as <age>."""
    resource = f"{stored['kind'].lower()}s.{version}.apps.kruise.io"
    head, line = apiserver.kubectl("get", resource, stored["metadata"]["name"], *options).splitlines()
    columns = head.split()
    starts = [head.index(name) for name in columns]
    cells = [line[start:end].strip() for start, end in zip(starts, [*starts[1:], None], strict=True)]
    return {
        name: "<age>" if name in {"AGE", "REPORTED"} and cell[-1:] in {"s", "m", "h", "d"} else cell
        for name, cell in zip(columns, cells, strict=True)
    }
