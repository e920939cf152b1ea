"""Secrets in memory, as far as an API server's answers matter to whoever copies them: guards, versions, errors."""

import base64
import itertools
import json
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from daemon.cluster.errors import ClusterError, Conflict, Invalid, NotFound
from daemon.cluster.interface import Operation, Write
from daemon.cluster.paths import Verb
from tests.unit.coordinator.json_patch import PatchRefused, patched


Json = dict[str, Any]

PLACE = "kruise-daemon-config"
PASSWORD = "s3cr3t-p4ssword"
FIELD = ".dockerconfigjson"
DOCKERCONFIGJSON = "kubernetes.io/dockerconfigjson"


def content(password: str = PASSWORD) -> str:
    """Return a docker config in base64."""
    return base64.b64encode(json.dumps({"auths": {"a.test": {"password": password}}}).encode()).decode()


class SecretsApi:
    """A RawApi with nothing but Secrets; what was asked stands in `asked`, as verb and path."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.errors: dict[str, ClusterError] = {}
        self.before_write: Callable[[], None] = lambda: None
        self._secrets: dict[str, Json] = {}
        self._numbers = itertools.count(1)

    def put(
        self,
        namespace: str,
        name: str,
        password: str = PASSWORD,
        *,
        kind: str = DOCKERCONFIGJSON,
        annotations: Mapping[str, str] | None = None,
        **fields: object,
    ) -> Json:
        """Have a Secret there."""
        metadata = {"name": name, "namespace": namespace, "annotations": dict(annotations or {})}
        body = {"metadata": metadata, "type": kind, "data": {FIELD: content(password)}, **fields}
        return self._store(f"/api/v1/namespaces/{namespace}/secrets/{name}", body)

    def find(self, namespace: str, name: str) -> Json | None:
        """Return a Secret."""
        return self._secrets.get(f"/api/v1/namespaces/{namespace}/secrets/{name}")

    def remove(self, namespace: str, name: str) -> None:
        """Have a Secret there no more."""
        del self._secrets[f"/api/v1/namespaces/{namespace}/secrets/{name}"]

    def names(self, namespace: str = PLACE) -> list[str]:
        """Return what is in a namespace."""
        prefix = f"/api/v1/namespaces/{namespace}/secrets/"
        return sorted(path.removeprefix(prefix) for path in self._secrets if path.startswith(prefix))

    @property
    def writes(self) -> list[str]:
        """What was asked to be changed."""
        return [asked for asked in self.asked if not asked.startswith("get ")]

    def fetch(self, path: str, *, query: Mapping[str, str] | None = None, timeout_seconds: float) -> bytes:
        """Read one, or all of a namespace in pages."""
        del timeout_seconds
        self._ask("get", path)
        if path.endswith("/secrets"):
            return msgspec.json.encode(self._page(path, query=query or {}))
        return msgspec.json.encode(self._there(path))

    def send(self, write: Write, *, timeout_seconds: float) -> bytes:
        """Change one."""
        del timeout_seconds
        self.before_write()
        self._ask(write.verb.value, write.path)
        body = msgspec.json.decode(write.body)
        match write.verb:
            case Verb.CREATE:
                path = f"{write.path}/{body['metadata']['name']}"
                if path in self._secrets:
                    raise Conflict("it is there", code=409)
                return msgspec.json.encode(self._store(path, body))
            case Verb.DELETE:
                self._check(write.path, body["preconditions"])
                return msgspec.json.encode(self._secrets.pop(write.path))
        steps = [Operation(**step) for step in body]
        try:
            return msgspec.json.encode(self._store(write.path, patched(self._there(write.path), steps)))
        except PatchRefused as error:
            raise Invalid("a test failed", code=422) from error

    def _ask(self, verb: str, path: str) -> None:
        self.asked.append(f"{verb} {path.removeprefix('/api/v1/namespaces/')}")
        if (error := self.errors.get(self.asked[-1])) is not None:
            raise error

    def _there(self, path: str) -> Json:
        if path not in self._secrets:
            raise NotFound("it is not there", code=404)
        return self._secrets[path]

    def _check(self, path: str, wanted: Mapping[str, str]) -> None:
        metadata = self._there(path)["metadata"]
        if any(metadata[key] != value for key, value in wanted.items()):
            raise Conflict("it is another", code=409)

    def _store(self, path: str, body: Json) -> Json:
        number = str(next(self._numbers))
        uid = body["metadata"].get("uid", f"uid-{number}")
        stored = {**body, "metadata": {**body["metadata"], "uid": uid, "resourceVersion": number}}
        self._secrets[path] = stored
        return stored

    def _page(self, path: str, *, query: Mapping[str, str]) -> Json:
        items = [self._secrets[key] for key in sorted(self._secrets) if key.startswith(f"{path}/")]
        start, size = int(query.get("continue", "0")), int(query["limit"])
        following = str(start + size) if start + size < len(items) else ""
        return {"items": items[start : start + size], "metadata": {"continue": following}}
