"""From the API server's JSON to what a coordinator keeps of an ImageListPullJob."""

from collections.abc import Mapping
from typing import Final

import msgspec

from daemon.api.imagepulljob import ImageListPullJob
from daemon.api.objects import read_object
from daemon.api.rules.imagelistpulljob import read_image_list_pull_job
from daemon.api.times import time_or_none
from daemon.coordinator.lists.seen import ListProgress, SeenList
from daemon.coordinator.objectmeta import ObjectMeta
from daemon.coordinator.salvage import salvage


_API_VERSION: Final = "apps.kruise.io/v1beta1"
# What the API server puts on an object whose dependents are to stay (metav1.FinalizerOrphanDependents).
_ORPHAN: Final = "orphan"


def list_of(content: bytes) -> SeenList:
    """
    Return an ImageListPullJob from its JSON; what is wrong with its spec stands in `problems`.

    Raises:
        ValueError: it has no name or no uid, or it is no JSON object.
    """
    raw = msgspec.json.decode(content, type=dict[str, object])
    metadata = salvage(raw.get("metadata"), ObjectMeta)
    wish, problems = _wish_of(raw)
    api_version = raw.get("apiVersion")
    return SeenList(
        namespace=metadata.namespace,
        name=metadata.name,
        uid=metadata.uid,
        generation=metadata.generation,
        version=metadata.version,
        created_at=metadata.created_at,
        api_version=api_version if isinstance(api_version, str) else _API_VERSION,
        is_deleting=metadata.is_deleting,
        is_orphaning=metadata.is_deleting and _ORPHAN in (metadata.finalizers or ()),
        wish=wish,
        problems=problems,
        template=_template(raw.get("spec")) if wish is not None else {},
        labels=metadata.labels or {},
        status=_progress_of(raw.get("status")),
    )


def _wish_of(raw: dict[str, object]) -> tuple[ImageListPullJob | None, tuple[str, ...]]:
    found = read_object({**raw, "kind": "ImageListPullJob"}, kind="ImageListPullJob", read=read_image_list_pull_job)
    return (None if found.errors else found.value), tuple(finding.text for finding in found.errors)


def _template(spec: object) -> dict[str, object]:
    """Return what each job of a list has: all but the images, the list's own bound, and the list's time to live."""
    if not isinstance(spec, dict):
        return {}
    template = _without(spec, "images")
    for name, own in (("prewarm", "listParallelism"), ("completionPolicy", "ttlSecondsAfterFinished")):
        part = template.get(name)
        if isinstance(part, dict):
            template[name] = _without(part, own)
    return template if template.get("prewarm") else _without(template, "prewarm")


def _without(fields: Mapping[str, object], name: str) -> dict[str, object]:
    return {key: value for key, value in fields.items() if key != name}


def _progress_of(raw: object) -> ListProgress:
    if not isinstance(raw, dict):
        return ListProgress()
    generation = raw.get("observedGeneration")
    return ListProgress(
        observed_generation=generation if type(generation) is int else 0,
        start_time=time_or_none(raw.get("startTime")),
        completion_time=time_or_none(raw.get("completionTime")),
        raw=raw,
    )
