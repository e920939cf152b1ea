"""
From the API server's JSON to what a coordinator keeps: Nodes, NodeImages, Pods, ImagePullJobs.

One bad field hides no object: what a typed decoder refuses is read again, member by member. Strings that many objects
have in common are one object in memory (sharing.py).
"""

from collections.abc import Iterable
from typing import Final, TypeVar

import msgspec

from daemon.api.imagepulljob import ImagePullJob
from daemon.api.names import is_dns_subdomain
from daemon.api.objects import Parsed, read_object
from daemon.api.rules.imagepulljob import read_image_pull_job
from daemon.api.rules.metadata import GROUP
from daemon.api.times import time_or_none
from daemon.coordinator.decoding_nodeimage import node_image_of
from daemon.coordinator.objectmeta import ObjectMeta, Owner
from daemon.coordinator.salvage import salvage
from daemon.coordinator.seen import ImageKey, JobProgress, SeenJob, SeenNode, SeenPod, Taint
from daemon.coordinator.sharing import TEXTS, Shared, shared_labels
from daemon.images import parse_reference


__all__ = ["job_of", "node_image_of", "node_of", "pod_of"]

# Taints by which an autoscaler says that it takes a node away.
LEAVING_TAINTS: Final = (
    "ToBeDeletedByClusterAutoscaler",
    "karpenter.sh/disrupted",
    "karpenter.sh/disruption",
)
# Labels by which a node says that it has no runtime: virtual-kubelet's, EKS Fargate's, Liqo's, TKE's.
VIRTUAL_LABELS: Final = {
    "type": "virtual-kubelet",
    "eks.amazonaws.com/compute-type": "fargate",
    "liqo.io/type": "virtual-node",
    "node.kubernetes.io/instance-type": "eklet",
}
_VIRTUAL_KUBELET_TAINT: Final = "virtual-kubelet.io/provider"
_OS_LABEL: Final = "kubernetes.io/os"
_API_VERSION: Final = "apps.kruise.io/v1beta1"
_LIST: Final = "ImageListPullJob"
_ENDED: Final = ("Succeeded", "Failed")
_REFRESH: Final = ("spec", "prewarm", "refresh")
# What of an object's metadata changes with its status.
_MOVING: Final = ("resourceVersion", "managedFields")
_MOST_SPECS: Final = 2_048
_SPECS: Final[dict[bytes, tuple[ImagePullJob | None, tuple[str, ...]]]] = {}


class _Condition(msgspec.Struct, frozen=True, kw_only=True):
    type: str = ""
    status: str = ""


