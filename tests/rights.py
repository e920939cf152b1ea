"""
Rights of an account as three sources tell them: docs/security.md, the manifests, and kubectl about an API server.

Each becomes a set of single rights in one spelling, kubectl's, so that a test compares sets. A right on objects of some
names only has the names after a colon.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec


SECURITY = Path(__file__).parents[1] / "docs/security.md"
CLUSTER = "cluster"

# | where | resource | verbs | what for |
_ROW = re.compile(
    r"^\| (?:cluster|namespace `(?P<namespace>[^`]+)`) \| `(?P<resource>[^`]+)`(?: named `(?P<names>[^`]+)`)? "
    r"\| (?P<verbs>[^|]+) \|",
    re.MULTILINE,
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


def documented(account: str) -> set[Right]:
    """Return what docs/security.md says that an account may do: the first table after the line that names it."""
    text = SECURITY.read_text(encoding="utf-8").partition(f"account is `{account}`")[2].partition("\n## ")[0]
    return {
        Right(
            where=row["namespace"] or CLUSTER, resource=_limited(row["resource"], names=row["names"] or ""), verb=verb
        )
        for row in _ROW.finditer(text)
        for verb in re.findall(r"`([^`]+)`", row["verbs"])
    }


def granted(objects: Iterable[Mapping[str, Any]], *, account: str) -> set[Right]:
    """Return what the bindings and roles among some objects grant to an account; a `*` stays one."""
    return {
        Right(
            where=role["metadata"].get("namespace", CLUSTER),
            resource=_limited(_spelled(resource, group=group), names=" ".join(rule.get("resourceNames", []))),
            verb=verb,
        )
        for role in _roles(list(objects), account=account)
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


def listed(text: str, *, where: str) -> set[Right]:
    """Return what `kubectl auth can-i --list` printed."""
    return {
        Right(where=where, resource=_limited(row["resource"], names=row["names"]), verb=verb)
        for row in _LISTED.finditer(text)
        for verb in row["verbs"].split()
    }


def _roles(objects: list[Mapping[str, Any]], *, account: str) -> Iterator[Mapping[str, Any]]:
    bindings = (each for each in objects if any(one["name"] == account for one in each.get("subjects", [])))
    bound = {(each["roleRef"]["kind"], each["roleRef"]["name"], each["metadata"].get("namespace")) for each in bindings}
    for found in objects:
        if (found["kind"], found["metadata"]["name"], found["metadata"].get("namespace")) in bound:
            yield found


def _limited(resource: str, *, names: str | None) -> str:
    return f"{resource}:{names}" if names else resource


def _spelled(resource: str, *, group: str) -> str:
    """Write nodeimages/status of a group as kubectl does."""
    name, slash, subresource = resource.partition("/")
    return f"{name}.{group}".removesuffix(".") + slash + subresource
