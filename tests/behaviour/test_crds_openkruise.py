"""Our objects on CRDs shaped like OpenKruise's: what is ours is dropped without an error, the rest stays as it is."""

import copy
from collections.abc import Iterator
from typing import Any, Final

import msgspec
import pytest

from tests.behaviour import crds_full
from tests.behaviour.crds_objects import address, put
from tests.servers import crds
from tests.servers.apiserver import ApiServer
from tests.servers.fixtures_apiserver import Names
from tests.servers.openkruise.crds import crds as theirs


Json = dict[str, Any]

VERSIONS: Final = {"1.6": "v1alpha1", "1.9": "v1beta1"}
REPOSITORY: Final = "registry.example.com:5000/team/app"
OF_A_TAG_STATUS: Final = ("reason", "attempt", "digest", "changed", "bytes", "stage")
KINDS = pytest.mark.parametrize("full", crds_full.ALL, ids=lambda full: str(full["kind"]))


class Theirs(msgspec.Struct, frozen=True, kw_only=True):
    """OpenKruise's CRDs as installed: the release that they are like, and the version that its manager speaks."""

    release: str
    version: str


@pytest.fixture(scope="module", params=["1.6", "1.9"])
def installed(apiserver: ApiServer, request: pytest.FixtureRequest) -> Iterator[Theirs]:
    """The server with OpenKruise's CRDs, or ours where a test has put them over those."""
    release = str(request.param)
    crds.install(apiserver, theirs(release))
    yield Theirs(release=release, version=VERSIONS[release])
    crds.remove(apiserver, theirs(release))


@KINDS
def test_our_fields_are_dropped_and_the_rest_stays(
    full: Json, installed: Theirs, apiserver: ApiServer, names: Names
) -> None:
    """A full object with its status is taken, and read back without what is ours."""
    expected = _without_ours(full, has_mode=installed.version == "v1beta1")

    stored = put(apiserver, full, name=names("a"), version=installed.version)

    assert (expected["spec"], expected["status"]) == (stored["spec"], stored["status"])


def test_a_json_patch_of_our_fields_is_accepted_and_dropped(
    installed: Theirs, apiserver: ApiServer, names: Names
) -> None:
    """An agent's guarded patch goes through: the counters and statuses are there, prewarm and conditions are not."""
    stored = put(apiserver, _without_status(crds_full.NODE_IMAGE), name=names("a"), version=installed.version)
    status = crds_full.NODE_IMAGE["status"]
    guard = {"op": "test", "path": "/metadata/uid", "value": stored["metadata"]["uid"]}
    path = f"{address(stored, version=installed.version)}/status"

    first = apiserver.request("PATCH", path, [guard, {"op": "add", "path": "/status", "value": {"desired": 1}}])
    parts = {
        "prewarm": status["prewarm"],
        "conditions": status["conditions"],
        "imageStatuses": status["imageStatuses"],
    }
    steps = [{"op": "add", "path": f"/status/{name}", "value": value} for name, value in parts.items()]
    second = apiserver.request("PATCH", path, [guard, *steps])

    assert {"desired": 1} == first["status"]
    kept = _without_ours(crds_full.NODE_IMAGE, has_mode=True)["status"]["imageStatuses"]
    assert {"desired": 1, "imageStatuses": kept} == second["status"]


def test_a_patch_of_nothing_but_our_fields_writes_nothing(
    installed: Theirs, apiserver: ApiServer, names: Names
) -> None:
    """What is dropped makes no new version of the object, so no watcher is woken."""
    plain = _without_ours(crds_full.NODE_IMAGE, has_mode=installed.version == "v1beta1")
    before = put(apiserver, plain, name=names("a"), version=installed.version)
    step = {"op": "add", "path": "/status/prewarm", "value": crds_full.NODE_IMAGE["status"]["prewarm"]}

    after = apiserver.request("PATCH", f"{address(before, version=installed.version)}/status", [step])

    assert before == after


def _without_status(full: Json) -> Json:
    return {name: value for name, value in full.items() if name != "status"}


def _without_ours(full: Json, *, has_mode: bool) -> Json:
    """Take out of a full object what OpenKruise's CRDs do not know."""
    kept = copy.deepcopy(full)
    kept["spec"].pop("prewarm", None)
    for name in ("prewarm", "conditions", "observedGeneration"):
        kept["status"].pop(name)
    for image in kept["spec"].get("images", {}).values() if full["kind"] == "NodeImage" else ():
        image["tags"][0].pop("prewarm")
        if not has_mode:
            image["pullSecrets"][0].pop("mode")
    for status in kept["status"].get("imageStatuses", {}).values():
        for name in OF_A_TAG_STATUS:
            status["tags"][0].pop(name)
    return kept
