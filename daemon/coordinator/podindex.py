"""
On which nodes the Pods run that a podSelector selects. Pure.

Only namespaces in which a job has a podSelector are kept, and a Pod counts in its own namespace alone.
"""

from collections import Counter
from collections.abc import Iterator

from daemon.api.imagepulljob import LabelSelector
from daemon.coordinator.seen import SeenPod
from daemon.coordinator.selection import matches


class PodIndex:
    """The Pods of the namespaces in use, by namespace and name."""

    def __init__(self) -> None:
        self._pods: dict[str, dict[str, SeenPod]] = {}

    def put(self, pod: SeenPod) -> SeenPod | None:
        """Keep a Pod, and return what stood in its place."""
        pods = self._pods.setdefault(pod.namespace, {})
        before = pods.get(pod.name)
        pods[pod.name] = pod
        return before

    def take(self, namespace: str, *, name: str) -> SeenPod | None:
        """Forget a Pod, and return it."""
        return self._pods.get(namespace, {}).pop(name, None)

    def drop(self, namespace: str) -> None:
        """Forget a namespace in which no job asks for Pods any more."""
        self._pods.pop(namespace, None)

    def nodes_of(self, namespace: str, *, selector: LabelSelector) -> Counter[str]:
        """Count the selected Pods by node."""
        return Counter(pod.node_name for pod in self._all(namespace) if counts(pod, selector=selector))

    def _all(self, namespace: str) -> Iterator[SeenPod]:
        yield from self._pods.get(namespace, {}).values()


def counts(pod: SeenPod | None, *, selector: LabelSelector) -> bool:
    """Tell whether a Pod is one that a selector selects: bound, not ended, and with the labels."""
    return pod is not None and pod.is_active and bool(pod.node_name) and matches(selector, pod.labels)
