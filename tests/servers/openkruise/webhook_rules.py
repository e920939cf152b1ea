"""
What OpenKruise's webhooks make of an object: its defaults, and why it is refused. Pure.

Of its rules those that a cluster beside it meets: the feature gates, what may not change, and what it alone refuses.
"""

import copy
from typing import Any, Final

import msgspec


Json = dict[str, Any]

FORBIDDEN: Final = 403
BAD: Final = 400
_FINALIZER: Final = "apps.kruise.io/deletion-protection"


class Gates(msgspec.Struct, frozen=True, kw_only=True):
    """The feature gates that matter here, as OpenKruise has them by default."""

    kruise_daemon: bool = True
    image_pull_job: bool = False


class Refusal(msgspec.Struct, frozen=True):
    """Why an object is refused, and by which HTTP status."""

    code: int
    words: str


def defaulted(found: Json, *, operation: str) -> Json:
    """Return an object with the defaults that its webhook gives it."""
    changed = copy.deepcopy(found)
    match found["kind"]:
        case "ImagePullJob":
            _default_job(changed)
            if operation == "CREATE" and found["apiVersion"].endswith("/v1alpha1"):
                changed["metadata"].setdefault("finalizers", []).append(_FINALIZER)
        case "ImageListPullJob":
            _default_template(changed["spec"])
        case "NodeImage":
            _default_entries(changed)
    return changed


def refusal(found: Json, *, before: Json | None, gates: Gates) -> Refusal | None:
    """Return why an object is refused; None where it is not."""
    closed = _closed(found["kind"], gates=gates)
    if closed:
        return Refusal(FORBIDDEN, f"feature-gate {closed} is not enabled")
    spec = found.get("spec", {})
    if found["kind"] == "NodeImage":
        return None if _has_lives(spec) else Refusal(BAD, "pullPolicy.ttlSecondsAfterFinished is required")
    if str(spec.get("parallelism", "")).endswith("%"):
        return Refusal(BAD, f"parallelism {spec['parallelism']} must not be a percentage")
    if before is not None and before["spec"].get("pullSecrets") != spec.get("pullSecrets"):
        return Refusal(FORBIDDEN, "pullSecrets can not be changed")
    return None


def _closed(kind: str, *, gates: Gates) -> str:
    if not gates.kruise_daemon:
        return "KruiseDaemon"
    return "" if gates.image_pull_job or kind == "NodeImage" else "ImagePullJobGate"


def _default_job(job: Json) -> None:
    _default_template(job["spec"])
    if not job["spec"].get("imagePullPolicy"):
        job["spec"]["imagePullPolicy"] = "IfNotPresent"


def _default_template(spec: Json) -> None:
    policy = spec.setdefault("pullPolicy", {})
    policy.setdefault("timeoutSeconds", 600)
    policy.setdefault("backoffLimit", 3)
    if not spec["completionPolicy"].get("type"):
        spec["completionPolicy"]["type"] = "Always"


def _default_entries(node_image: Json) -> None:
    for entry in _entries(node_image.get("spec", {})):
        policy = entry.setdefault("pullPolicy", {})
        policy.setdefault("timeoutSeconds", 600)
        policy.setdefault("backoffLimit", 3)


def _has_lives(spec: Json) -> bool:
    return all("ttlSecondsAfterFinished" in entry.get("pullPolicy", {}) for entry in _entries(spec))


def _entries(spec: Json) -> list[Json]:
    return [entry for image in spec.get("images", {}).values() for entry in image.get("tags", [])]
