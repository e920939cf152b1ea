"""The rules that ImagePullJob and ImageListPullJob share: everything of spec but the images."""

from typing import Final

from daemon.api.fields import INT64_MAX, Field
from daemon.api.imagepulljob import CompletionPolicy, CompletionType, JobTemplate, PullPolicy
from daemon.api.names import check_dns_subdomain
from daemon.api.nodeimage import ImagePullPolicy
from daemon.api.rules.prewarm import read_parallelism, read_prewarm
from daemon.api.rules.sandbox import read_bounded_sandbox_config
from daemon.api.rules.selector import read_label_selector, read_node_selector
from daemon.images import ImageReference, InvalidReference, parse_reference


TEMPLATE_FIELDS: Final = (
    "completionPolicy",
    "imagePullPolicy",
    "parallelism",
    "podSelector",
    "prewarm",
    "pullPolicy",
    "pullSecrets",
    "sandboxConfig",
    "selector",
)
_COMPLETION: Final = ("activeDeadlineSeconds", "ttlSecondsAfterFinished", "type")
_ENDS: Final = ("activeDeadlineSeconds", "ttlSecondsAfterFinished")


def read_template(spec: Field, *, is_list: bool) -> JobTemplate:
    """Read what both kinds of job share, with its defaults filled in."""
    if spec.child("podSelector").is_present and spec.child("selector").is_present:
        spec.child("podSelector").forbidden("may not be set together with selector")
    pull_policy = _pull_policy(spec.child("pullPolicy"))
    completion_policy = _completion_policy(spec.child("completionPolicy"), pull_policy=pull_policy)
    return JobTemplate(
        pull_secrets=_pull_secrets(spec.child("pullSecrets")),
        selector=read_node_selector(spec.child("selector")),
        pod_selector=read_label_selector(spec.child("podSelector")),
        parallelism=read_parallelism(spec.child("parallelism"), default=1),
        pull_policy=pull_policy,
        completion_policy=completion_policy,
        sandbox_config=read_bounded_sandbox_config(spec.child("sandboxConfig")),
        image_pull_policy=spec.child("imagePullPolicy").choice(ImagePullPolicy.IF_NOT_PRESENT),
        prewarm=read_prewarm(spec.child("prewarm"), completion=completion_policy.type, is_list=is_list),
    )


def read_image(field: Field) -> ImageReference | None:
    """Read an image reference; None, with an error, where it is absent or a runtime would refuse it."""
    text = field.required_string()
    if not text:
        return None
    try:
        return parse_reference(text)
    except InvalidReference as error:
        _report_image(field, text, why=str(error))
        return None


def _report_image(field: Field, text: str, *, why: str) -> None:
    # What is pasted with a scheme or a user in front may hold a password: the reason alone, not the value.
    if "://" in text:
        field.error(f"Invalid value: {why}")
    elif "@" in text and not text.rpartition("@")[2].startswith("sha"):
        field.error('Invalid value: only a digest such as "sha256:..." may follow the "@"')
    else:
        field.invalid(why)


def _pull_secrets(field: Field) -> tuple[str, ...]:
    names = []
    for item in field.items():
        name = item.required_string()
        check_dns_subdomain(item, name)
        names.append(name)
    return tuple(names)


def _pull_policy(field: Field) -> PullPolicy:
    if not field.is_present or not field.is_object(("backoffLimit", "timeoutSeconds")):
        return PullPolicy()
    return PullPolicy(
        timeout_seconds=field.child("timeoutSeconds").integer(600, minimum=1),
        backoff_limit=field.child("backoffLimit").integer(3),
    )


def _completion_policy(field: Field, *, pull_policy: PullPolicy) -> CompletionPolicy:
    if not field.is_present:
        field.required('write {} for a job that ends, or {type: "Never"} for one that keeps its images there')
        return CompletionPolicy()
    if not field.is_object(_COMPLETION):
        return CompletionPolicy()
    policy = CompletionPolicy(
        type=field.child("type").choice(CompletionType.ALWAYS),
        active_deadline_seconds=field.child("activeDeadlineSeconds").integer(None, minimum=1, maximum=INT64_MAX),
        ttl_seconds_after_finished=field.child("ttlSecondsAfterFinished").integer(None),
    )
    _check_completion(field, policy, timeout_seconds=pull_policy.timeout_seconds)
    return policy


def _check_completion(field: Field, policy: CompletionPolicy, *, timeout_seconds: int) -> None:
    if policy.type is CompletionType.NEVER:
        for name in _ENDS:
            if field.child(name).is_present:
                field.child(name).forbidden('may not be set when type is "Never"')
        return
    deadline = policy.active_deadline_seconds
    if deadline is not None and 1 <= deadline < timeout_seconds:
        field.child("activeDeadlineSeconds").invalid(f"must be >= pullPolicy.timeoutSeconds ({timeout_seconds})")
