"""Jobs and what they claim, for the tests of what is decided about one image on one node."""

from typing import Any

from daemon.api.imagepulljob import (
    CompletionPolicy,
    CompletionType,
    ImagePullJob,
    JobPrewarm,
    JobTemplate,
    PullPolicy,
    Refresh,
)
from daemon.api.nodeimage import ImagePullPolicy, OwnerReference, SandboxConfig
from daemon.coordinator.entry import Claim


REPOSITORY = "registry.example.com:5000/team/app"
IMAGE = f"{REPOSITORY}:v1"
FOREIGN = OwnerReference(api_version="apps/v1", kind="Deployment", namespace="team", name="web", uid="foreign")


def job(
    uid: str = "a",
    *,
    image: str = IMAGE,
    is_never: bool = True,
    asks_always: bool = False,
    refresh: Refresh | None = None,
    pull: PullPolicy | None = None,
    sandbox: SandboxConfig | None = None,
    completion: CompletionPolicy | None = None,
    **prewarm: Any,  # noqa: ANN401  JobPrewarm's members
) -> ImagePullJob:
    """Return a job; of type Never, and with IfNotPresent, unless it is said otherwise."""
    kind = CompletionType.NEVER if is_never else CompletionType.ALWAYS
    return ImagePullJob(
        api_version="apps.kruise.io/v1beta1",
        name=f"job-{uid}",
        namespace="team",
        uid=uid,
        image=image,
        template=JobTemplate(
            completion_policy=completion or CompletionPolicy(type=kind),
            pull_policy=pull or PullPolicy(),
            sandbox_config=sandbox or SandboxConfig(),
            image_pull_policy=ImagePullPolicy.ALWAYS if asks_always else ImagePullPolicy.IF_NOT_PRESENT,
            prewarm=JobPrewarm(refresh=refresh, **prewarm),
        ),
    )


def granted(claimant: ImagePullJob, *, round: int = 0) -> Claim:  # noqa: A002  the field's name
    """Return a claim that gets a turn now."""
    return Claim(job=claimant, is_granted=True, round=round)


def kept(claimant: ImagePullJob) -> Claim:
    """Return a claim that keeps what it was given."""
    return Claim(job=claimant, is_granted=False)
