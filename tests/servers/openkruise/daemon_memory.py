"""
What a kruise-daemon remembers of its node's entries, and the status that it makes of it. Thread-safe.

It knows nothing of the API server or a runtime: a NodeImage in, works to begin and a status out.
"""

import threading
from datetime import UTC, datetime
from typing import NamedTuple

import msgspec

from tests.servers.openkruise.manager_nodeimage import Entry, ImageStatus, NodeImage, NodeImageStatus, TagStatus


DEFAULT_TIMEOUT_SECONDS = 600
DEFAULT_BACKOFF_LIMIT = 3


class Key(NamedTuple):
    """An entry's place."""

    repository: str
    tag: str


class Work(msgspec.Struct, frozen=True, kw_only=True):
    """One version of one entry to pull."""

    key: Key
    version: int
    policy: str
    timeout_seconds: float
    attempts: int

    @property
    def image(self) -> str:
        """What it asks the runtime for: a digest too is joined by a colon."""
        return f"{self.key.repository}:{self.key.tag}"


class Memory:
    """`statuses` is what it believes of each entry."""

    def __init__(self) -> None:
        self.statuses: dict[Key, TagStatus] = {}
        self._begun: dict[Key, int] = {}
        self._lock = threading.Lock()

    def take(self, node_image: NodeImage) -> list[Work]:
        """Take over what the API has an end of, forget what is not wanted, and return what is to be begun."""
        entries = entries_of(node_image)
        with self._lock:
            self.statuses = {key: said for key, said in self.statuses.items() if key in entries}
            self._begun = {key: version for key, version in self._begun.items() if key in entries}
            for key, entry in entries.items():
                said = node_image.status.find(key.repository, tag=key.tag)
                if said is not None and said.version == entry.version and said.completion_time is not None:
                    self.statuses[key], self._begun[key] = said, entry.version
            works = [_work(key, entry) for key, entry in entries.items() if self._begun.get(key) != entry.version]
            self._begun |= {work.key: work.version for work in works}
        return works

    def begin(self, work: Work) -> None:
        """Say that a pull runs."""
        self._say(work, TagStatus(tag=work.key.tag, phase="Pulling", version=work.version, start_time=now()))

    def succeed(self, work: Work, *, image_id: str) -> None:
        """Say that the image is there."""
        self._end(work, phase="Succeeded", progress=100, image_id=f"{work.key.repository}@{image_id}")

    def fail(self, work: Work, *, message: str) -> None:
        """Say that it was tried often enough."""
        self._end(work, phase="Failed", message=message)

    def is_wanted(self, work: Work) -> bool:
        """Tell whether this version is the one to pull."""
        with self._lock:
            return self._begun.get(work.key) == work.version

    def status_of(self, node_image: NodeImage) -> NodeImageStatus:
        """Return the whole status, in which nothing is that its types do not know."""
        entries = entries_of(node_image)
        with self._lock:
            known = {key: said for key, said in self.statuses.items() if key in entries}
        images: dict[str, ImageStatus] = {}
        for key, said in known.items():
            before = images[key.repository].tags if key.repository in images else ()
            images[key.repository] = ImageStatus(tags=(*before, said))
        phases = [said.phase for said in known.values()]
        return NodeImageStatus(
            desired=len(entries),
            succeeded=phases.count("Succeeded"),
            failed=phases.count("Failed"),
            pulling=phases.count("Pulling"),
            waiting=phases.count("Waiting"),
            image_statuses=images or msgspec.UNSET,
        )

    def is_finished(self, node_image: NodeImage) -> bool:
        """Tell whether every entry's version has its end."""
        entries = entries_of(node_image)
        with self._lock:
            said = {key: self.statuses[key] for key in entries if key in self.statuses}
        return all(key in said and _has_ended(said[key], entry) for key, entry in entries.items())

    def _say(self, work: Work, status: TagStatus) -> None:
        with self._lock:
            if self._begun.get(work.key) == work.version:
                self.statuses[work.key] = status

    def _end(self, work: Work, **fields: object) -> None:
        begun = self.statuses.get(work.key)
        if begun is not None and begun.completion_time is None:
            self._say(work, msgspec.structs.replace(begun, completion_time=now(), **fields))


def entries_of(node_image: NodeImage) -> dict[Key, Entry]:
    """Return the entries of a spec by their places."""
    images = node_image.spec.images.items()
    return {Key(repository, entry.tag): entry for repository, image in images for entry in image.tags}


def now() -> datetime:
    """Return the time in whole seconds, as a client in Go writes it."""
    return datetime.now(UTC).replace(microsecond=0)


def _work(key: Key, entry: Entry) -> Work:
    policy = entry.pull_policy
    timeout_seconds = policy.timeout_seconds if policy else None
    limit = policy.backoff_limit if policy else None
    return Work(
        key=key,
        version=entry.version,
        policy=entry.image_pull_policy,
        timeout_seconds=DEFAULT_TIMEOUT_SECONDS if timeout_seconds is None else timeout_seconds,
        attempts=1 + (DEFAULT_BACKOFF_LIMIT if limit is None or limit < 0 else limit),
    )


def _has_ended(said: TagStatus, entry: Entry) -> bool:
    return said.version == entry.version and said.completion_time is not None
