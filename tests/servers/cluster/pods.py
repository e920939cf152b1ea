"""A Pod on a real cluster as a person makes and watches it: by an administrator's plain requests."""

from collections.abc import Callable, Mapping, Sequence

from tests.servers.apiserver import ApiServer
from tests.servers.objects import DEADLINE_SECONDS, Json, ObjectOnServer


# What the kubelet says when it pulls, and when it need not.
PULLING = "Pulling"
PULLED = "Pulled"
PRESENT = "already present on machine"


class PodOnServer:
    """One Pod of one container; nothing is there before `create`."""

    def __init__(self, apiserver: ApiServer, name: str, *, namespace: str = "default") -> None:
        self.name = name
        self.namespace = namespace
        self._apiserver = apiserver
        self._object = ObjectOnServer(apiserver, f"/api/v1/namespaces/{namespace}/pods", name)

    def create(
        self,
        image: str,
        *,
        node: str = "",
        policy: str = "",
        labels: Mapping[str, str] | None = None,
        tolerations: Sequence[Json] = (),
        pull_secrets: Sequence[str] = (),
    ) -> Json:
        """Create it; with a `node`, only that one will do, by its hostname label, so that the scheduler places it."""
        container = {"name": "main", "image": image, **({"imagePullPolicy": policy} if policy else {})}
        spec: Json = {
            "containers": [container],
            "terminationGracePeriodSeconds": 5,
            "automountServiceAccountToken": False,
            "tolerations": [*tolerations],
            "imagePullSecrets": [{"name": name} for name in pull_secrets],
        }
        if node:
            spec["nodeSelector"] = {"kubernetes.io/hostname": node}
        body = {"apiVersion": "v1", "kind": "Pod", "metadata": {"labels": dict(labels or {})}, "spec": spec}
        return self._object.create(body)

    def read(self) -> Json:
        """Read it."""
        return self._object.read()

    def delete(self) -> None:
        """Delete it and wait until it is gone."""
        self._object.delete()
        self._object.until_gone()

    def until(self, condition: Callable[[Json], bool], *, what: str, timeout_seconds: float = DEADLINE_SECONDS) -> Json:
        """Return it as it is when it first fits."""
        try:
            return self._object.until(condition, what=f"Pod {self.name} {what}", timeout_seconds=timeout_seconds)
        except TimeoutError as error:
            error.add_note("\n".join(f"{event['reason']}: {event['note']}" for event in self.events()))
            raise

    def until_running(self, *, timeout_seconds: float = DEADLINE_SECONDS) -> Json:
        """Return it once its container runs."""
        return self.until(is_running, what="runs", timeout_seconds=timeout_seconds)

    def events(self) -> list[Json]:
        """Return the events about it, the oldest first."""
        path = f"/apis/events.k8s.io/v1/namespaces/{self.namespace}/events"
        found: list[Json] = self._apiserver.request("GET", path)["items"]
        own = [event for event in found if event.get("regarding", {}).get("name") == self.name]
        return sorted(own, key=lambda event: str(event["metadata"]["creationTimestamp"]))

    def notes(self, reason: str) -> list[str]:
        """Return what the events of one reason say."""
        return [event["note"] for event in self.events() if event["reason"] == reason]


def is_running(pod: Json) -> bool:
    """Tell whether its container runs."""
    statuses = pod.get("status", {}).get("containerStatuses", [])
    return bool(statuses) and "running" in statuses[0]["state"]


def image_id(pod: Json) -> str:
    """Return what its container really runs: the image by digest."""
    found: str = pod["status"]["containerStatuses"][0]["imageID"]
    return found
