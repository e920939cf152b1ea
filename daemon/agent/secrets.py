"""
Where an agent finds credentials: the secret copies that its NodeImage names, docker's config.json, exec plugins.

A copy is read by name, fresh at each attempt, so that a rotated one counts at once. Nothing here lists or watches
secrets. A copy serves an entry only if one of its owners is among the jobs that the copy names: two tenants' entries
of one repository share its pullSecrets, and neither may pull with the other's.
"""

import threading
from collections.abc import Iterable
from typing import Final

import msgspec

from daemon.api.findings import printable
from daemon.api.names import is_dns_subdomain
from daemon.api.nodeimage import OwnerReference, SecretReference
from daemon.api.objects import read_object
from daemon.api.reasons import Reason
from daemon.api.rules.secret import read_secret
from daemon.api.secret import PullSecret
from daemon.cluster.errors import ClusterError, Denied, NotFound, ServerFailed, Throttled, Unreachable
from daemon.cluster.interface import Api, Resource
from daemon.cluster.metadata import metadata_of
from daemon.credentials.problem import CredentialProblem
from daemon.credentials.sources import Candidates, Credentials
from daemon.node.wanted import WantedImage


READ_TIMEOUT_SECONDS: Final = 5.0
REFERENCES: Final = "imagepulljobs.kruise.io/references"
# With the API server away, the last known copies go on; more of them than a node can have are not kept.
MOST_REMEMBERED: Final = 512

_AWAY: Final = (Unreachable, ServerFailed, Throttled)


class SecretCopy(msgspec.Struct, frozen=True, kw_only=True):
    """A secret as it was read: None for one of a type that holds no pull secret; the jobs that may use it, if named."""

    secret: PullSecret | None
    references: frozenset[str] | None = None
    problem: str = ""

    def __repr__(self) -> str:
        """Name the secret and nothing in it."""
        return f"SecretCopy({self.secret!r})"


class _Unusable(Exception):
    """A copy serves no pull of this entry; the text says why, and `reason` as what a refusal then counts."""

    def __init__(self, words: str, *, reason: Reason | None = None) -> None:
        super().__init__(words)
        self.reason = reason


class ClusterCredentials:
    """
    Finds what fits an image among the NodeImage's secret copies first, then wherever `credentials` looks.

    Copies are read in `secret_namespace` alone, whatever a NodeImage names. Safe from any thread.
    """

    def __init__(self, api: Api, *, credentials: Credentials, secret_namespace: str) -> None:
        self._api = api
        self._secret_namespace = secret_namespace
        self._credentials = credentials
        self._lock = threading.Lock()
        self._remembered: dict[SecretReference, SecretCopy] = {}

    def candidates(self, wanted: WantedImage, *, cancelled: threading.Event) -> Candidates:
        """Return what to try, in order; a copy that is missing or may not be read is a problem, not an end."""
        if wanted.reference is None:
            return Candidates()
        secrets: list[PullSecret] = []
        problems: list[CredentialProblem] = []
        for named in wanted.pull_secrets:
            if cancelled.is_set():
                break
            try:
                secrets.append(self._secret(named, owners=wanted.owners))
            except _Unusable as unusable:
                source = f"secret {printable(named.namespace)}/{printable(named.name)}"
                problems.append(CredentialProblem(source=source, message=str(unusable), reason=unusable.reason))
        found = self._credentials.find(wanted.reference, secrets=secrets, cancelled=cancelled)
        return Candidates(credentials=found.credentials, problems=(*problems, *found.problems))

    def _secret(self, named: SecretReference, *, owners: Iterable[OwnerReference]) -> PullSecret:
        """
        Read a copy that these owners may use.

        Raises:
            _Unusable: there is none, or it is not for them.
        """
        if not is_dns_subdomain(named.name):
            raise _Unusable("has no name that a Secret can have")
        if named.namespace != self._secret_namespace:
            where = "names no namespace" if not named.namespace else "is not read"
            words = f"{where}: copies are in namespace {self._secret_namespace} alone (--secret-namespace)"
            raise _Unusable(words, reason=Reason.SECRET_FORBIDDEN)
        copy = self._found(named)
        if copy.secret is None:
            raise _Unusable(copy.problem)
        if copy.references is not None and not copy.references & _jobs_of(owners):
            raise _Unusable("belongs to other jobs than this image's")
        return copy.secret

    def _found(self, named: SecretReference) -> SecretCopy:
        try:
            return self._read(named)
        except NotFound as error:
            words = "is not there: the job's pullSecrets name a Secret that is missing, or its copy is not made yet"
            raise _Unusable(words, reason=Reason.SECRET_MISSING) from error
        except Denied as error:
            raise _Unusable(f"may not be read: {error.message}", reason=Reason.SECRET_FORBIDDEN) from error
        except ClusterError as error:
            raise _Unusable(f"can't be read: {error.message}") from error

    def _read(self, named: SecretReference) -> SecretCopy:
        """Read a copy from the API server; while that is away, the last known state of it counts."""
        path = f"/api/v1/namespaces/{named.namespace}/secrets/{named.name}"
        try:
            copy = _copy_of(self._api.get(path, timeout_seconds=READ_TIMEOUT_SECONDS))
        except _AWAY:
            with self._lock:
                remembered = self._remembered.get(named)
            if remembered is None:
                raise
            return remembered
        except (NotFound, Denied):
            # Whoever took the copy away, or our right to it, has ended its use.
            with self._lock:
                self._remembered.pop(named, None)
            raise
        self._remember(named, copy)
        return copy

    def _remember(self, named: SecretReference, copy: SecretCopy) -> None:
        with self._lock:
            self._remembered.pop(named, None)
            self._remembered[named] = copy
            while len(self._remembered) > MOST_REMEMBERED:
                del self._remembered[next(iter(self._remembered))]


def _copy_of(resource: Resource) -> SecretCopy:
    parsed = read_object({"kind": "Secret", **resource}, kind="Secret", read=read_secret)
    if parsed.errors:
        return SecretCopy(secret=None, problem=f"is unsound: {parsed.errors[0].text}")
    if parsed.value is None:
        return SecretCopy(secret=None, problem="holds no docker config: its type serves no pull")
    return SecretCopy(secret=parsed.value, references=_references(resource))


def _references(resource: Resource) -> frozenset[str] | None:
    """Read which jobs (namespace/name) a copy is for; None: it does not say, so it is for all."""
    annotations = metadata_of(resource).get("annotations")
    text = annotations.get(REFERENCES) if isinstance(annotations, dict) else None
    if not isinstance(text, str):
        return None
    return frozenset(job.strip() for job in text.split(",") if job.strip())


def _jobs_of(owners: Iterable[OwnerReference]) -> frozenset[str]:
    return frozenset(f"{owner.namespace}/{owner.name}" for owner in owners)
