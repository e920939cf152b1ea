"""
Copies of pull secrets in the namespace that nodes may read: which a job needs, and which it lets go of.

1.9 keeps one copy of a Secret for all jobs, with the jobs named in an annotation, and tells nodes "batch". 1.6 keeps
one for each job, and tells nodes nothing. A job in that very namespace gets no copies: its Secrets are named directly.
"""

import secrets
from typing import Final

import msgspec

from tests.servers.openkruise.manager_job import Job
from tests.servers.openkruise.manager_metadata import Metadata, Secret
from tests.servers.openkruise.manager_nodeimage import SecretReference
from tests.servers.openkruise.manager_objects import SECRET_NAMESPACE, Release
from tests.servers.openkruise.manager_store import Store


_SOURCE: Final = "imagepulljobs.kruise.io/source-key"
_REFERENCES: Final = "imagepulljobs.kruise.io/references"
_MODE: Final = "imagepulljobs.kruise.io/mode"
_SOURCE_UID: Final = "imagepulljobs.kruise.io/source-uid"
_BATCH: Final = "batch"


class Copies:
    """The copies of one manager."""

    def __init__(self, store: Store, *, release: Release) -> None:
        self._store = store
        self._release = release

    def of(self, job: Job) -> tuple[SecretReference, ...]:
        """Return what a job's nodes need, up to date; a Secret that is not there is left out in silence."""
        namespace = job.metadata.namespace
        if namespace == SECRET_NAMESPACE:
            return tuple(SecretReference(namespace=namespace, name=name) for name in job.spec.pull_secrets)
        found = (self._store.secrets.get(name, namespace=namespace) for name in sorted(job.spec.pull_secrets))
        return tuple(self._reference(self._synced(source, job=job)) for source in found if source)

    def release(self, job: Job) -> None:
        """Let go of a finished or deleted job's copies, and delete those that no job needs."""
        for copy in self._all():
            users = _users(copy)
            if _name(job) in users:
                self._leave(copy, users=[user for user in users if user != _name(job)])
            elif copy.metadata.name.endswith(_suffix(job)):
                self._store.delete_secret(copy)

    def _leave(self, copy: Secret, *, users: list[str]) -> None:
        if users:
            self._store.put_secret(_with_users(copy, users=users))
        else:
            self._store.delete_secret(copy)

    def _synced(self, source: Secret, *, job: Job) -> Secret:
        """Return the copy of a Secret, made or brought up to date."""
        existing = self._existing(source, job=job)
        if existing is None:
            copy = _shared(source, job=job) if self._release is Release.V1_9 else _own(source, job=job)
            self._store.create_secret(copy)
            return copy
        users = sorted({*_users(existing), _name(job)}) if self._release is Release.V1_9 else []
        wanted = msgspec.structs.replace(_with_users(existing, users=users), data=source.data)
        if wanted != existing:
            self._store.put_secret(wanted)
        return wanted

    def _existing(self, source: Secret, *, job: Job) -> Secret | None:
        copies = [copy for copy in self._all() if copy.metadata.annotations.get(_SOURCE) == _key(source)]
        if self._release is Release.V1_6:
            return next((copy for copy in copies if copy.metadata.name.endswith(_suffix(job))), None)
        mine = [copy for copy in copies if _name(job) in _users(copy)]
        return next(iter(mine or copies), None)

    def _all(self) -> list[Secret]:
        copies = (each for each in self._store.secrets.all() if each.metadata.namespace == SECRET_NAMESPACE)
        return [copy for copy in copies if _SOURCE in copy.metadata.annotations]

    def _reference(self, copy: Secret) -> SecretReference:
        mode = _BATCH if self._release is Release.V1_9 else ""
        return SecretReference(namespace=SECRET_NAMESPACE, name=copy.metadata.name, mode=mode)


def _shared(source: Secret, *, job: Job) -> Secret:
    extra = {**source.metadata.annotations, _REFERENCES: _name(job), _MODE: _BATCH}
    return _copy(source, suffix=f"-{secrets.token_hex(3)}", annotations=extra, labels=source.metadata.labels)


def _own(source: Secret, *, job: Job) -> Secret:
    return _copy(source, suffix=_suffix(job), annotations={}, labels={_SOURCE_UID: source.metadata.uid})


def _copy(source: Secret, *, suffix: str, annotations: dict[str, str], labels: dict[str, str]) -> Secret:
    metadata = Metadata(
        name=source.metadata.name + suffix,
        namespace=SECRET_NAMESPACE,
        labels=labels,
        annotations={**annotations, _SOURCE: _key(source)},
    )
    return Secret(metadata=metadata, type=source.type, immutable=source.immutable, data=source.data)


def _with_users(copy: Secret, *, users: list[str]) -> Secret:
    if not users:
        return copy
    annotations = {**copy.metadata.annotations, _REFERENCES: ",".join(users)}
    return msgspec.structs.replace(copy, metadata=msgspec.structs.replace(copy.metadata, annotations=annotations))


def _users(copy: Secret) -> list[str]:
    return [name for name in copy.metadata.annotations.get(_REFERENCES, "").split(",") if name]


def _name(job: Job) -> str:
    return f"{job.metadata.namespace}/{job.metadata.name}"


def _suffix(job: Job) -> str:
    return f"-{job.metadata.uid[:8]}"


def _key(source: Secret) -> str:
    return f"{source.metadata.namespace}/{source.metadata.name}"
