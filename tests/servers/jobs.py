"""
An ImagePullJob on a real API server as a person writes and reads it: by an administrator's plain requests.

Nothing of the product's code is in it.
"""

from collections.abc import Callable
from typing import Any

from tests.servers.apiserver import ApiServer
from tests.servers.objects import DEADLINE_SECONDS, Json, ObjectOnServer
from tests.servers.processes import until


def job(image: str, *, kind: str = "Always", **spec: Any) -> Json:  # noqa: ANN401 - JSON
    """
    Return the spec of a job; `kind` is its completionPolicy.type, `spec` has further fields, such as parallelism.

    A completionPolicy in `spec` holds what else that has.
    """
    completion = {"type": kind, **spec.pop("completionPolicy", {})}
    return {"image": image, "completionPolicy": completion, **spec}


def image_list(*images: str, kind: str = "Always", **spec: Any) -> Json:  # noqa: ANN401 - JSON
    """Return the spec of a list of images; the rest as `job` has it."""
    completion = {"type": kind, **spec.pop("completionPolicy", {})}
    return {"images": [*images], "completionPolicy": completion, **spec}


class JobOnServer:
    """One ImagePullJob, or an ImageListPullJob if `kind` says so; nothing is there before `create`."""

    def __init__(
        self, apiserver: ApiServer, namespace: str, name: str, *, version: str = "v1beta1", kind: str = "ImagePullJob"
    ) -> None:
        self.name = name
        self.namespace = namespace
        self._version = version
        self._kind = kind
        self._apiserver = apiserver
        collection = f"/apis/apps.kruise.io/{version}/namespaces/{namespace}/{kind.lower()}s"
        self._object = ObjectOnServer(apiserver, collection, name)

    def create(self, spec: Json) -> Json:
        """Create it."""
        return self._object.create({"apiVersion": f"apps.kruise.io/{self._version}", "kind": self._kind, "spec": spec})

    def edit(self, spec: Json) -> Json:
        """Change fields of its spec by a merge patch."""
        return self._object.patch({"spec": spec})

    def mark(self, metadata: Json) -> Json:
        """Change its metadata by a merge patch."""
        return self._object.patch({"metadata": metadata})

    def delete(self) -> None:
        """Delete it; it may be gone already."""
        self._object.delete()

    def children(self) -> dict[str, Json]:
        """Return the jobs that a list controls, by their image."""
        path = f"/apis/apps.kruise.io/{self._version}/namespaces/{self.namespace}/imagepulljobs"
        uid = self.uid
        jobs: list[Json] = self._apiserver.request("GET", path)["items"]
        return {job["spec"]["image"]: job for job in jobs if uid in owners_of(job)}

    def read(self) -> Json:
        """Read it."""
        return self._object.read()

    def find(self) -> Json | None:
        """Read it, None where there is none."""
        return self._object.find()

    @property
    def uid(self) -> str:
        """Which one of its name it is."""
        found: str = self.read()["metadata"]["uid"]
        return found

    @property
    def status(self) -> Json:
        """Its status, {} where there is none."""
        found: Json = self.read().get("status") or {}
        return found

    def until(self, condition: Callable[[Json], bool], *, what: str, timeout_seconds: float = DEADLINE_SECONDS) -> Json:
        """Return its status as it is when it first fits."""
        found = self._object.until(
            lambda found: condition(found.get("status") or {}),
            what=f"{self.namespace}/{self.name}: {what}",
            timeout_seconds=timeout_seconds,
        )
        status: Json = found.get("status") or {}
        return status

    def ended(self, *, timeout_seconds: float = DEADLINE_SECONDS) -> Json:
        """Return its status once it has a completionTime that answers its spec as it is now."""
        generation = self.read()["metadata"]["generation"]
        return self.until(
            lambda status: "completionTime" in status and status.get("observedGeneration") == generation,
            what=f"generation {generation} has ended",
            timeout_seconds=timeout_seconds,
        )

    def until_ready(self, *, nodes: int, timeout_seconds: float = DEADLINE_SECONDS) -> Json:
        """Return its status once it is Ready with so many warm nodes."""
        return self.until(
            lambda status: said(status, "Ready") == "True" and nodes == counted(status)[0],
            what=f"Ready with {nodes} warm nodes",
            timeout_seconds=timeout_seconds,
        )

    def until_gone(self, *, timeout_seconds: float = DEADLINE_SECONDS) -> None:
        """Wait until it is there no more."""
        self._object.until_gone(timeout_seconds=timeout_seconds)

    def events(self) -> list[Json]:
        """Return the events about it."""
        path = f"/apis/events.k8s.io/v1/namespaces/{self.namespace}/events"
        found: list[Json] = self._apiserver.request("GET", path)["items"]
        return [event for event in found if event.get("regarding", {}).get("name") == self.name]

    def until_event(self, condition: Callable[[Json], bool], *, what: str = "") -> Json:
        """Return the first event about it that fits, once there is one."""

        def found() -> list[Json]:
            return [event for event in self.events() if condition(event)]

        until(lambda: bool(found()), what=f"an event about {self.name} {what}", timeout_seconds=DEADLINE_SECONDS)
        return found()[0]


def owners_of(found: Json) -> set[str]:
    """Return the uids of an object's owners."""
    return {owner["uid"] for owner in found["metadata"].get("ownerReferences", [])}


def condition(status: Json, kind: str) -> Json:
    """Return the condition of a type, {} where there is none."""
    return next((found for found in status.get("conditions", []) if found["type"] == kind), {})


def said(status: Json, kind: str) -> str:
    """Return the status of a condition, "" where there is none."""
    found: str = condition(status, kind).get("status", "")
    return found


def reason(status: Json, kind: str) -> str:
    """Return the reason of a condition, "" where there is none."""
    found: str = condition(status, kind).get("reason", "")
    return found


def counted(status: Json) -> tuple[int, int, int, int]:
    """Return how many nodes are warm, stale, cold and skipped."""
    nodes = status.get("prewarm", {}).get("nodes", {})
    return nodes.get("warm", 0), nodes.get("stale", 0), nodes.get("cold", 0), nodes.get("skipped", 0)


def totals(status: Json) -> tuple[int, int, int, int]:
    """Return OpenKruise's four numbers: desired, active, succeeded, failed."""
    return status.get("desired", 0), status.get("active", 0), status.get("succeeded", 0), status.get("failed", 0)


def skips(status: Json) -> dict[str, list[str]]:
    """Return the names of the skipped nodes by reason."""
    return {one["reason"]: one.get("nodes", []) for one in status.get("prewarm", {}).get("skipped", [])}


def failures(status: Json) -> dict[str, list[str]]:
    """Return the names of the failed nodes by reason."""
    return {one["reason"]: one.get("nodes", []) for one in status.get("prewarm", {}).get("failures", [])}
