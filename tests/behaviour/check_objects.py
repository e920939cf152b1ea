"""What `prewarm check` looks at, made by its tests: workloads with running Pods, Leases that are renewed or are not."""

import contextlib
import threading
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from tests.servers.apiserver import ApiServer
from tests.servers.objects import ObjectOnServer


Json = dict[str, Any]

OURS: Final = "prewarm-system"
THEIRS: Final = "kruise-system"
SECRETS: Final = "kruise-daemon-config"
HOOKS: Final = "/apis/admissionregistration.k8s.io/v1"
OUR_LEASE: Final = (OURS, "prewarm-coordinator")
THEIR_LEASE: Final = (THEIRS, "kruise-manager")
RENEW_SECONDS: Final = 0.2


def ensure_namespaces(server: ApiServer, *names: str) -> None:
    """Create namespaces with the default account, without which no Pod can be created in them."""
    for name in names:
        server.account(name, "default")


@contextlib.contextmanager
def workload(
    server: ApiServer,
    kind: str,
    place: tuple[str, str],
    *,
    nodes: Sequence[str] = (),
    version: str = "0.1.0",
    args: Sequence[str] = (),
) -> Iterator[None]:
    """
    Have a DaemonSet or Deployment, with a running Pod on each of these nodes.

    Args:
        server: where.
        kind: such as DaemonSet.
        place: its namespace and name.
        nodes: which need not exist.
        version: that its Pods' labels tell.
        args: of its container.
    """
    namespace, name = place
    labels = {"app": name, "app.kubernetes.io/version": version}
    spec = {"containers": [{"name": "main", "image": "registry.test/none:1", "args": list(args)}]}
    body: Json = {
        "kind": kind,
        "apiVersion": "apps/v1",
        "spec": {
            "selector": {"matchLabels": {"app": name}},
            "template": {"metadata": {"labels": labels}, "spec": spec},
        },
    }
    made = [ObjectOnServer(server, f"/apis/apps/v1/namespaces/{namespace}/{kind.lower()}s", name)]
    made[0].create(body)
    for node in nodes:
        pod = ObjectOnServer(server, f"/api/v1/namespaces/{namespace}/pods", f"{name}-{node}")
        pod.create({"kind": "Pod", "metadata": {"labels": labels}, "spec": {**spec, "nodeName": node}})
        pod.patch({"status": {"phase": "Running"}}, subresource="status")
        made.append(pod)
    try:
        yield
    finally:
        for each in made:
            server.request("DELETE", f"{each.path}?gracePeriodSeconds=0")


@contextlib.contextmanager
def lease(server: ApiServer, place: tuple[str, str], *, seconds: int = 1) -> Iterator[None]:
    """Have a Lease that somebody holds who promises so many seconds, and renews it no more."""
    namespace, name = place
    found = ObjectOnServer(server, f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases", name)
    spec = {"holderIdentity": f"{name}-1", "leaseDurationSeconds": seconds, "renewTime": _now()}
    found.create({"kind": "Lease", "apiVersion": "coordination.k8s.io/v1", "spec": spec})
    try:
        yield
    finally:
        found.delete()


@contextlib.contextmanager
def renewed(server: ApiServer, place: tuple[str, str]) -> Iterator[None]:
    """Have a Lease that is renewed all the time."""
    namespace, name = place
    path = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases/{name}"
    ended = threading.Event()

    def renew() -> None:
        while not ended.wait(RENEW_SECONDS):
            server.request("PATCH", path, {"spec": {"renewTime": _now()}})

    with lease(server, place, seconds=15):
        thread = threading.Thread(target=renew, daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()


@contextlib.contextmanager
def webhook(server: ApiServer, name: str, resource: str, *, client: Mapping[str, Any]) -> Iterator[str]:
    """Have a validating webhook on a kind of ours, failurePolicy Fail; `client` says who is asked."""
    configuration = "kruise-validating-webhook-configuration"
    rule = {
        "apiGroups": ["apps.kruise.io"],
        "apiVersions": ["v1alpha1", "v1beta1"],
        "operations": ["CREATE", "UPDATE"],
        "resources": [resource],
    }
    hook = {
        "name": name,
        "clientConfig": dict(client),
        "rules": [rule],
        "failurePolicy": "Fail",
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
        "timeoutSeconds": 5,
    }
    found = ObjectOnServer(server, f"{HOOKS}/validatingwebhookconfigurations", configuration)
    body = {"kind": "ValidatingWebhookConfiguration", "apiVersion": "admissionregistration.k8s.io/v1"}
    found.create({**body, "webhooks": [hook]})
    try:
        yield configuration
    finally:
        found.delete()


def _now() -> str:
    return f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%fZ}"
