"""
Which jobs use which pull secrets, and so for which jobs each copy is.

Pure. A finished job uses its secrets as long as a node has an entry for it, which is kept warm; one that is being
deleted, or whose spec can't be used, uses none.
"""

from collections.abc import Iterable

from daemon.coordinator.records import Course, JobRecord
from daemon.coordinator.secrets.names import Source


_NO_USER = frozenset({Course.DELETING, Course.UNSOUND})


def sources_of(job: JobRecord) -> tuple[Source, ...]:
    """Return the pull secrets that a job names, each once, in its order; none of a job that uses none any more."""
    if job.seen.job is None or job.course in _NO_USER:
        return ()
    names = dict.fromkeys(job.seen.job.template.pull_secrets)
    return tuple(Source(job.seen.namespace, name) for name in names)


class Uses:
    """The jobs by source, and the sources by job, which is known by its uid and is called namespace/name."""

    def __init__(self) -> None:
        self._sources: dict[str, tuple[Source, ...]] = {}
        self._keys: dict[str, str] = {}
        self._users: dict[Source, set[str]] = {}

    def note(self, uid: str, *, key: str, sources: Iterable[Source]) -> tuple[Source, ...]:
        """Take note of what a job uses now, and return every source that this is news for; none ends its uses."""
        before, after = self._sources.pop(uid, ()), tuple(sources)
        self._keys.pop(uid, None)
        if after:
            self._sources[uid], self._keys[uid] = after, key
        for source in before:
            if source not in after:
                self._leave(source, uid)
        for source in after:
            self._users.setdefault(source, set()).add(uid)
        return tuple(dict.fromkeys((*before, *after))) if before != after else ()

    def sources(self, uid: str) -> tuple[Source, ...]:
        """Return the pull secrets of a job."""
        return self._sources.get(uid, ())

    def users(self, source: Source) -> frozenset[str]:
        """Return the uids of the jobs that use a source."""
        return frozenset(self._users.get(source, ()))

    def references(self, source: Source) -> tuple[str, ...]:
        """Return for which jobs (namespace/name) a source's copy is, sorted."""
        return tuple(sorted({self._keys[uid] for uid in self._users.get(source, ())}))

    def _leave(self, source: Source, uid: str) -> None:
        users = self._users[source]
        users.discard(uid)
        if not users:
            del self._users[source]
