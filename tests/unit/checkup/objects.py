"""Objects as an API server answers them, and facts of clusters, for the tests of what is told of them."""

from typing import Any

import msgspec

from daemon.beside.creation import Creation, Outcome
from daemon.beside.manager import Manager, Renewal
from daemon.checkup.documents import Crd, Facts, Holder, Nodes, Version, Webhook, Workload
from daemon.checkup.objects import KINDS


Json = dict[str, Any]

BOTH = dict.fromkeys(KINDS, "v1beta1")
TAKEN = Creation(outcome=Outcome.TAKEN)
NOBODY = Manager(renewal=Renewal.NOBODY)
LEADS = Manager(renewal=Renewal.RENEWED, holder="kruise-manager-1")


def content(metadata: Json, **parts: Any) -> bytes:  # noqa: ANN401 - JSON
    """Return an object's JSON."""
    return msgspec.json.encode({"metadata": metadata, **parts})


def crd(
    name: str = "imagepulljobs",
    *,
    is_ours: bool = True,
    is_deleting: bool = False,
    is_converted: bool | None = None,
) -> Crd:
    """Return what is told of a CRD."""
    versions = ("v1beta1", "v1alpha1")
    return Crd(
        name=name,
        is_ours=is_ours,
        has_label=is_ours,
        served=versions,
        storage="v1beta1",
        stored=("v1beta1",),
        is_deleting=is_deleting,
        converter="" if is_converted is None else "kruise-system/kruise-webhook-service",
        is_converted=is_converted,
    )


def webhook(name: str = "vimagepulljob.kb.io", *, answers: bool | None = None, kind: str = "imagepulljobs") -> Webhook:
    """Return what is told of a webhook."""
    return Webhook(
        configuration="kruise-validating-webhook-configuration",
        type="Validating",
        name=name,
        kinds=(kind,),
        failure_policy="Fail",
        service="kruise-system/kruise-webhook-service",
        answers=answers,
    )


def leader(state: Renewal = Renewal.RENEWED) -> Holder:
    """Return what is told of our Lease."""
    return Holder(lease="prewarm-system/prewarm-coordinator", holder="prewarm-coordinator-1", state=state.value)


def facts(**others: Any) -> Facts:  # noqa: ANN401 - fields of several kinds
    """Return what is told of a cluster with all of Prewarm and nothing else, but for these fields."""
    usual: Json = {
        "crds": tuple(crd(name) for name in KINDS),
        "served": BOTH,
        "webhooks": (),
        "coordinator": leader(),
        "agents": Workload(name="prewarm-agent", namespaces=("prewarm-system",), pods=2),
        "coordinators": Workload(
            name="prewarm-coordinator", namespaces=("prewarm-system",), pods=2, is_coordinating=True
        ),
        "kruise_daemons": Workload(name="kruise-daemon"),
        "shared": (),
        "nodes": Nodes(total=2, with_agent=2, with_neither=0, versions=(Version(version="0.1.0", nodes=2),)),
        "has_secret_namespace": True,
    }
    return Facts(**{**usual, **others})
