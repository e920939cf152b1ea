"""
From the JSON of objects to what is told of them: CRDs, webhook configurations, DaemonSets, Pods, NodeImages.

Pure. Only what the report needs is decoded.
"""

from collections.abc import Callable, Sequence
from typing import Final, TypeVar

import msgspec

from daemon.api.rules.metadata import GROUP
from daemon.beside.creation import Creation, Outcome
from daemon.checkup.documents import Crd, Webhook
from daemon.checkup.wire import (
    WireClient,
    WireConfiguration,
    WireConversion,
    WireCrd,
    WireEndpointSlice,
    WireNodeImage,
    WirePod,
    WireWebhook,
    WireWorkload,
)
from daemon.coordinator.decoding_nodeimage import FAKE_LABEL


KINDS: Final = ("imagepulljobs", "imagelistpulljobs", "nodeimages")
LABEL: Final = ("app.kubernetes.io/part-of", "prewarm")
VERSION_LABEL: Final = "app.kubernetes.io/version"


class PodFacts(msgspec.Struct, frozen=True, kw_only=True):
    """A daemon's Pod that runs: where, and the version that its labels tell."""

    node: str
    version: str


class ImageFacts(msgspec.Struct, frozen=True, kw_only=True):
    """A NodeImage: whether it stands for a Node, and the agent's version there; None where no agent has reported."""

    name: str
    is_fake: bool
    agent_version: str | None


class WorkloadFacts(msgspec.Struct, frozen=True, kw_only=True):
    """A DaemonSet or Deployment: where it is, the labels of its Pods, and whether they are coordinators too."""

    namespace: str
    selector: str
    is_coordinating: bool


Shape = TypeVar("Shape")


def _reader(shape: type[Shape]) -> Callable[[bytes], Shape]:
    return msgspec.json.Decoder(shape).decode


_crd, _configuration, _workload = _reader(WireCrd), _reader(WireConfiguration), _reader(WireWorkload)
_pod, _node_image, _slice = _reader(WirePod), _reader(WireNodeImage), _reader(WireEndpointSlice)


def crd_of(content: bytes) -> Crd:
    """Return what is told of a CRD."""
    found = _crd(content)
    versions = found.spec.versions
    key, value = LABEL
    return Crd(
        name=found.metadata.name.partition(".")[0],
        is_ours=all(each.is_ours for each in versions),
        has_label=(found.metadata.labels or {}).get(key) == value,
        served=tuple(each.name for each in versions if each.served),
        storage=next((each.name for each in versions if each.storage), ""),
        stored=tuple(found.status.stored_versions or ()),
        is_deleting=bool(found.metadata.deletion_timestamp),
        converter=_converter(found.spec.conversion),
    )


def webhooks_of(content: bytes, *, kind: str) -> tuple[Webhook, ...]:
    """
    Return the webhooks of a configuration that are about the three kinds.

    One that is about every group is none of them: it concerns whatever is written, and a trial tells what it says.

    Args:
        content: the configuration's JSON.
        kind: Validating or Mutating.
    """
    found = _configuration(content)
    return tuple(
        Webhook(
            configuration=found.metadata.name,
            type=kind,
            name=each.name,
            kinds=kinds,
            failure_policy=each.failure_policy,
            service=_address(each.client_config),
        )
        for each in found.webhooks or ()
        if (kinds := _kinds(each))
    )


def after_trial(webhooks: Sequence[Webhook], *, creation: Creation) -> tuple[Webhook, ...]:
    """Return the webhooks with what a trial has shown of one: that it answers, or that it does not."""
    shown = {Outcome.UNANSWERED: False, Outcome.REFUSED: True}.get(creation.outcome)
    return tuple(
        msgspec.structs.replace(each, answers=shown) if shown is not None and each.name == creation.webhook else each
        for each in webhooks
    )


def has_endpoint(content: bytes) -> bool:
    """Tell whether an EndpointSlice names somebody who answers; what says nothing of itself counts as ready."""
    endpoints = _slice(content).endpoints or ()
    return any((each.conditions or {}).get("ready") is not False for each in endpoints)


def workload_of(content: bytes) -> WorkloadFacts:
    """Return where a DaemonSet or Deployment is, and the query that finds its Pods."""
    found = _workload(content)
    labels = found.spec.selector.match_labels or {}
    containers = found.spec.template.spec.containers or ()
    words = {word for each in containers for word in (*(each.command or ()), *(each.args or ()))}
    return WorkloadFacts(
        namespace=found.metadata.namespace,
        selector=",".join(f"{key}={value}" for key, value in sorted(labels.items())),
        is_coordinating=bool(words & {"coordinator", "--with-coordinator", "--with-coordinator=true"}),
    )


def pod_of(content: bytes) -> PodFacts | None:
    """Return where a Pod runs; None for one that does not, or is about to end."""
    found = _pod(content)
    if found.status.phase != "Running" or found.metadata.deletion_timestamp or not found.spec.node_name:
        return None
    return PodFacts(node=found.spec.node_name, version=(found.metadata.labels or {}).get(VERSION_LABEL, ""))


def image_of(content: bytes) -> ImageFacts:
    """Return what is told of a NodeImage."""
    found = _node_image(content)
    prewarm = found.status.prewarm if found.status is not None else None
    agent = prewarm.agent if prewarm is not None else None
    return ImageFacts(
        name=found.metadata.name,
        is_fake=FAKE_LABEL in (found.metadata.labels or {}),
        agent_version=agent.version if agent is not None else None,
    )


def _kinds(webhook: WireWebhook) -> tuple[str, ...]:
    named = {
        resource
        for rule in webhook.rules or ()
        if GROUP in (rule.api_groups or ())
        for resource in rule.resources or ()
    }
    return KINDS if named & {"*", "*/*"} else tuple(kind for kind in KINDS if kind in named)


def _converter(conversion: WireConversion | None) -> str:
    webhook = conversion.webhook if conversion is not None and conversion.strategy == "Webhook" else None
    return _address(webhook.client_config) if webhook is not None and webhook.client_config is not None else ""


def _address(client: WireClient) -> str:
    return f"{client.service.namespace}/{client.service.name}" if client.service is not None else client.url
