"""
Which of the given manifests concern this machine, and what a person should know about the rest.

Pure: jobs in, jobs and notices out.
"""

from collections.abc import Iterable, Mapping

import msgspec

from daemon.api.imagepulljob import ImageListPullJob, ImagePullJob, JobTemplate
from daemon.api.manifest import Manifests
from daemon.api.nodeimage import ImagePullPolicy
from daemon.api.quantity import nodes_at_once
from daemon.api.selector import selects
from daemon.entries import jobs_of_list
from daemon.images import parse_reference


class Selection(msgspec.Struct, frozen=True, kw_only=True):
    """The jobs to do here, in the order of the manifests, and a sentence about each thing that is passed over."""

    jobs: tuple[ImagePullJob, ...]
    notices: tuple[str, ...]


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of this machine as a node: its name ("" unknown) and its labels (None unknown)."""

    node_name: str = ""
    node_labels: Mapping[str, str] | None = None


def select(manifests: Manifests, *, images: Iterable[str], policy: ImagePullPolicy | None, place: Place) -> Selection:
    """Choose the jobs of manifests and of `--image` that are for this machine; `policy` is for `--image`."""
    given: tuple[ImagePullJob | ImageListPullJob, ...] = (*manifests.jobs, *manifests.lists)
    judged = [(one, *_judged(one, place=place)) for one in given]
    jobs = [job for one, is_chosen, _ in judged if is_chosen for job in _jobs_of(one)]
    notices = [notice for _, _, notice in judged if notice]
    named = [_job_for(image, policy=policy) for image in images]
    return Selection(jobs=(*jobs, *named), notices=(*notices, *_node_images(manifests)))


def _jobs_of(one: ImagePullJob | ImageListPullJob) -> tuple[ImagePullJob, ...]:
    return (one,) if isinstance(one, ImagePullJob) else jobs_of_list(one)


def _judged(job: ImagePullJob | ImageListPullJob, *, place: Place) -> tuple[bool, str]:
    name = f"{job.namespace}/{job.name}"
    template = job.template
    if template.prewarm.suspend or not nodes_at_once(template.parallelism, nodes=1):
        return False, f"{name}: suspended (spec.prewarm.suspend or parallelism 0), passed over"
    labels = _labels(place)
    match selects(template, node_name=place.node_name or None, node_labels=labels):
        case True:
            return True, ""
        case False:
            return False, f"{name}: does not select this node, passed over"
        case None:
            return True, f"{name}: {_unknown(template)}, so its selector is ignored"


def _labels(place: Place) -> Mapping[str, str] | None:
    """Add the label that every node has, its host name, to those given."""
    if place.node_labels is None or not place.node_name:
        return place.node_labels
    return {"kubernetes.io/hostname": place.node_name, **place.node_labels}


def _unknown(template: JobTemplate) -> str:
    if template.pod_selector is not None:
        return "where its Pods run (podSelector) cannot be known without an API server"
    if template.selector is not None and template.selector.names is not None:
        return "--node-name is not given"
    return "--node-labels is not given"


def _node_images(manifests: Manifests) -> list[str]:
    return [
        f"NodeImage {one.name}: read by the agent, not by `prewarm run`; passed over" for one in manifests.node_images
    ]


def _job_for(image: str, *, policy: ImagePullPolicy | None) -> ImagePullJob:
    """Make a job of a name; without a policy the registry is asked for a tag, and not for a digest: it cannot move."""
    by_name = ImagePullPolicy.IF_NOT_PRESENT if parse_reference(image).digest else ImagePullPolicy.ALWAYS
    template = JobTemplate(image_pull_policy=policy or by_name)
    return ImagePullJob(api_version="apps.kruise.io/v1beta1", name=image, image=image, template=template)
