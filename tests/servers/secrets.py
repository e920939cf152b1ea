"""
Pull secrets and their copies on a real API server, by an administrator's plain requests.

Nothing of the product's code is in it.
"""

import base64
import json
from collections.abc import Callable
from typing import Final

from tests.servers.apiserver import ApiServer
from tests.servers.deployment import SECRETS
from tests.servers.objects import DEADLINE_SECONDS, Json, ObjectOnServer
from tests.servers.processes import until


SOURCE_KEY: Final = "imagepulljobs.kruise.io/source-key"
REFERENCES: Final = "imagepulljobs.kruise.io/references"
MODE: Final = "imagepulljobs.kruise.io/mode"
DOCKERCONFIGJSON: Final = "kubernetes.io/dockerconfigjson"
FIELD: Final = ".dockerconfigjson"


def docker_config(host: str, *, user: str, password: str) -> str:
    """Return a docker config in base64."""
    auths = {"auths": {host: {"username": user, "password": password}}}
    return base64.b64encode(json.dumps(auths).encode()).decode()


class SecretOnServer:
    """One Secret; nothing is there before `put`."""

    def __init__(self, apiserver: ApiServer, namespace: str, name: str) -> None:
        self.namespace = namespace
        self.name = name
        self._object = ObjectOnServer(apiserver, f"/api/v1/namespaces/{namespace}/secrets", name)

    @property
    def key(self) -> str:
        """Namespace and name."""
        return f"{self.namespace}/{self.name}"

    def put(
        self,
        password: str = "",
        *,
        user: str = "user",
        host: str = "registry.test",
        kind: str = DOCKERCONFIGJSON,
        data: Json | None = None,
        **metadata: object,
    ) -> Json:
        """Create it with a docker config, or with this data; one that is there gets the content."""
        content = data or {FIELD: docker_config(host, user=user, password=password)}
        if self._object.find() is not None:
            return self._object.patch({"data": content})
        body = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": kind, "data": content}
        return self._object.create(body)

    def delete(self) -> None:
        """Delete it."""
        self._object.delete()

    def patch(self, body: Json | list[Json]) -> Json:
        """Change it."""
        return self._object.patch(body)

    def read(self) -> Json:
        """Read it."""
        return self._object.read()

    def find(self) -> Json | None:
        """Read it, None where there is none."""
        return self._object.find()

    def until(self, condition: Callable[[Json], bool], *, what: str) -> Json:
        """Return it as it is when it first fits."""
        return self._object.until(condition, what=f"{self.key} {what}")


class Copies:
    """The copies in the namespace that agents read."""

    def __init__(self, apiserver: ApiServer) -> None:
        self._apiserver = apiserver

    def of(self, source: SecretOnServer) -> list[Json]:
        """Return the copies of a source."""
        found: list[Json] = self._apiserver.request("GET", f"/api/v1/namespaces/{SECRETS}/secrets")["items"]
        return [copy for copy in found if (copy["metadata"].get("annotations") or {}).get(SOURCE_KEY) == source.key]

    def until(self, source: SecretOnServer, condition: Callable[[list[Json]], bool], *, what: str) -> list[Json]:
        """Return the copies of a source once they fit."""
        found: list[list[Json]] = []

        def fits() -> bool:
            found[:] = [self.of(source)]
            return condition(found[0])

        until(fits, what=f"copies of {source.key}: {what}", timeout_seconds=DEADLINE_SECONDS)
        return found[0]

    def one(self, source: SecretOnServer, *references: str) -> Json:
        """Return the only copy of a source once it names these jobs (namespace/name), sorted."""
        wanted = ",".join(references)
        (copy,) = self.until(
            source,
            lambda found: [wanted] == [copy["metadata"]["annotations"].get(REFERENCES) for copy in found],
            what=f"one, for {wanted}",
        )
        return copy

    def until_none(self, source: SecretOnServer) -> None:
        """Wait until a source has no copy."""
        self.until(source, lambda found: not found, what="none")
