"""
Rights of an account as three sources tell them: docs/security.md, the manifests, and kubectl about an API server.

Each becomes a set of single rights in one spelling, kubectl's, so that a test compares sets.
"""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec


SECURITY = Path(__file__).parents[1] / "docs/security.md"
CLUSTER = "cluster"

# | where | resource | verbs | what for |
_ROW = re.compile(
    r"^\| (?:cluster|namespace `(?P<namespace>[^`]+)`) \| `(?P<resource>[^`]+)` \| (?P<verbs>[^|]+) \|", re.MULTILINE
)
# nodeimages.apps.kruise.io/status   []   []   [patch]
_LISTED = re.compile(
    r"^(?P<resource>[a-z*][^\s\[]*)\s+\[\]\s+\[(?P<names>[^\]]*)\]\s+\[(?P<verbs>[^\]]*)\]", re.MULTILINE
)


class Right(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """One verb on one resource, such as nodeimages.apps.kruise.io/status, in one namespace or the whole cluster."""

    where: str
    resource: str
    verb: str


def documented() -> set[Right]:
    """Return what docs/security.md says that the agent may do."""
    return {
        Right(where=row["namespace"] or CLUSTER, resource=row["resource"], verb=verb)
        for row in _ROW.finditer(SECURITY.read_text(encoding="utf-8"))
        for verb in re.findall(r"`([^`]+)`", row["verbs"])
    }


def granted(objects: Iterable[Mapping[str, Any]]) -> set[Right]:
    """Return what the roles among some objects grant; a `*` stays one."""
    return {
        Right(where=role["metadata"].get("namespace", CLUSTER), resource=_spelled(resource, group=group), verb=verb)
        for role in objects
        if role["kind"] in {"ClusterRole", "Role"}
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


def listed(text: str, *, where: str) -> set[Right]:
    """Return what `kubectl auth can-i --list` printed; a right for some names only has them after a colon."""
    return {
        Right(where=where, resource=row["resource"] + (f":{row['names']}" if row["names"] else ""), verb=verb)
        for row in _LISTED.finditer(text)
        for verb in row["verbs"].split()
    }


def _spelled(resource: str, *, group: str) -> str:
    """Write nodeimages/status of a group as kubectl does."""
    name, slash, subresource = resource.partition("/")
    return f"{name}.{group}".removesuffix(".") + slash + subresource
