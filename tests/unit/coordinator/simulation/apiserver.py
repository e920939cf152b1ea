"""
An API server in memory, as far as a coordinator can tell: versions, generations, uids, guards, watches.

Status and spec are written apart, generation moves with spec only, what changes nothing is no change, and a JSON
Patch is refused with 422 where a test fails: as the real one does (tests/behaviour shows it).
"""

import itertools
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import msgspec

from daemon.api.times import format_time
from daemon.cluster.errors import ClusterError, Conflict, NotFound
from daemon.cluster.interface import Write
from daemon.cluster.paths import Verb
from daemon.cluster.writes import JSON_PATCH
from tests.unit.coordinator.simulation.documents import Json, json_patched, merge_patched
from tests.unit.coordinator.simulation.timeline import Timeline


JOBS = "imagepulljobs"
LISTS = "imagelistpulljobs"
IMAGES = "nodeimages"
NODES = "nodes"
PODS = "pods"


class Change(msgspec.Struct, frozen=True):
    """What a watch hears: an object as it is, or as it was when it went."""

    resource: str
    document: Json
    is_gone: bool = False


Watch = Callable[[Change], None]


class VirtualApi:
    """
    The API server. It is a RawApi; people and agents use the methods below that.

    `refuses` tells which coordinator's writes it does not take, as an admission policy would. `prunes` makes an object
    what its schema leaves of it.
    """

    def __init__(self, timeline: Timeline) -> None:
        self.watches: list[Watch] = []
        self.refuses: Callable[[Write], ClusterError | None] = lambda _write: None
        self.prunes: Callable[[str, Json], Json] = lambda _resource, document: document
        self._timeline = timeline
        self._objects: dict[str, dict[str, Json]] = {JOBS: {}, LISTS: {}, IMAGES: {}, NODES: {}, PODS: {}}
        self._versions = itertools.count(1000)
        self._uids = itertools.count(1)

    # As a coordinator asks

    def fetch(self, path: str, *, query: Mapping[str, str] | None = None, timeout_seconds: float) -> bytes:
        """Read one object."""
        del query, timeout_seconds
        resource, name, _ = _parsed(path)
        return msgspec.json.encode(self.read(resource, name))

    def send(self, write: Write, *, timeout_seconds: float) -> bytes:
        """Change something."""
        del timeout_seconds
        error = self.refuses(write)
        if error is not None:
            raise error
        return msgspec.json.encode(self._send(write))

    def _send(self, write: Write) -> Json:
        body = msgspec.json.decode(write.body)
        resource, name, is_status = _parsed(write.path)
        if write.verb is Verb.CREATE:
            return self.create(resource, body)
        if write.verb is Verb.DELETE:
            return self.delete(resource, name, **body["preconditions"])
        if write.content_type == JSON_PATCH:
            return self.change(resource, name, lambda found: json_patched(found, body), is_status=is_status)
        asked = body.get("metadata", {}).pop("resourceVersion", None)
        if asked is not None and asked != self.read(resource, name)["metadata"]["resourceVersion"]:
            raise Conflict(f"{write.path}: the object has been modified", code=409)
        return self.change(resource, name, lambda found: merge_patched(found, body), is_status=is_status)

    # As people and agents do

    def objects(self, resource: str) -> Iterator[Json]:
        """Yield every object of a kind."""
        return iter(tuple(self._objects[resource].values()))

    def find(self, resource: str, name: str) -> Json | None:
        """Return an object by its name, with its namespace before it where it has one; None where it is not."""
        return self._objects[resource].get(name)

    def read(self, resource: str, name: str) -> Json:
        """Return an object that has to be there."""
        found = self.find(resource, name)
        if found is None:
            raise NotFound(f'{resource} "{name.rpartition("/")[2]}" not found', code=404)
        return found

    def create(self, resource: str, document: Json) -> Json:
        """Create an object; its status is left out, except that of a Node or Pod."""
        metadata = {**document["metadata"], "uid": f"uid-{next(self._uids)}", "generation": 1}
        metadata["creationTimestamp"] = format_time(self._timeline.at)
        made = {**document, "metadata": metadata}
        if resource in {JOBS, LISTS, IMAGES}:
            made.pop("status", None)
        if _name_of(made) in self._objects[resource]:
            raise Conflict(f"{resource} {_name_of(made)} already exists", code=409)
        return self._store(resource, self.prunes(resource, made))

    def change(self, resource: str, name: str, change: Callable[[Json], Json], *, is_status: bool = False) -> Json:
        """Change an object, or its status; the other half stays as it is."""
        before = self.read(resource, name)
        wanted = change(before)
        after = {**wanted, "metadata": _kept(wanted["metadata"], before["metadata"])}
        if is_status:
            after = {**before, "status": wanted.get("status", {})}
        elif "status" in before:
            after["status"] = before["status"]
        elif resource in {JOBS, LISTS, IMAGES}:
            after.pop("status", None)
        after = self.prunes(resource, after)
        if after == before:
            return before
        if not is_status and after.get("spec") != before.get("spec"):
            after["metadata"] = {**after["metadata"], "generation": before["metadata"]["generation"] + 1}
        has_gone = "deletionTimestamp" in after["metadata"] and not after["metadata"].get("finalizers")
        return self._remove(resource, after) if has_gone else self._store(resource, after)

    def delete(
        self,
        resource: str,
        name: str,
        *,
        uid: str | None = None,
        resourceVersion: str | None = None,  # noqa: N803 - as a precondition has it
    ) -> Json:
        """Delete an object; one with finalizers gets a deletionTimestamp."""
        found = self.read(resource, name)
        if uid is not None and uid != found["metadata"]["uid"]:
            raise Conflict(f"{resource} {name}: the uid is another", code=409)
        if resourceVersion is not None and resourceVersion != found["metadata"]["resourceVersion"]:
            raise Conflict(f"{resource} {name}: the resourceVersion is another", code=409)
        if found["metadata"].get("finalizers"):
            metadata = {"deletionTimestamp": format_time(self._timeline.at), **found["metadata"]}
            return found if metadata == found["metadata"] else self._store(resource, {**found, "metadata": metadata})
        return self._remove(resource, found)

    def _store(self, resource: str, document: Json) -> Json:
        stored = {**document, "metadata": {**document["metadata"], "resourceVersion": str(next(self._versions))}}
        self._objects[resource][_name_of(stored)] = stored
        self._tell(Change(resource, stored))
        return stored

    def _remove(self, resource: str, document: Json) -> Json:
        del self._objects[resource][_name_of(document)]
        next(self._versions)
        self._tell(Change(resource, document, is_gone=True))
        return document

    def _tell(self, change: Change) -> None:
        for watch in tuple(self.watches):
            watch(change)


