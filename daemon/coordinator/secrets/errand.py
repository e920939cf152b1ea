"""
What a sender does about pull secrets, each several requests one after the other: look, copy, release.

Only here is a Secret's content handled, and an answer has none of it: a keyed digest at most. Whether a write may still
be sent is asked again right before it; where it may not, the answer is None, and nothing was done. Which copies there
are is copylist.py's to find out, what an answer means copies.py's.
"""

from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from daemon.api.findings import printable
from daemon.cluster.errors import Conflict, Denied, Invalid, NotFound, Oversized
from daemon.cluster.interface import Operation, RawApi, Write
from daemon.cluster.patches import guard, pointer
from daemon.cluster.writes import creation, deletion, json_patch
from daemon.coordinator.secrets.answer import Answer, State
from daemon.coordinator.secrets.content import FIELDS, Fingerprints, FoundSecret, found_secret
from daemon.coordinator.secrets.names import Source, annotations_of, copy_names, secrets_in, shares_of, source_of


TRIES: Final = 3
"""How often a copy is looked at anew where another writer was first."""

_OTHERS_FIRST: Final = (Conflict, Invalid, NotFound)


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """Look whether a source is there, and is as it was; writes nothing."""

    source: Source
    fingerprints: Fingerprints

    def run(self, api: RawApi, *, may_send: Callable[[], bool], timeout_seconds: float) -> Answer:
        """Read the source; a Secret that may not be read or is not there is an answer too."""
        del may_send
        found = _source(api, self.source, timeout_seconds=timeout_seconds)
        return found if isinstance(found, Answer) else _present(self, found)


class Copy(msgspec.Struct, frozen=True, kw_only=True):
    """Make a source's copy what it should be: its content, and these jobs (namespace/name) as its references."""

    source: Source
    place: str
    references: tuple[str, ...]
    known: str
    fingerprints: Fingerprints

    def run(self, api: RawApi, *, may_send: Callable[[], bool], timeout_seconds: float) -> Answer | None:
        """Read the source and its copy, and write what differs; None where nothing may be sent any more."""
        found = _source(api, self.source, timeout_seconds=timeout_seconds)
        if isinstance(found, Answer):
            return found
        copyist = _Copyist(api, self, may_send=may_send, timeout_seconds=timeout_seconds)
        try:
            return copyist.copied(found)
        except (Denied, Invalid, Conflict, NotFound, Oversized) as error:
            return Answer(state=State.REFUSED, words=error.message)


class Release(msgspec.Struct, frozen=True, kw_only=True):
    """Delete a copy, if it still is that of this source."""

    source: Source
    place: str
    name: str

    def run(self, api: RawApi, *, may_send: Callable[[], bool], timeout_seconds: float) -> bool | None:
        """Tell whether there was a copy to delete; None where nothing may be sent any more."""
        path = f"{secrets_in(self.place)}/{self.name}"
        try:
            found = found_secret(api.fetch(path, timeout_seconds=timeout_seconds))
        except NotFound:
            return False
        if source_of(found.annotations) != self.source:
            return False
        if not may_send():
            return None
        try:
            api.send(deletion(path, uid=found.uid, resource_version=found.version), timeout_seconds=timeout_seconds)
        except NotFound:
            return False
        return True


class _Copyist:
    """Makes one copy: reads what there is, and writes what differs."""

    def __init__(self, api: RawApi, errand: Copy, *, may_send: Callable[[], bool], timeout_seconds: float) -> None:
        self._api = api
        self._errand = errand
        self._may_send = may_send
        self._timeout_seconds = timeout_seconds

    def copied(self, source: FoundSecret) -> Answer | None:
        """Make the copy what it should be; looks again where another writer was first."""
        for _ in range(TRIES - 1):
            try:
                return self._once(source)
            except _OTHERS_FIRST:
                continue
        return self._once(source)

    def _once(self, source: FoundSecret) -> Answer | None:
        name, found = self._found()
        if not name:
            taken = ", ".join(copy_names(self._errand.source))
            return Answer(state=State.REFUSED, words=f"each name for it is another Secret's: {taken}")
        if found is None:
            return self._created(name, source)
        if found.type != source.type or (found.is_immutable and found.content != source.content):
            return self._made_anew(name, source, found)
        return self._updated(name, source, found)

    def _found(self) -> tuple[str, FoundSecret | None]:
        """Return the copy's name and what it is, None where it has to be made; no name where each is taken."""
        ours = copy_names(self._errand.source)
        known = self._errand.known
        for name in (known, *ours) if known and known not in ours else ours:
            found = self._read(name)
            if found is None and name not in ours:
                continue
            if found is None or source_of(found.annotations) == self._errand.source:
                return name, found
        return "", None

    def _read(self, name: str) -> FoundSecret | None:
        try:
            return found_secret(self._api.fetch(self._path(name), timeout_seconds=self._timeout_seconds))
        except NotFound:
            return None

    def _created(self, name: str, source: FoundSecret) -> Answer | None:
        annotations = annotations_of(self._errand.source, self._errand.references)
        body = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": name, "namespace": self._errand.place, "annotations": annotations},
            "type": source.type,
            "data": _data(source),
        }
        return self._sent(creation(secrets_in(self._errand.place), body), name, source, has_changed=True)

    def _made_anew(self, name: str, source: FoundSecret, found: FoundSecret) -> Answer | None:
        """Put a new copy in the place of one that can't be changed into it: of another type, or immutable."""
        if not self._may_send():
            return None
        write = deletion(self._path(name), uid=found.uid, resource_version=found.version)
        self._api.send(write, timeout_seconds=self._timeout_seconds)
        return self._created(name, source)

    def _updated(self, name: str, source: FoundSecret, found: FoundSecret) -> Answer | None:
        shares = shares_of(self._errand.references)
        steps = [
            Operation(op="add", path=pointer("metadata", "annotations", key), value=value)
            for key, value in shares.items()
            if found.annotations.get(key) != value
        ]
        has_changed = found.content != source.content
        if has_changed:
            steps.append(Operation(op="add", path=pointer("data"), value=_data(source)))
        if not steps:
            return _present(self._errand, source, copy=name)
        patch = json_patch(self._path(name), (*guard(uid=found.uid, resource_version=found.version), *steps))
        return self._sent(patch, name, source, has_changed=has_changed)

    def _sent(self, write: Write, name: str, source: FoundSecret, *, has_changed: bool) -> Answer | None:
        if not self._may_send():
            return None
        self._api.send(write, timeout_seconds=self._timeout_seconds)
        return _present(self._errand, source, copy=name, has_changed=has_changed)

    def _path(self, name: str) -> str:
        return f"{secrets_in(self._errand.place)}/{name}"


def _source(api: RawApi, source: Source, *, timeout_seconds: float) -> FoundSecret | Answer:
    """Read a source; an answer where it gives nothing to copy."""
    try:
        found = found_secret(api.fetch(source.path, timeout_seconds=timeout_seconds))
    except NotFound:
        return Answer(state=State.MISSING)
    except Denied as error:
        return Answer(state=State.FORBIDDEN, words=error.message)
    return Answer(state=State.UNUSABLE, words=printable(found.problem)) if found.problem else found


def _present(errand: Look | Copy, source: FoundSecret, *, copy: str = "", has_changed: bool = False) -> Answer:
    digest = errand.fingerprints.of(source)
    return Answer(state=State.PRESENT, copy=copy, digest=digest, has_changed=has_changed)


def _data(source: FoundSecret) -> Mapping[str, str]:
    return {FIELDS[source.type]: source.content}
