"""Where a run without an API server finds credentials: Secrets beside the jobs, docker's config.json, exec plugins."""

import threading
from collections.abc import Iterable

from daemon.api.nodeimage import SecretReference
from daemon.api.secret import PullSecret
from daemon.credentials.problem import CredentialProblem
from daemon.credentials.sources import Candidates, Credentials
from daemon.node.wanted import WantedImage


class ManifestCredentials:
    """Finds what fits an image among the manifests' Secrets first, then wherever `credentials` looks."""

    def __init__(self, credentials: Credentials, *, secrets: Iterable[PullSecret]) -> None:
        self._credentials = credentials
        self._secrets = {SecretReference(namespace=one.namespace, name=one.name): one for one in secrets}

    def candidates(self, wanted: WantedImage, *, cancelled: threading.Event) -> Candidates:
        """Return what to try, in order; a pullSecret that is not among the manifests is a problem, not an end."""
        if wanted.reference is None:
            return Candidates()
        secrets = [self._secrets[named] for named in wanted.pull_secrets if named in self._secrets]
        found = self._credentials.find(wanted.reference, secrets=secrets, cancelled=cancelled)
        missing = tuple(_missing(named) for named in wanted.pull_secrets if named not in self._secrets)
        return Candidates(credentials=found.credentials, problems=(*missing, *found.problems))


def _missing(named: SecretReference) -> CredentialProblem:
    source = f"secret {named.namespace}/{named.name}"
    return CredentialProblem(source=source, message="is not among the manifests; give its manifest too")
