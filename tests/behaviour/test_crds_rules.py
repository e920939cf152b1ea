"""An API server takes and refuses the same manifests as our own rules, and keeps what it takes."""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any, Final

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from daemon.api.manifest import parse_object
from daemon.api.nodeimage import NodeImage
from daemon.api.objects import Resource
from daemon.api.wire import resource_to_wire
from daemon.api.yamltext import read_yaml
from tests.manifests.table import Case, cases
from tests.servers import crds
from tests.servers.apiserver import ApiServer
from tests.unit.api.strategies import jobs, list_jobs, node_images
from tests.unit.test_images_properties import NEARLY, REFERENCES


Json = dict[str, Any]
Path = tuple[str | int, ...]

HURRIED = settings(deadline=None, database=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
CASES: Final = cases()
# What a schema can't know: which cron fields mean something, which names are zones. A format lets any list pass.
BEYOND_A_SCHEMA: Final = ("schedule", "timeZone", "createdAt")


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What a server said to a manifest: the object as it would be stored, and of which unknown fields it warned."""

    status: int
    text: str
    unknown: frozenset[str]

    @property
    def is_accepted(self) -> bool:
        """Whether it took the manifest."""
        return 201 == self.status

    @property
    def spec(self) -> Json:
        """The spec as it would be stored."""
        spec: Json = json.loads(self.text).get("spec", {})
        return spec


Post = Callable[[str, str | Json], Answer]


@pytest.fixture(scope="module", autouse=True)
def _installed(apiserver: ApiServer) -> None:
    crds.install(apiserver, crds.ours())


@pytest.fixture(scope="module")
def post(apiserver: ApiServer, _installed: None) -> Iterator[Post]:
    """Create an object as a dry run, from text as it stands: the server and kubectl have one reader of YAML."""
    from kubernetes import config

    connection = config.new_client_from_config(config_file=str(apiserver.kubeconfig))  # type: ignore[no-untyped-call]

    def post_it(path: str, manifest: str | Json) -> Answer:
        is_text = isinstance(manifest, str)
        request = connection.param_serialize(
            "POST",
            path,
            query_params=[("dryRun", "All"), ("fieldValidation", "Warn")],
            header_params={"Content-Type": "application/yaml" if is_text else "application/json"},
            body=manifest,
            auth_settings=["BearerToken"],
        )
        answer = connection.call_api(*request, _request_timeout=30)
        warnings = answer.headers.get("Warning") or ""
        unknown = frozenset(re.findall(r'unknown field \\"(.*?)\\"', warnings))
        return Answer(status=answer.status, text=answer.read().decode(), unknown=unknown)

    yield post_it
    connection.close()


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.topic}/{case.name}")
def test_each_manifest_of_the_table_is_taken_or_refused_as_it_says(case: Case, post: Post) -> None:
    """A server with our CRDs agrees with our rules on every manifest, but where the table says why it can't."""
    answer = post(_path(case.text), case.text)

    assert case.server_accepts == answer.is_accepted, answer.text


@pytest.mark.parametrize("case", [case for case in CASES if case.is_good], ids=lambda case: f"{case.topic}/{case.name}")
def test_unknown_fields_are_the_same_on_both_sides(case: Case, post: Post) -> None:
    """The server warns of the fields that our rules warn of, and of no field that we know."""
    ours = {match[1] for warning in case.warnings if (match := re.match(r'unknown field "(.*?)"', warning))}

    answer = post(_path(case.text), case.text)

    assert ours == {field for field in answer.unknown if not field.startswith("status")}


@given(resource=jobs | list_jobs | node_images)
@HURRIED
def test_every_sound_value_is_taken_and_kept(resource: Resource, post: Post) -> None:
    """Whatever our types can say, the server stores as it was sent: nothing added, nothing dropped."""
    wire: Json = resource_to_wire(resource)
    sent = {**wire, "metadata": {"name": resource.name}}

    answer = post(_path_of(sent), sent)

    assert answer.is_accepted, answer.text
    assert wire["spec"] == answer.spec
    assert {field for field in answer.unknown if not field.startswith("metadata")} == set()


@given(text=NEARLY | REFERENCES)
@settings(HURRIED, max_examples=200)
def test_every_text_is_an_image_on_both_sides_or_on_none(text: str, post: Post) -> None:
    """A reference that a runtime would refuse is refused at once, and no other."""
    sent = _manifest("ImagePullJob", image=text.encode(errors="replace").decode())

    answer = post(_path_of(sent), sent)

    assert _ours(sent) == answer.is_accepted, answer.text


@given(data=st.data())
@settings(HURRIED, max_examples=400)
def test_a_spoilt_manifest_is_judged_alike(data: st.DataObject, post: Post) -> None:
    """One value of a good manifest replaced by another, or removed: both sides say yes, or both no."""
    seed = data.draw(st.sampled_from(SEEDS))
    path = data.draw(st.sampled_from(list(_paths(seed["spec"]))))
    sent = {**seed, "spec": _replaced(seed["spec"], path, lambda value: data.draw(_others(value)))}

    # As text: a reader of YAML makes 3 of 3.0 on the way, which a schema's int-or-string would refuse.
    answer = post(_path_of(sent), json.dumps(sent, ensure_ascii=False))

    if not (path[-1] in BEYOND_A_SCHEMA and answer.is_accepted):
        assert _ours(sent) == answer.is_accepted, answer.text


@given(node_image=node_images)
@HURRIED
def test_every_sound_status_is_taken_and_kept(node_image: NodeImage, apiserver: ApiServer) -> None:
    """Each tag status that our types can say comes back from /status as it was sent."""
    wire: Json = resource_to_wire(node_image)
    statuses = wire.get("status", {"imageStatuses": {}})
    stored = _node_image(apiserver)

    answer = apiserver.request(
        "PUT",
        f"/apis/apps.kruise.io/v1beta1/nodeimages/{stored['metadata']['name']}/status?dryRun=All&fieldValidation=Strict",
        {**stored, "status": {"desired": 0, **statuses}},
    )

    assert statuses["imageStatuses"] == answer["status"].get("imageStatuses", {})


def _path(text: str) -> str:
    """Find where kubectl would send a manifest, a job's place where it can't be told."""
    kind = re.search(r'"?kind"?: "?(ImageListPullJob|NodeImage)\b', text)
    version = re.search(r'"?apiVersion"?: "?apps\.kruise\.io/(v1alpha1|v1beta1)\b', text)
    return _path_of(
        {
            "kind": kind[1] if kind else "ImagePullJob",
            "apiVersion": f"apps.kruise.io/{version[1] if version else 'v1beta1'}",
        }
    )


def _path_of(manifest: Json) -> str:
    namespace = "" if manifest["kind"] == "NodeImage" else "/namespaces/default"
    return f"/apis/{manifest['apiVersion']}{namespace}/{manifest['kind'].lower()}s"


def _manifest(kind: str, **spec: object) -> Json:
    return {
        "apiVersion": "apps.kruise.io/v1beta1",
        "kind": kind,
        "metadata": {"name": "a"},
        "spec": {"completionPolicy": {}, **spec},
    }


def _ours(manifest: Json) -> bool:
    return not parse_object(manifest).errors


def _node_image(server: ApiServer) -> Json:
    path = "/apis/apps.kruise.io/v1beta1/nodeimages"
    found: list[Json] = server.request("GET", path)["items"]
    body = {"apiVersion": "apps.kruise.io/v1beta1", "kind": "NodeImage", "metadata": {"name": "of-the-status"}}
    return {**body, **found[0]} if found else server.request("POST", path, body)


PRINTABLE: Final = st.characters(codec="utf-8", exclude_categories=["C", "Z"])


def _seeds() -> Iterator[Json]:
    """Good manifests as plain values, without those whose size alone is their point."""
    for case in CASES:
        value = next(iter(read_yaml(case.text))).value
        if case.is_good and isinstance(value, dict) and value.get("spec") and len(case.text) < 2000:
            yield {**value, "metadata": {"name": "a"}}


SEEDS: Final = list(_seeds())


def _paths(value: object) -> Iterator[Path]:
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, inner in members:
        yield (step,)
        for path in _paths(inner):
            yield (step, *path)


def _replaced(value: Any, path: Path, change: Callable[[object], object]) -> Any:  # noqa: ANN401  plain values
    if not path:
        return change(value)
    step, *rest = path
    inner = _replaced(value[step], tuple(rest), change)
    copy = value.copy()
    if inner is not msgspec.UNSET:
        copy[step] = inner
    elif isinstance(copy, dict):
        del copy[step]
    else:
        copy.pop(step)
    return copy


def _others(value: object) -> st.SearchStrategy[object]:
    """What may stand in a value's place: anything but null, which a server drops and we do not."""
    bounds = [0, 1, 2**31 - 1, 2**63 - 1, -(2**31)]
    numbers = st.builds(int.__add__, st.sampled_from(bounds), st.integers(-2, 2)) | st.floats(
        allow_nan=False, allow_infinity=False
    )
    plain = numbers | st.booleans() | st.text(PRINTABLE, max_size=8) | st.sampled_from([[], {}, [""], {"": ""}, [{}]])
    removed = st.just(msgspec.UNSET)
    return removed | plain | _near(value) if isinstance(value, str) else removed | plain


@st.composite
def _near(draw: st.DrawFn, text: str) -> str:
    at = draw(st.integers(0, len(text)))
    return text[:at] + draw(st.text("aZ0 :/@%.,-_+*\n", max_size=2)) + text[at + draw(st.integers(0, 1)) :]
