"""
A NodeImage on a real API server as a test writes and reads it: by an administrator's plain requests.

It stands in for whoever writes the spec, a coordinator or OpenKruise's manager; nothing of the product's code is in it.
"""

import copy
from collections.abc import Callable, Generator, Mapping, Sequence
from typing import Any

from tests.servers.apiserver import ApiServer
from tests.servers.apiserver_access import ApiFailed
from tests.servers.objects import DEADLINE_SECONDS, ObjectOnServer


Json = dict[str, Any]


def entry(tag: str, *, version: int = 1, policy: str = "IfNotPresent", **fields: Any) -> Json:  # noqa: ANN401 - JSON
    """Return a tag entry as a manager writes it; `fields` are further ones, such as pullPolicy."""
    bounds = {"timeoutSeconds": 60, "backoffLimit": 0, "ttlSecondsAfterFinished": 3600, **fields.pop("pullPolicy", {})}
    return {
        "tag": tag,
        "version": version,
        "createdAt": "2026-01-01T00:00:00Z",
        "imagePullPolicy": policy,
        "pullPolicy": bounds,
        **fields,
    }


def owner(namespace: str, name: str, *, uid: str = "u") -> Json:
    """Return an owner of a tag entry: a job."""
    kind = {"apiVersion": "apps.kruise.io/v1beta1", "kind": "ImagePullJob"}
    return {**kind, "namespace": namespace, "name": name, "uid": uid}


class NodeImageOnServer:
    """One node's NodeImage; `images` of its spec are whole values by repository."""

    def __init__(self, apiserver: ApiServer, name: str, *, version: str = "v1beta1") -> None:
        self.name = name
        self._apiserver = apiserver
        self._version = version
        self._all = f"/apis/apps.kruise.io/{version}/nodeimages"
        self._path = f"{self._all}/{name}"
        self._object = ObjectOnServer(apiserver, self._all, name)

    def create(self, images: Json | None = None, *, labels: Mapping[str, str] | None = None) -> Json:
        """Create it."""
        body = {
            "apiVersion": f"apps.kruise.io/{self._version}",
            "kind": "NodeImage",
            "metadata": {"name": self.name, "labels": dict(labels or {})},
            "spec": {"images": images or {}},
        }
        return self._apiserver.request("POST", self._all, body)

    def delete(self) -> None:
        """Delete it."""
        self._apiserver.request("DELETE", self._path)

    def read(self) -> Json:
        """Read it."""
        return self._apiserver.request("GET", self._path)

    def find(self) -> Json | None:
        """Read it, None where there is none."""
        return self._object.find()

    def until_gone(self) -> None:
        """Wait until it is there no more."""
        self._object.until_gone()

    @property
    def status(self) -> Json:
        """Its status, {} where there is none."""
        found: Json = self.read().get("status") or {}
        return found

    def want(self, repository: str, *entries: Json, **spec: Any) -> None:  # noqa: ANN401 - JSON
        """Have exactly these entries of a repository wanted, in one patch; `spec` has pullSecrets and the like."""
        self.want_all({repository: {"tags": list(entries), **spec}})

    def want_all(self, images: Json) -> None:
        """Set several repositories in one patch."""
        steps = [
            {"op": "add", "path": f"/spec/images/{_escaped(repository)}", "value": value}
            for repository, value in images.items()
        ]
        self._apiserver.request("PATCH", self._path, steps)

    def unwant(self, repository: str) -> None:
        """Take a repository out of the spec."""
        self._apiserver.request("PATCH", self._path, [{"op": "remove", "path": f"/spec/images/{_escaped(repository)}"}])

    def touch(self, word: str = "once") -> None:
        """Change a label that concerns nobody, `touched`, so that whoever watches it hears of it."""
        self._apiserver.request("PATCH", self._path, {"metadata": {"labels": {"touched": word}}})

    def replace_status(self, status: Json) -> None:
        """Write a whole status over what stands there, as a manager with a cache does; a conflict is tried again."""
        while True:
            body = copy.deepcopy(self.read())
            body["status"] = status
            try:
                self._apiserver.request("PUT", f"{self._path}/status", body)
            except ApiFailed as error:
                if error.status != 409:
                    raise
            else:
                return

    def patch_status(self, *steps: Json) -> Json:
        """Apply a JSON Patch to the status."""
        return self._apiserver.request("PATCH", f"{self._path}/status", list(steps))

    def tag(self, repository: str, tag: str) -> Json:
        """Return what the node says of one entry, {} where it says nothing."""
        return _tag(self.status, repository, tag)

    def states(self, *, timeout_seconds: float = DEADLINE_SECONDS) -> Generator[Json]:
        """Yield the object as it is, and then as each change leaves it; see ObjectOnServer.states."""
        return self._object.states(timeout_seconds=timeout_seconds)

    def until_object(
        self, condition: Callable[[Json], bool], *, what: str, timeout_seconds: float = DEADLINE_SECONDS
    ) -> Json:
        """
        Return the whole object as it is when it first fits.

        Raises:
            TimeoutError: it never did.
        """
        return self._object.until(condition, what=what, timeout_seconds=timeout_seconds)

    def until(
        self,
        repository: str,
        tag: str,
        condition: Callable[[Json], bool],
        *,
        what: str,
        timeout_seconds: float = DEADLINE_SECONDS,
    ) -> Json:
        """Return the tag status as it is when it first fits."""

        def fits(found: Json) -> bool:
            said = _tag(found.get("status") or {}, repository, tag)
            return bool(said) and condition(said)

        what = f"{repository}:{tag} {what}"
        found = self.until_object(fits, what=what, timeout_seconds=timeout_seconds)
        return _tag(found["status"], repository, tag)

    def ended(self, repository: str, tag: str, *, version: int = 1) -> Json:
        """Return the tag status once this version has its answer."""
        return self.until(
            repository,
            tag,
            lambda found: found["phase"] in {"Succeeded", "Failed"} and found.get("version", 0) == version,
            what=f"version {version} ended",
        )

    def until_status(self, condition: Callable[[Json], bool], *, what: str) -> Json:
        """Return the whole status as it is when it first fits."""
        found = self.until_object(lambda found: condition(found.get("status") or {}), what=what)
        status: Json = found.get("status") or {}
        return status


def phases(node_image: NodeImageOnServer, repositories: Sequence[str]) -> list[str]:
    """Return the phase of the first tag of each repository, "" where nothing is said."""
    statuses = node_image.status.get("imageStatuses", {})
    return [statuses.get(repository, {"tags": [{}]})["tags"][0].get("phase", "") for repository in repositories]


def _tag(status: Json, repository: str, tag: str) -> Json:
    tags = status.get("imageStatuses", {}).get(repository, {}).get("tags", [])
    return next((found for found in tags if found["tag"] == tag), {})


def _escaped(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1")
