"""Our CRDs put over OpenKruise's: no object is lost, and one that our rules would refuse can still be worked with."""

from collections.abc import Callable, Iterator
from typing import Any, Final

import pytest

from tests.behaviour import crds_full
from tests.behaviour.crds_objects import address, job, put
from tests.servers import crds
from tests.servers.apiserver import ApiServer
from tests.servers.apiserver_access import ApiFailed
from tests.servers.fixtures_apiserver import Names
from tests.servers.openkruise.crds import crds as theirs
from tests.servers.processes import until


Json = dict[str, Any]

RELEASES = pytest.mark.parametrize(("release", "version"), [("1.6", "v1alpha1"), ("1.9", "v1beta1")])
# What OpenKruise's webhook lets pass and our rules do not.
ODD: Final = {
    "imagePullPolicy": "Sometimes",
    "pullPolicy": {"timeoutSeconds": 0, "backoffLimit": -1},
    "completionPolicy": {"type": "Always", "activeDeadlineSeconds": 0},
}


@pytest.fixture(autouse=True)
def _removed(apiserver: ApiServer) -> Iterator[None]:
    yield
    crds.remove(apiserver, crds.ours())


@RELEASES
def test_objects_stay_as_they_are(release: str, version: str, apiserver: ApiServer, names: Names) -> None:
    """Jobs, lists and NodeImages are there in both versions as they were."""
    crds.install(apiserver, theirs(release))
    before = [put(apiserver, full, name=names("a"), version=version) for full in crds_full.ALL]

    _put_ours_over(apiserver, names)

    for stored in before:
        for each in ("v1alpha1", "v1beta1"):
            after = apiserver.request("GET", address(stored, version=each))
            assert (stored["spec"], stored["status"]) == (after["spec"], after["status"])
            assert stored["metadata"]["uid"] == after["metadata"]["uid"]


@RELEASES
def test_what_is_odd_can_be_worked_with_until_it_is_changed(
    release: str, version: str, apiserver: ApiServer, names: Names
) -> None:
    """Status and labels of an object with odd values can be written; only a new odd value is refused."""
    crds.install(apiserver, theirs(release))
    stored = put(apiserver, job(**ODD), name=names("a"), version=version)

    _put_ours_over(apiserver, names)
    labelled = apiserver.request("PATCH", address(stored), {"metadata": {"labels": {"a": "b"}}})
    reported = apiserver.request("PATCH", f"{address(stored)}/status", {"status": {"desired": 3}})
    with pytest.raises(ApiFailed, match="timeoutSeconds") as refused:
        apiserver.request("PATCH", address(stored), {"spec": {"pullPolicy": {"timeoutSeconds": -1}}})

    assert stored["spec"] == labelled["spec"] == reported["spec"]
    assert {"desired": 3} == reported["status"]
    assert 422 == refused.value.status


@RELEASES
def test_what_was_stored_in_is_remembered(release: str, version: str, apiserver: ApiServer, names: Names) -> None:
    """The server keeps saying in which versions there may be objects: of 1.6's, v1alpha1 stays one until rewritten."""
    crds.install(apiserver, theirs(release))

    _put_ours_over(apiserver, names)

    for crd in crds.ours():
        found = apiserver.request("GET", f"{crds.PATH}/{crd['metadata']['name']}")
        assert sorted({version, "v1beta1"}) == sorted(found["status"]["storedVersions"])


def _put_ours_over(apiserver: ApiServer, names: Names) -> None:
    """Install ours and wait until a field of ours is kept: a schema comes into effect a moment after its write."""
    crds.install(apiserver, crds.ours())
    for full in crds_full.ALL:
        probe = {name: value for name, value in full.items() if name != "status"}
        probe["metadata"] = {"name": names("probe")}
        until(_keeps(apiserver, probe), what=f"our {full['kind']}", timeout_seconds=30)


def _keeps(apiserver: ApiServer, probe: Json) -> Callable[[], bool]:
    path = f"{address(probe, name='')}?dryRun=All"
    return lambda: bool(probe["spec"] == apiserver.request("POST", path, probe)["spec"])
