"""
What `prewarm check` asks of an API server, fact by fact: each may be refused or time out, and costs itself alone.

Nothing is written: what becomes of a job is asked by a dry run (beside/).
"""

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Final, TypeVar

import msgspec

from daemon.api.rules.metadata import GROUP
from daemon.checkup.counting import nodes_of, shared_by
from daemon.checkup.documents import Crd, Facts, Webhook, Workload
from daemon.checkup.objects import (
    KINDS,
    ImageFacts,
    PodFacts,
    WorkloadFacts,
    crd_of,
    has_endpoint,
    image_of,
    pod_of,
    webhooks_of,
    workload_of,
)
from daemon.cluster.errors import ClusterError, NotFound, ServerFailed
from daemon.cluster.interface import WatchApi
from daemon.cluster.metadata import UNREADABLE, Identity, Key, unreadable_words
from daemon.cluster.pages import Pages
from daemon.config.cluster import SECRET_NAMESPACE_DEFAULT


REQUEST_SECONDS: Final = 10.0
AGENTS: Final = "prewarm-agent"
COORDINATORS: Final = "prewarm-coordinator"
KRUISE_DAEMONS: Final = "kruise-daemon"
SECRETS: Final = SECRET_NAMESPACE_DEFAULT

_CRDS: Final = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
_WEBHOOKS: Final = "/apis/admissionregistration.k8s.io/v1"
_OF_SERVICE: Final = "kubernetes.io/service-name"

Found = TypeVar("Found")


class Reading:
    """
    Reads one API server; `notes` says what it could not.

    Args:
        api: whom it asks.
        served: the kinds that the API server serves, with the version to speak of each.
    """

    def __init__(self, api: WatchApi, *, served: Mapping[str, str]) -> None:
        self.notes: list[str] = []
        self._api = api
        self._served = dict(served)

    def facts(self) -> Facts:
        """Read everything but what takes time to tell: who renews a Lease, and what becomes of a job."""
        our_pods, agents = self._workload("daemonsets", AGENTS)
        their_pods, kruise_daemons = self._workload("daemonsets", KRUISE_DAEMONS)
        _, coordinators = self._workload("deployments", COORDINATORS)
        images = self.asked("NodeImages", self._images)
        return Facts(
            crds=self.asked("the CRDs", self._crds),
            served=self._served,
            webhooks=self.asked("the webhook configurations", self._webhooks),
            agents=agents,
            coordinators=coordinators,
            kruise_daemons=kruise_daemons,
            shared=shared_by(our_pods, their_pods),
            nodes=nodes_of(images, ours=our_pods, theirs=their_pods) if images is not None else None,
            has_secret_namespace=self.asked(f"the namespace {SECRETS}", lambda: self._has_namespace(SECRETS)),
        )

    def asked(self, what: str, ask: Callable[[], Found]) -> Found | None:
        """Ask, and note why where there is no answer."""
        try:
            return ask()
        except ClusterError as error:
            self.notes.append(f"{what} could not be read: {error.message}")
            return None

    def _crds(self) -> tuple[Crd, ...]:
        found = [self._one(f"{_CRDS}/{kind}.{GROUP}", decode=crd_of) for kind in KINDS]
        crds = [crd for crd in found if crd is not None]
        answers = self._answers(crd.converter for crd in crds)
        return tuple(msgspec.structs.replace(crd, is_converted=answers.get(crd.converter)) for crd in crds)

    def _webhooks(self) -> tuple[Webhook, ...]:
        found = [*self._webhooks_of("Mutating"), *self._webhooks_of("Validating")]
        answers = self._answers(each.service for each in found)
        return tuple(msgspec.structs.replace(each, answers=answers.get(each.service)) for each in found)

    def _webhooks_of(self, kind: str) -> list[Webhook]:
        path = f"{_WEBHOOKS}/{kind.lower()}webhookconfigurations"
        return [webhook for each in self._all(path, decode=partial(webhooks_of, kind=kind)) for webhook in each]

    def _answers(self, addresses: Iterable[str]) -> dict[str, bool | None]:
        """Tell of each service whether it has an endpoint; of a URL that can't be told."""
        services = sorted({each for each in addresses if each and "://" not in each})
        return {each: self.asked(f"who serves {each}", partial(self._is_served, each)) for each in services}

    def _is_served(self, service: str) -> bool:
        namespace, _, name = service.partition("/")
        path = f"/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices"
        return any(self._all(path, decode=has_endpoint, query={"labelSelector": f"{_OF_SERVICE}={name}"}))

    def _workload(self, resource: str, name: str) -> tuple[tuple[PodFacts, ...] | None, Workload | None]:
        """Return the running Pods of a DaemonSet or Deployment and what is told of it, wherever it is."""
        path, named = f"/apis/apps/v1/{resource}", {"fieldSelector": f"metadata.name={name}"}
        found = self.asked(f"{resource} {name}", lambda: self._all(path, decode=workload_of, query=named))
        if found is None:
            return None, None
        pods = self.asked(f"the Pods of {name}", lambda: self._pods(found))
        workload = Workload(
            name=name,
            namespaces=tuple(each.namespace for each in found),
            pods=len(pods) if pods is not None else None,
            is_coordinating=any(each.is_coordinating for each in found),
        )
        return pods, workload

    def _pods(self, workloads: list[WorkloadFacts]) -> tuple[PodFacts, ...]:
        return tuple(
            pod
            for each in workloads
            for pod in self._all(
                f"/api/v1/namespaces/{each.namespace}/pods", decode=pod_of, query={"labelSelector": each.selector}
            )
            if pod is not None
        )

    def _images(self) -> list[ImageFacts]:
        version = self._served.get("nodeimages")
        return self._all(f"/apis/{GROUP}/{version}/nodeimages", decode=image_of) if version is not None else []

    def _has_namespace(self, name: str) -> bool:
        return self._one(f"/api/v1/namespaces/{name}", decode=bool) is not None

    def _one(self, path: str, *, decode: Callable[[bytes], Found]) -> Found | None:
        try:
            return decode(self._api.fetch(path, timeout_seconds=REQUEST_SECONDS))
        except NotFound:
            return None
        except UNREADABLE as error:
            problem = f"{path}: {unreadable_words(error)}"
        raise ServerFailed(problem)

    def _all(
        self, path: str, *, decode: Callable[[bytes], Found], query: Mapping[str, str] | None = None
    ) -> list[Found]:
        """List everything at a path; what can't be decoded is noted."""
        found: dict[Key, Found] = {}

        def see(identity: Identity, content: bytes) -> None:
            try:
                found[identity.key] = decode(content)
            except UNREADABLE as error:
                self.notes.append(f"{path}/{identity.name}: {unreadable_words(error)}")

        pages = Pages(self._api, path, query=query or {}, timeout_seconds=REQUEST_SECONDS, is_stopped=lambda: False)
        pages.list(see)
        return list(found.values())
