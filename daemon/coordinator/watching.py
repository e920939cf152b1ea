"""
The watches of a term: jobs, NodeImages, Nodes, and Pods only of namespaces where a job has a podSelector.

What they see goes into the loop's inbox, in the order in which it was seen. They begin when the term does, so a new
leader's lists are newer than its Lease.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, Protocol, TypeVar

from daemon.clock import Clock, Moment
from daemon.cluster.errors import ClusterError, NotFound
from daemon.cluster.interface import Telemetry, WatchApi
from daemon.cluster.metadata import Identity
from daemon.cluster.reflector import Reflector
from daemon.coordinator.decoding import job_of, node_image_of, node_of, pod_of
from daemon.coordinator.events import Gone, Listed, Seen
from daemon.coordinator.lists.decoding import list_of
from daemon.coordinator.lists.seen import SeenList
from daemon.coordinator.paths import NODES, Paths, pods
from daemon.coordinator.seen import SeenJob, SeenNode, SeenNodeImage, SeenPod


Value = TypeVar("Value", SeenJob, SeenNode, SeenNodeImage, SeenPod, SeenList)

Post = Callable[[Seen | Gone | Listed], None]
Spawn = Callable[[str, Callable[[], None]], object]


class WatchListener(Protocol):
    """Hears how the watches fare, each in its own thread."""

    def passed_over(self, resource: str, identity: Identity, words: str) -> None:
        """An object can't be read; the rest goes on."""
        ...

    def watch_failed(self, resource: str, error: ClusterError) -> None:
        """A list or watch failed and is tried again."""
        ...


class Watches:
    """
    Every watch of one term.

    Args:
        api: the API server.
        paths: where our kinds are.
        post: takes what is seen, for the loop.
        spawn: runs work in a thread of this name.
        listener: hears how it goes.
        gone: hears that our kinds are no longer served under these paths.
        telemetry: where requests and restarts are counted.
        clock: the time.
    """

    def __init__(
        self,
        api: WatchApi,
        *,
        paths: Paths,
        post: Post,
        spawn: Spawn,
        listener: WatchListener,
        gone: Callable[[], None],
        telemetry: Telemetry,
        clock: Clock,
    ) -> None:
        self._api = api
        self._paths = paths
        self._post = post
        self._spawn = spawn
        self._listener = listener
        self._gone = gone
        self._telemetry = telemetry
        self._clock = clock
        self._fixed: dict[
            str, Reflector[SeenJob] | Reflector[SeenNode] | Reflector[SeenNodeImage] | Reflector[SeenList]
        ] = {}
        self._pods: dict[str, Reflector[SeenPod]] = {}

    @property
    def last_sync(self) -> Moment | None:
        """When the watch that lags most was last known to be right; None before all have listed."""
        syncs = self.syncs
        return min(syncs.values(), key=_seconds) if syncs and len(syncs) == len(self._reflectors()) else None

    @property
    def syncs(self) -> Mapping[str, Moment]:
        """When each resource's watch was last known to be right, of several the one that lags most."""
        found: dict[str, Moment] = {}
        for resource, reflectors in self._reflectors().items():
            known = [sync for reflector in reflectors if (sync := reflector.last_sync) is not None]
            if len(known) == len(reflectors):
                found[resource] = min(known, key=_seconds)
        return found

    def start(self) -> None:
        """Begin to watch."""
        jobs = self._reflector("imagepulljobs", path=self._paths.jobs, decode=job_of)
        images = self._reflector("nodeimages", path=self._paths.node_images, decode=node_image_of)
        nodes = self._reflector("nodes", path=NODES, decode=node_of)
        self._fixed = {"imagepulljobs": jobs, "nodeimages": images, "nodes": nodes}
        if self._paths.has_lists:
            self._fixed["imagelistpulljobs"] = self._reflector(
                "imagelistpulljobs", path=self._paths.lists, decode=list_of
            )
        else:
            self._post(Listed("imagelistpulljobs"))
        for resource, reflector in self._fixed.items():
            self._spawn(f"watch-{resource}", reflector.run)

    def follow_pods(self, namespaces: frozenset[str]) -> tuple[str, ...]:
        """Watch the Pods of exactly these namespaces, and return those that are watched no more."""
        dropped = tuple(self._pods.keys() - namespaces)
        for namespace in dropped:
            self._pods.pop(namespace).stop()
        for namespace in namespaces - self._pods.keys():
            reflector = self._reflector("pods", path=pods(namespace), decode=pod_of, namespace=namespace)
            self._pods[namespace] = reflector
            self._spawn(f"watch-pods-{namespace}", reflector.run)
        return dropped

    def stop(self) -> None:
        """End every watch."""
        for reflector in (*self._fixed.values(), *self._pods.values()):
            reflector.stop()

    def _reflectors(self) -> Mapping[str, Sequence[Reflector[Any]]]:
        """Return the watches by their resource."""
        fixed = {resource: [reflector] for resource, reflector in self._fixed.items()}
        # A copy: the loop's thread begins and ends those of Pods, and the HTTP server's looks too.
        pods = list(self._pods.values())
        return {**fixed, "pods": pods} if pods else fixed

    def _reflector(
        self, resource: str, *, path: str, decode: Callable[[bytes], Value], namespace: str = ""
    ) -> Reflector[Value]:
        ear: _Ear[Value] = _Ear(
            resource, namespace=namespace, post=self._post, listener=self._listener, gone=self._gone
        )
        return Reflector(
            self._api, path=path, listener=ear, decode=decode, telemetry=self._telemetry, clock=self._clock
        )


class _Ear(Generic[Value]):
    """Hears one watch."""

    def __init__(
        self, resource: str, *, namespace: str, post: Post, listener: WatchListener, gone: Callable[[], None]
    ) -> None:
        self._resource = resource
        self._namespace = namespace
        self._post = post
        self._listener = listener
        self._gone = gone

    def applied(self, identity: Identity, value: Value) -> None:
        del identity
        self._post(Seen(value))

    def passed_over(self, identity: Identity, words: str) -> None:
        self._listener.passed_over(self._resource, identity, words)

    def deleted(self, identity: Identity) -> None:
        version = int(identity.resourceVersion) if identity.resourceVersion.isdecimal() else 0
        self._post(Gone(self._resource, identity.namespace, identity.name, identity.uid, version))

    def listed(self, identities: Sequence[Identity]) -> None:
        del identities
        self._post(Listed(self._resource, self._namespace))

    def missed(self, error: ClusterError) -> None:
        self._listener.watch_failed(self._resource, error)
        if isinstance(error, NotFound):
            self._gone()


def _seconds(moment: Moment) -> float:
    return moment.seconds
