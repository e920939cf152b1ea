"""
The tokens of Prewarm's running Pods, from where the kubelet has put them, and what each may read.

What a token may is asked of the API server as whoever has it would ask.
"""

import base64
import itertools
import json
from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from tests.rights import CLUSTER, Right, documented
from tests.servers.apiserver import ApiServer
from tests.servers.cluster.cluster import LabCluster
from tests.servers.cluster.product import NAMESPACE
from tests.servers.objects import Json


READING: Final = ("get", "list", "watch")
KINDS: Final = (
    *("secrets", "configmaps", "serviceaccounts", "pods", "pods/log", "pods/exec", "events", "namespaces"),
    *("nodes", "nodes/proxy", "persistentvolumes", "daemonsets.apps", "deployments.apps", "jobs.batch"),
    *("leases.coordination.k8s.io", "events.events.k8s.io", "certificatesigningrequests.certificates.k8s.io"),
    *("roles.rbac.authorization.k8s.io", "clusterroles.rbac.authorization.k8s.io"),
    *("validatingadmissionpolicies.admissionregistration.k8s.io", "customresourcedefinitions.apiextensions.k8s.io"),
    *("imagepulljobs.apps.kruise.io", "imagelistpulljobs.apps.kruise.io", "nodeimages.apps.kruise.io"),
)


class Mounted(msgspec.Struct, frozen=True, kw_only=True):
    """The token of a Pod that runs, and the Pod."""

    pod: str
    node: str
    token: str

    @property
    def claims(self) -> Json:
        """What is in it."""
        payload = self.token.split(".")[1]
        found: Json = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        return found


def mounted(cluster: LabCluster, name: str) -> Iterator[Mounted]:
    """Yield the token of each Pod that runs, from its node's disk."""
    path = f"/api/v1/namespaces/{NAMESPACE}/pods?labelSelector=app.kubernetes.io/name%3D{name}"
    for pod in cluster.apiserver.request("GET", path)["items"]:
        node = cluster.nodes[pod["spec"]["nodeName"]]
        volume = node.disk / "kubelet/pods" / pod["metadata"]["uid"] / "volumes/kubernetes.io~projected/account"
        token = node.machine.path(volume / "token").read_text(encoding="utf-8")
        yield Mounted(pod=pod["metadata"]["name"], node=node.name, token=token)


def readable(apiserver: ApiServer, token: str, places: Sequence[str]) -> set[Right]:
    """Return what a token may get, list or watch of KINDS, in the whole cluster or else in one of some namespaces."""
    found: set[Right] = set()
    for kind, verb in itertools.product(KINDS, READING):
        allowed = [place for place in ("", *places) if _may(apiserver, token, verb, kind, place)]
        where = [CLUSTER] if "" in allowed else allowed
        found |= {Right(where=place, resource=kind, verb=verb) for place in where}
    return found


def reading(account: str, places: Sequence[str]) -> set[Right]:
    """Return what docs/security.md lets an account read of those, but for single objects by their names."""
    reads = {each for each in documented(account) if each.verb in READING and each.resource in KINDS}
    everywhere = {(each.resource, each.verb) for each in reads if each.where == CLUSTER}
    return {
        each
        for each in reads
        if each.where == CLUSTER or (each.where in places and (each.resource, each.verb) not in everywhere)
    }


def _may(apiserver: ApiServer, token: str, verb: str, kind: str, namespace: str) -> bool:
    name, _, subresource = kind.partition("/")
    resource, _, group = name.partition(".")
    about = {"verb": verb, "group": group, "resource": resource, "subresource": subresource, "namespace": namespace}
    body = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": about},
    }
    path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
    answer: bool = apiserver.request("POST", path, body, token=token)["status"]["allowed"]
    return answer
