"""The CRDs as files: what their two versions and the two kinds of job share, and what they leave out on purpose."""

import copy
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from tests.behaviour import crds_full
from tests.servers import crds


Json = dict[str, Any]

OURS = {crd["spec"]["names"]["kind"]: crd for crd in crds.ours()}
KINDS = pytest.mark.parametrize("kind", ["ImageListPullJob", "ImagePullJob", "NodeImage"])


def test_there_is_one_file_for_each_kind() -> None:
    """Three files, three kinds."""
    assert ["ImageListPullJob", "ImagePullJob", "NodeImage"] == sorted(OURS)


@KINDS
def test_both_versions_say_the_same(kind: str) -> None:
    """One schema, one status subresource and the same columns, so that neither version can lose what the other has."""
    versions = OURS[kind]["spec"]["versions"]

    one, other = ({**version, "name": "", "storage": None} for version in versions)

    assert ["v1beta1", "v1alpha1"] == [version["name"] for version in versions]
    assert one == other


def test_both_kinds_of_job_share_their_template() -> None:
    """What a list takes and a job does not is its images, and how many nodes may pull for the whole of it."""
    job, several = _spec("ImagePullJob"), _spec("ImageListPullJob")
    image, images = job["properties"].pop("image"), several["properties"].pop("images")
    several["properties"]["prewarm"]["properties"].pop("listParallelism")

    assert {**image, "description": ""} == {**images["items"], "description": ""}
    assert job["properties"] == several["properties"]
    assert job["x-kubernetes-validations"] == several["x-kubernetes-validations"]


@KINDS
def test_nothing_has_a_default(kind: str) -> None:
    """What a person left out stays out, as in OpenKruise's CRDs: its clients fill in what they need themselves."""
    assert [] == [path for path, schema in _schemas(_root(kind)) if "default" in schema]


@KINDS
def test_every_field_says_what_it_is(kind: str) -> None:
    """`kubectl explain` has words for each field that a person writes or reads first."""
    silent = {path for path, schema in _schemas(_root(kind)) if "description" not in schema and path.count(".") <= 2}

    assert {".apiVersion", ".kind", ".metadata"} == {path for path in silent if not path.endswith("[]")}


@KINDS
def test_the_full_objects_of_the_tests_are_full(kind: str) -> None:
    """Every field stands in what the tests send through both versions, but names, which go with no label."""
    values = [full for full in crds_full.ALL if (full["kind"] == "NodeImage") == (kind == "NodeImage")]

    assert {".spec.selector.names"} >= set(_absent(_root(kind), values))


@KINDS
def test_they_have_a_label_of_their_own(kind: str) -> None:
    """Everything but the CRDs can be deleted by label, which leaves the jobs alone."""
    labels = OURS[kind]["metadata"]["labels"]

    assert ("prewarm", "crds") == (labels["app.kubernetes.io/part-of"], labels["app.kubernetes.io/component"])


def _root(kind: str) -> Json:
    root: Json = OURS[kind]["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    return root


def _spec(kind: str) -> Json:
    spec: Json = copy.deepcopy(_root(kind)["properties"]["spec"])
    return spec


def _schemas(schema: Json, path: str = "") -> Iterator[tuple[str, Json]]:
    """Yield every place of a schema with what stands there."""
    yield path, schema
    for name, inner in schema.get("properties", {}).items():
        yield from _schemas(inner, f"{path}.{name}")
    for inner in (schema.get("items"), schema.get("additionalProperties")):
        if isinstance(inner, dict):
            yield from _schemas(inner, f"{path}[]")


def _absent(schema: Json, values: Sequence[Any], path: str = "") -> Iterator[str]:
    """Yield the fields of a schema that none of the values has."""
    for name, inner in schema.get("properties", {}).items():
        found = [value[name] for value in values if name in value]
        yield from _absent(inner, found, f"{path}.{name}") if found else [f"{path}.{name}"]
    if isinstance(schema.get("items"), dict):
        yield from _absent(schema["items"], [each for value in values for each in value], f"{path}[]")
    if isinstance(schema.get("additionalProperties"), dict):
        every = [each for value in values for each in value.values()]
        yield from _absent(schema["additionalProperties"], every, f"{path}[]")
