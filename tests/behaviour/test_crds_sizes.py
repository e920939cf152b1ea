"""How large the objects may be that the CRDs' rules still judge."""

from typing import Any

import pytest

from tests.behaviour import crds_full
from tests.behaviour.crds_objects import address, job, put
from tests.servers import crds
from tests.servers.apiserver import ApiServer
from tests.servers.fixtures_apiserver import Names


Json = dict[str, Any]

_PARTS = crds_full.NODE_IMAGE["spec"]["images"], crds_full.NODE_IMAGE["status"]["imageStatuses"]
_MOST = range(256)


@pytest.fixture(scope="module", autouse=True)
def _installed(apiserver: ApiServer) -> None:
    crds.install(apiserver, crds.ours())


def test_the_largest_node_image_is_taken(apiserver: ApiServer, names: Names) -> None:
    """256 repositories of four tags each, in spec and status: no rule runs out of its budget."""
    entry, said = (_first(part)["tags"][0] for part in _PARTS)
    images = {f"repository-{number}": {"tags": [{**entry, "tag": f"v{tag}"} for tag in range(4)]} for number in _MOST}
    statuses = {name: {"tags": [{**said, "tag": f"v{tag}"} for tag in range(4)]} for name in images}
    status = {**crds_full.NODE_IMAGE["status"], "imageStatuses": statuses}

    stored = put(apiserver, {**crds_full.NODE_IMAGE, "spec": {"images": images}, "status": status}, name=names("a"))
    _write_again(apiserver, stored)

    assert (images, statuses) == (stored["spec"]["images"], stored["status"]["imageStatuses"])


@pytest.mark.parametrize(
    "spec",
    [
        {
            "selector": {
                "names": [f"ip-10-{number // 250}-{number % 250}-17.compute.internal" for number in range(10_000)]
            }
        },
        {"selector": {"matchLabels": {f"{'p' * 240}.{number}/{'n' * 63}": "v" * 63 for number in _MOST}}},
        {
            "podSelector": {
                "matchExpressions": [
                    {"key": f"{'p' * 253}/{'n' * 60}{number}", "operator": "In", "values": ["v" * 63] * 9}
                    for number in _MOST
                ]
            }
        },
    ],
    ids=["10,000 names", "256 long labels", "256 long expressions"],
)
def test_a_selector_of_a_large_cluster_is_taken(spec: Json, apiserver: ApiServer, names: Names) -> None:
    """No selector that fits a large cluster runs a rule out of its budget."""
    stored = put(apiserver, job(**spec), name=names("a"))
    _write_again(apiserver, stored)

    assert spec.items() <= stored["spec"].items()


def test_the_longest_list_of_the_longest_images_is_taken(apiserver: ApiServer, names: Names) -> None:
    """255 references, each as long as one can be."""
    host = ".".join(["h" * 60] * 4)
    images = [f"{host}:65535/{'p' * 250}{number:05}:{'t' * 128}@sha512:{'a' * 128}" for number in range(255)]

    stored = put(apiserver, {**crds_full.LIST, "spec": {"images": images, "completionPolicy": {}}}, name=names("a"))
    _write_again(apiserver, stored)

    assert images == stored["spec"]["images"]


def _first(values: Json) -> Json:
    first: Json = next(iter(values.values()))
    return first


def _write_again(apiserver: ApiServer, stored: Json) -> None:
    """Write an object as it is; the timeout leaves a busy machine ten times what it takes."""
    apiserver.request("PUT", f"{address(stored)}?dryRun=All", stored, timeout_seconds=15)
