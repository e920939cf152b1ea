"""
How a copy of a pull secret is called, and what its annotations say: from where it is, and for which jobs. Pure.

The annotations are OpenKruise's (3.8), so that either finds the other's copies and takes them over. A copy's name says
its source to a person, and is the same for the same source whoever makes it, so that two leaders make no two copies.
"""

import hashlib
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from daemon.api.names import is_dns_subdomain


SOURCE_KEY: Final = "imagepulljobs.kruise.io/source-key"
REFERENCES: Final = "imagepulljobs.kruise.io/references"
MODE: Final = "imagepulljobs.kruise.io/mode"
BATCH: Final = "batch"
"""The mode of a copy that all jobs of its source share."""

LONGEST_NAME: Final = 253
# A Secret of a person may have the first by chance; not all of them.
NAMES: Final = 4
_HEX: Final = 6


class Source(NamedTuple):
    """A Secret that a job names: the job's namespace, and the Secret's name."""

    namespace: str
    name: str

    @property
    def key(self) -> str:
        """Namespace and name as the annotation has them."""
        return f"{self.namespace}/{self.name}"

    @property
    def path(self) -> str:
        """Where it is on the API server."""
        return f"{secrets_in(self.namespace)}/{self.name}"


class KnownCopy(NamedTuple):
    """A copy as a list of them says: its name, of which source it is, and for which jobs (namespace/name)."""

    name: str
    source: Source
    references: tuple[str, ...]


def secrets_in(namespace: str) -> str:
    """Return the path of a namespace's Secrets."""
    return f"/api/v1/namespaces/{namespace}/secrets"


def copy_names(source: Source) -> tuple[str, ...]:
    """Return what a source's copy is called: the first of these that no other Secret has."""
    marks = (source.key, *(f"{source.key}#{number}" for number in range(1, NAMES)))
    return tuple(_named(source.name, mark) for mark in marks)


def chosen(source: Source, names: Iterable[str]) -> str:
    """Return which of several copies of one source is used: ours by name, else the first; "" for none."""
    known = set(names)
    ours = (name for name in copy_names(source) if name in known)
    return next(ours, min(known, default=""))


def annotations_of(source: Source, references: Iterable[str]) -> dict[str, str]:
    """Return all annotations of a copy for these jobs (namespace/name)."""
    return {SOURCE_KEY: source.key, **shares_of(references)}


def shares_of(references: Iterable[str]) -> dict[str, str]:
    """Return the annotations that change with a copy's jobs: their names are sorted, each there once."""
    return {REFERENCES: ",".join(sorted(set(references))), MODE: BATCH}


def source_of(annotations: Mapping[str, str]) -> Source | None:
    """Return of which source a Secret is the copy; None of one that is no copy."""
    namespace, slash, name = annotations.get(SOURCE_KEY, "").partition("/")
    if not slash or not is_dns_subdomain(namespace) or not is_dns_subdomain(name):
        return None
    return Source(namespace, name)


def references_of(annotations: Mapping[str, str]) -> tuple[str, ...]:
    """Return for which jobs (namespace/name) a copy is."""
    text = annotations.get(REFERENCES, "")
    return tuple(sorted({each.strip() for each in text.split(",") if each.strip()}))


def _named(name: str, mark: str) -> str:
    short = name[: LONGEST_NAME - _HEX - 1].rstrip("-.")
    return f"{short}-{hashlib.sha256(mark.encode()).hexdigest()[:_HEX]}"