def identity_of(document: Json) -> tuple[str, str, str]:
    """Return an object's namespace, name and uid."""
    metadata = document["metadata"]
    return metadata.get("namespace", ""), metadata["name"], metadata["uid"]


def _kept(wanted: Json, before: Json) -> Json:
    """Keep of the metadata what no writer can change."""
    fixed = ("name", "namespace", "uid", "generation", "creationTimestamp", "deletionTimestamp", "resourceVersion")
    return {**wanted, **{name: before[name] for name in fixed if name in before}}


def _name_of(document: Json) -> str:
    namespace, name, _ = identity_of(document)
    return f"{namespace}/{name}" if namespace else name


def _parsed(path: str) -> tuple[str, str, bool]:
    """Return the resource, the name and whether it is the status: /apis/GROUP/VERSION/[namespaces/NS/]KIND[/NAME]."""
    parts = path.split("/")[4:] if path.startswith("/apis/") else path.split("/")[3:]
    namespace = ""
    if parts[0] == "namespaces":
        namespace, parts = f"{parts[1]}/", parts[2:]
    name = f"{namespace}{parts[1]}" if len(parts) > 1 else ""
    return parts[0], name, len(parts) > 2 and parts[2] == "status"


def said(document: Json, *path: str) -> Any:  # noqa: ANN401 - JSON
    """Return what stands at a path of a document; None where nothing does."""
    found: Any = document
    for part in path:
        found = found.get(part) if isinstance(found, dict) else None
    return found
