"""
Puts CRDs into a test's API server: ours, or what tests/servers/openkruise/crds.py shapes like OpenKruise's.

They go in by server-side apply, as kubectl would bring them, so that one set can be put over another.
"""

import http
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

import yaml

from tests.servers.apiserver import ApiServer
from tests.servers.apiserver_access import ApiFailed
from tests.servers.processes import until


Json = dict[str, Any]

FOLDER: Final = Path(__file__).parents[2] / "deploy/crds"
FILES: Final = tuple(sorted(path for path in FOLDER.glob("*.yaml") if path.name != "kustomization.yaml"))
PATH: Final = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


def ours() -> list[Json]:
    """Return the CRDs of deploy/crds."""
    return [yaml.safe_load(path.read_text(encoding="utf-8")) for path in FILES]


def install(server: ApiServer, crds: Sequence[Json], *, timeout_seconds: float = 30) -> None:
    """
    Apply CRDs, over what there may be, and return when every version of each can be listed.

    Raises:
        ApiFailed: the API server refuses one; the message says why.
        TimeoutError: one is not served after timeout_seconds.
    """
    for crd in crds:
        path = f"{PATH}/{crd['metadata']['name']}?fieldManager=test&force=true"
        server.request("PATCH", path, crd, content_type="application/apply-patch+yaml")
    until_served(server, crds, timeout_seconds=timeout_seconds)


def until_served(server: ApiServer, crds: Sequence[Json], *, timeout_seconds: float = 30) -> None:
    """
    Wait until every version of each CRD can be listed.

    Raises:
        TimeoutError: one is not served after timeout_seconds.
    """
    for address in _addresses(crds):
        until(partial(_is_served, server, address), what=address, timeout_seconds=timeout_seconds)


def remove(server: ApiServer, crds: Sequence[Json], *, timeout_seconds: float = 30) -> None:
    """Delete CRDs with every object of theirs, and return when they are gone."""
    for crd in crds:
        path = f"{PATH}/{crd['metadata']['name']}"
        server.request("DELETE", path)
        until(partial(_is_gone, server, path), what=f"end of {path}", timeout_seconds=timeout_seconds)


def condition(crd: Json, name: str) -> str:
    """Return the status of one of a CRD's conditions, "" where it has none of that name."""
    found = crd.get("status", {}).get("conditions", [])
    return next((each["status"] for each in found if each["type"] == name), "")


def _addresses(crds: Sequence[Json]) -> list[str]:
    specs = [crd["spec"] for crd in crds]
    return [
        f"/apis/{spec['group']}/{version['name']}/{spec['names']['plural']}?limit=1"
        for spec in specs
        for version in spec["versions"]
    ]


def _is_served(server: ApiServer, path: str) -> bool:
    try:
        server.request("GET", path)
    except ApiFailed as error:
        if error.status not in (http.HTTPStatus.NOT_FOUND, http.HTTPStatus.SERVICE_UNAVAILABLE):
            raise
        return False
    return True


def _is_gone(server: ApiServer, path: str) -> bool:
    try:
        server.request("GET", path)
    except ApiFailed as error:
        if error.status != http.HTTPStatus.NOT_FOUND:
            raise
        return True
    return False
