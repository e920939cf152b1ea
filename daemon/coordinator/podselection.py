"""
Which jobs select nodes by their Pods, and on which nodes those Pods run. Pure.

A job with a podSelector selects nothing before the Pods of its namespace are listed: until then nobody knows.
"""

from collections.abc import Iterator

from daemon.api.imagepulljob import LabelSelector
from daemon.coordinator.podindex import PodIndex, counts
from daemon.coordinator.records import JobRecord
from daemon.coordinator.seen import SeenPod


class PodSelection:
    """The jobs with a podSelector by namespace, and the Pods of those namespaces."""

    def __init__(self) -> None:
        self._jobs: dict[str, dict[str, JobRecord]] = {}
        self._pods = PodIndex()
        self._listed: set[str] = set()

    @property
    def namespaces(self) -> frozenset[str]:
        """Where Pods have to be watched."""
        return frozenset(self._jobs)

    def jobs_in(self, namespace: str) -> tuple[JobRecord, ...]:
        """Return the jobs of a namespace that select by Pods."""
        return tuple(self._jobs.get(namespace, {}).values())

    def add(self, job: JobRecord) -> None:
        """Take a job, and count the Pods that it selects."""
        selector = _selector(job)
        if selector is not None:
            self._jobs.setdefault(job.seen.namespace, {})[job.uid] = job
            job.pods = self._pods.nodes_of(job.seen.namespace, selector=selector)

    def remove(self, job: JobRecord) -> None:
        """Forget a job."""
        jobs = self._jobs.get(job.seen.namespace, {})
        jobs.pop(job.uid, None)
        if not jobs:
            self._jobs.pop(job.seen.namespace, None)

    def is_listed(self, job: JobRecord) -> bool:
        """Tell whether everything is known that a job's selector asks about."""
        return _selector(job) is None or job.seen.namespace in self._listed

    def listed(self, namespace: str) -> None:
        """Take the Pods of a namespace for complete."""
        self._listed.add(namespace)

    def drop(self, namespace: str) -> None:
        """Forget the Pods of a namespace that is no longer watched."""
        self._listed.discard(namespace)
        self._pods.drop(namespace)

    def seen(self, pod: SeenPod) -> Iterator[tuple[JobRecord, str]]:
        """Take a Pod for new or changed, and tell for which job which node may be another matter now."""
        return self._changed(pod.namespace, before=self._pods.put(pod), after=pod)

    def gone(self, namespace: str, *, name: str) -> Iterator[tuple[JobRecord, str]]:
        """Take a Pod for gone, and tell likewise."""
        return self._changed(namespace, before=self._pods.take(namespace, name=name), after=None)

    def _changed(
        self, namespace: str, *, before: SeenPod | None, after: SeenPod | None
    ) -> Iterator[tuple[JobRecord, str]]:
        if namespace not in self._listed:
            return
        for job in self.jobs_in(namespace):
            selector = _selector(job)
            for pod, step in ((before, -1), (after, 1)):
                if pod is not None and selector is not None and counts(pod, selector=selector):
                    _count(job, pod.node_name, step=step)
                    yield job, pod.node_name


def _count(job: JobRecord, name: str, *, step: int) -> None:
    """Count a Pod, and keep no node on which there is none: nodes come and go under ever new names."""
    job.pods[name] += step
    if not job.pods[name]:
        del job.pods[name]


def _selector(job: JobRecord) -> LabelSelector | None:
    return job.task.job.template.pod_selector if job.task is not None else None
