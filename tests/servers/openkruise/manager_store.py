"""
What the manager reads and writes: caches that may lag, and whole objects that it PUTs from them.

A PUT carries the resourceVersion of the cached object, so one from an old cache is refused with a conflict. A NodeImage
is then read again, from the cache again, four times in all. What an answer says is awaited in the cache before the
object is touched again.
"""

import threading
from collections.abc import Callable
from typing import Final, TypeVar

from tests.servers.openkruise.manager_cache import LaggingCache
from tests.servers.openkruise.manager_client import Client, Refused
from tests.servers.openkruise.manager_job import Job
from tests.servers.openkruise.manager_metadata import Metadata, Node, Secret
from tests.servers.openkruise.manager_nodeimage import NodeImage
from tests.servers.openkruise.manager_objects import GROUP, Object, Release, decoded, encoded, without_modes


_PAUSES_SECONDS: Final = (0.01, 0.05, 0.25)
_FORGOTTEN: Final = 404

Written = TypeVar("Written", Job, NodeImage)


class Store:
    """The manager's caches, and its writes. `stopped` ends its pauses between tries."""

    def __init__(self, client: Client, *, release: Release, stopped: threading.Event) -> None:
        self.jobs = LaggingCache[Job]()
        self.node_images = LaggingCache[NodeImage]()
        self.nodes = LaggingCache[Node]()
        self.secrets = LaggingCache[Secret]()
        self._client = client
        self._release = release
        self._stopped = stopped
        self._own_versions: dict[str, int] = {}

    def poll(self) -> None:
        """See what there is now; what of it the caches show is a matter of their lag."""
        self.jobs.saw(self._found(f"/apis/{GROUP}/{self._release}/imagepulljobs", into=Job))
        self.nodes.saw(self._found("/api/v1/nodes", into=Node))
        self.poll_node_images()
        self.poll_secrets()

    def poll_node_images(self) -> None:
        """See what NodeImages there are now."""
        found = self._found(self._node_image_path(), into=NodeImage)
        is_old = self._release is Release.V1_6
        self.node_images.saw([without_modes(each) if is_old else each for each in found])

    def poll_secrets(self) -> None:
        """See what Secrets there are now."""
        self.secrets.saw(self._found("/api/v1/secrets", into=Secret))

    def is_current(self, value: Job | NodeImage) -> bool:
        """Tell whether a cached object is not older than what the manager itself wrote last."""
        metadata = value.metadata
        return int(metadata.resource_version) >= self._own_versions.get(metadata.uid, 0)

    def change_node_image(self, name: str, change: Callable[[NodeImage], NodeImage | None]) -> None:
        """
        PUT the whole of a cached NodeImage, changed, unless there is nothing to change.

        Raises:
            Refused: it is not in the cache, every try was a conflict, or the API server said something else.

        """
        for pause_seconds in (*_PAUSES_SECONDS, None):
            cached = self.node_images.get(name)
            if cached is None:
                raise Refused(f"nodeimage {name} is not in the cache", code=_FORGOTTEN)
            changed = change(cached)
            if changed is None or changed == cached:
                return
            try:
                self._put(self._node_image_path(name), value=changed)
            except Refused as error:
                if pause_seconds is None or not error.is_conflict:
                    raise
                self._stopped.wait(pause_seconds)
                self.poll_node_images()
            else:
                return

    def create_node_image(self, name: str) -> None:
        """Create an empty one; its labels follow when it is in the cache."""
        empty = NodeImage(metadata=Metadata(name=name))
        self._client.create(self._node_image_path(), encoded(empty, release=self._release))

    def delete_node_image(self, name: str) -> None:
        """Delete one."""
        self._client.delete(self._node_image_path(name))

    def put_node_image_status(self, node_image: NodeImage) -> None:
        """PUT the whole status, once: a conflict is refused."""
        self._put(self._node_image_path(node_image.metadata.name) + "/status", value=node_image)

    def put_job(self, job: Job) -> Job:
        """PUT the whole job and return it as it is then."""
        return self._put(self._job_path(job), value=job)

    def put_job_status(self, job: Job) -> None:
        """PUT the whole status."""
        self._put(self._job_path(job) + "/status", value=job)

    def delete_job(self, job: Job) -> None:
        """Delete one."""
        self._client.delete(self._job_path(job))

    def create_secret(self, secret: Secret) -> None:
        """Create one."""
        path = f"/api/v1/namespaces/{secret.metadata.namespace}/secrets"
        self._client.create(path, encoded(secret, release=self._release))
        self.poll_secrets()

    def put_secret(self, secret: Secret) -> None:
        """PUT the whole of one."""
        self._client.replace(self._secret_path(secret), encoded(secret, release=self._release))
        self.poll_secrets()

    def delete_secret(self, secret: Secret) -> None:
        """Delete one."""
        self._client.delete(self._secret_path(secret))
        self.poll_secrets()

    def create_event(self, event: dict[str, object], *, namespace: str) -> None:
        """Create a core event."""
        self._client.create(f"/api/v1/namespaces/{namespace}/events", event)

    def _found(self, path: str, *, into: type[Object]) -> list[Object]:
        return [decoded(item, into=into) for item in self._client.items(path)]

    def _put(self, path: str, *, value: Written) -> Written:
        answer = decoded(self._client.replace(path, encoded(value, release=self._release)), into=type(value))
        self._own_versions[answer.metadata.uid] = int(answer.metadata.resource_version)
        return answer

    def _node_image_path(self, name: str = "") -> str:
        return f"/apis/{GROUP}/{self._release}/nodeimages" + (f"/{name}" if name else "")

    def _job_path(self, job: Job) -> str:
        metadata = job.metadata
        return f"/apis/{GROUP}/{self._release}/namespaces/{metadata.namespace}/imagepulljobs/{metadata.name}"

    def _secret_path(self, secret: Secret) -> str:
        return f"/api/v1/namespaces/{secret.metadata.namespace}/secrets/{secret.metadata.name}"