class _NodeInfo(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    operating_system: str = ""


class _NodeSpec(msgspec.Struct, frozen=True, kw_only=True):
    taints: tuple[Taint, ...] | None = None


class _NodeStatus(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    conditions: tuple[_Condition, ...] | None = None
    node_info: _NodeInfo | None = None


class _Node(msgspec.Struct, frozen=True, kw_only=True):
    metadata: ObjectMeta
    spec: _NodeSpec | None = None
    status: _NodeStatus | None = None


class _PodSpec(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    node_name: str = ""


class _PodStatus(msgspec.Struct, frozen=True, kw_only=True):
    phase: str = ""


class _Pod(msgspec.Struct, frozen=True, kw_only=True):
    metadata: ObjectMeta
    spec: _PodSpec | None = None
    status: _PodStatus | None = None


Document = TypeVar("Document", _Node, _Pod)

_NODE: Final = msgspec.json.Decoder(_Node)
_POD: Final = msgspec.json.Decoder(_Pod)
_TAINTS: Final[Shared[tuple[Taint, ...]]] = Shared(limit=1_024)


def node_of(content: bytes) -> SeenNode:
    """
    Return a Node from its JSON.

    Raises:
        ValueError: it has no name or no uid, or it is no JSON object.
    """
    document = _read(content, _NODE)
    metadata, labels = document.metadata, document.metadata.labels or {}
    taints = (document.spec and document.spec.taints) or ()
    status = document.status or _NodeStatus()
    return SeenNode(
        name=TEXTS.one(metadata.name),
        uid=TEXTS.one(metadata.uid),
        created_at=metadata.created_at,
        version=metadata.version,
        labels=shared_labels(labels),
        is_ready=any(each.type == "Ready" and each.status == "True" for each in status.conditions or ()),
        leaving="deletionTimestamp" if metadata.is_deleting else _leaving(taints),
        agentless=_agentless(labels, taints=taints, info=status.node_info or _NodeInfo()),
        taints=_TAINTS.one(taints),
    )


def pod_of(content: bytes) -> SeenPod:
    """
    Return a Pod from its JSON.

    Raises:
        ValueError: it has no name or no uid, or it is no JSON object.
    """
    document = _read(content, _POD)
    metadata = document.metadata
    node_name = document.spec.node_name if document.spec else ""
    has_ended = metadata.is_deleting or (document.status is not None and document.status.phase in _ENDED)
    return SeenPod(
        namespace=TEXTS.one(metadata.namespace),
        name=metadata.name,
        uid=metadata.uid,
        labels=shared_labels(metadata.labels or {}),
        node_name=TEXTS.one(node_name),
        is_active=bool(node_name) and not has_ended,
    )


def job_of(content: bytes) -> SeenJob:
    """
    Return an ImagePullJob from its JSON; what is wrong with its spec stands in `problems`.

    Raises:
        ValueError: it has no name or no uid, or it is no JSON object.
    """
    raw = msgspec.json.decode(content, type=dict[str, object])
    metadata = salvage(raw.get("metadata"), ObjectMeta)
    job, problems = _spec_of(raw)
    owner = _list_of(metadata.owner_references or ())
    api_version = raw.get("apiVersion")
    return SeenJob(
        namespace=metadata.namespace,
        name=metadata.name,
        uid=metadata.uid,
        generation=metadata.generation,
        version=metadata.version,
        created_at=metadata.created_at,
        api_version=api_version if isinstance(api_version, str) else _API_VERSION,
        is_deleting=metadata.is_deleting,
        job=job,
        key=_key_of(job) if job else None,
        problems=problems,
        status=_progress_of(raw.get("status")),
        list_uid=owner.uid,
        list_name=owner.name,
        finalizers=metadata.finalizers or (),
    )


def _read(content: bytes, decoder: msgspec.json.Decoder[Document]) -> Document:
    try:
        return decoder.decode(content)
    except msgspec.ValidationError:
        return salvage(msgspec.json.decode(content), decoder.type)


def _leaving(taints: Iterable[Taint]) -> str:
    return next((taint.key for taint in taints if taint.key in LEAVING_TAINTS), "")


def _agentless(labels: dict[str, str], *, taints: Iterable[Taint], info: _NodeInfo) -> str:
    is_labelled = any(labels.get(key) == value for key, value in VIRTUAL_LABELS.items())
    if is_labelled or any(each.key == _VIRTUAL_KUBELET_TAINT for each in taints):
        return "a virtual node"
    system = labels.get(_OS_LABEL) or info.operating_system
    return "" if system in ("", "linux") else TEXTS.one(f"a {system} node")


def _spec_of(raw: dict[str, object]) -> tuple[ImagePullJob | None, tuple[str, ...]]:
    """Read a job's spec, once for all statuses that are written under it."""
    metadata = raw.get("metadata")
    kept = (
        {name: value for name, value in metadata.items() if name not in _MOVING} if isinstance(metadata, dict) else {}
    )
    asked = msgspec.json.encode({**raw, "metadata": kept, "status": None})
    found = _SPECS.get(asked)
    if found is None:
        parsed = _parsed(raw)
        problems = tuple(finding.text for finding in parsed.errors)
        if problems and all(finding.path[: len(_REFRESH)] == _REFRESH for finding in parsed.errors):
            # A misspelt time zone takes no image off a node, and opens no gate.
            parsed = _parsed(_without_refresh(raw))
        if len(_SPECS) >= _MOST_SPECS:
            _SPECS.clear()
        found = _SPECS[asked] = (None if parsed.errors else parsed.value), problems
    return found


def _parsed(raw: dict[str, object]) -> Parsed[ImagePullJob]:
    return read_object({**raw, "kind": "ImagePullJob"}, kind="ImagePullJob", read=read_image_pull_job)


def _without_refresh(raw: dict[str, object]) -> dict[str, object]:
    """Return a job without its refresh, of which the rest can be used."""
    spec = raw.get("spec")
    prewarm = spec.get("prewarm") if isinstance(spec, dict) else None
    if not isinstance(spec, dict) or not isinstance(prewarm, dict):
        return raw
    kept = {name: value for name, value in prewarm.items() if name != "refresh"}
    return {**raw, "spec": {**spec, "prewarm": kept}}


def _key_of(job: ImagePullJob) -> ImageKey:
    reference = parse_reference(job.image)
    return ImageKey(TEXTS.one(reference.repository), TEXTS.one(reference.tag_or_digest))


def _list_of(owners: Iterable[Owner]) -> Owner:
    """
    Return the list that controls a job; one without a uid where none does.

    Whoever makes a job writes any text there, and the API server takes it: what no object is called is no list.
    """
    lists = (each for each in owners if each.controller and each.kind == _LIST)
    ours = (each for each in lists if each.api_version.partition("/")[0] == GROUP)
    return next((each for each in ours if is_dns_subdomain(each.name) and is_dns_subdomain(each.uid)), Owner())


def _progress_of(raw: object) -> JobProgress:
    if not isinstance(raw, dict):
        return JobProgress()
    generation, ours = raw.get("observedGeneration"), raw.get("prewarm")
    return JobProgress(
        observed_generation=generation if type(generation) is int else 0,
        start_time=time_or_none(raw.get("startTime")),
        completion_time=time_or_none(raw.get("completionTime")),
        last_refresh_time=time_or_none(ours.get("lastRefreshTime")) if isinstance(ours, dict) else None,
        raw=raw,
    )
