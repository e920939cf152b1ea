"""
What a list makes of its jobs: which are its images', which are missing, which differ, which are too many.

Pure. A job is an image's by its text, whatever it is called: OpenKruise's have names by chance. What changes nothing
that matters is left alone, since an edit of a finished job runs it again.
"""

from collections.abc import Collection, Iterable, Sequence

import msgspec

from daemon.api.imagepulljob import JobTemplate
from daemon.coordinator.lists.names import job_name
from daemon.coordinator.lists.seen import SeenList
from daemon.coordinator.records import Course, course_of
from daemon.coordinator.seen import SeenJob


class Amendment(msgspec.Struct, frozen=True, kw_only=True):
    """A job whose spec has to become its image's."""

    image: str
    job: SeenJob


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """
    What is there of a list, and what has to be done.

    Attributes:
        jobs: the job of each image that has one, by the image.
        creates: images without a job, in the list's order.
        amends: jobs that ask for something else than the list.
        deletes: jobs of no image, and others beside an image's oldest.
    """

    jobs: dict[str, SeenJob] = {}
    creates: tuple[str, ...] = ()
    amends: tuple[Amendment, ...] = ()
    deletes: tuple[SeenJob, ...] = ()

    @property
    def is_done(self) -> bool:
        """Whether every image has its job, as the list has it, and there is no other."""
        return not (self.creates or self.amends or self.deletes)


def plan_of(seen: SeenList, children: Iterable[SeenJob], *, is_over: bool, settled: Collection[str] = ()) -> Plan:
    """
    Return what a list makes of its jobs; of a list whose spec can't be used they stay as they are.

    Args:
        seen: the list.
        children: the jobs that it controls.
        is_over: it has finished, as it is now: what is deleted then is not made again (openkruise.md 4.1).
        settled: the uids of jobs that were written as the list is now, and are what the API server made of that.
    """
    if seen.wish is None:
        return Plan()
    images = seen.wish.images
    jobs, spare = _matched(seen.name, images, children)
    if is_over:
        return Plan(jobs=jobs)
    wanted = wanted_template(seen.wish.template)
    return Plan(
        jobs=jobs,
        creates=tuple(image for image in images if image not in jobs),
        amends=tuple(
            Amendment(image=image, job=jobs[image])
            for image in images
            if image in jobs and jobs[image].uid not in settled and differs(jobs[image], image=image, wanted=wanted)
        ),
        deletes=tuple(spare),
    )


def spec_of(seen: SeenList, *, image: str) -> dict[str, object]:
    """Return the spec of an image's job, as it is written."""
    return {**seen.template, "image": image}


def wanted_template(template: JobTemplate) -> JobTemplate:
    """Return what each job of a list is asked for: the list's, less what is the list's own."""
    return msgspec.structs.replace(
        template,
        completion_policy=msgspec.structs.replace(template.completion_policy, ttl_seconds_after_finished=None),
        prewarm=msgspec.structs.replace(template.prewarm, list_parallelism=None),
    )


def differs(child: SeenJob, *, image: str, wanted: JobTemplate) -> bool:
    """
    Tell whether a job has to be written.

    A time to live of its own, such as OpenKruise gives it, has no effect on a list's job. Of a finished one it does not
    matter either how it would go on.
    """
    if child.job is None or child.problems or child.job.image != image:
        return True
    have = wanted_template(child.job.template)
    if course_of(child) is Course.FINISHED:
        return _ended(have) != _ended(wanted)
    return have != wanted


def _ended(template: JobTemplate) -> JobTemplate:
    return msgspec.structs.replace(
        template,
        parallelism=1,
        prewarm=msgspec.structs.replace(template.prewarm, suspend=False, priority=0),
    )


def _matched(
    list_name: str, images: Sequence[str], children: Iterable[SeenJob]
) -> tuple[dict[str, SeenJob], list[SeenJob]]:
    """Find the job of each image, the oldest where there are several, and those that are none's."""
    names = {job_name(list_name, image=image): image for image in images}
    living = (child for child in children if not child.is_deleting)
    listed = frozenset(images)
    jobs: dict[str, SeenJob] = {}
    spare: list[SeenJob] = []
    for child in sorted(living, key=lambda child: (child.created_at, child.name not in names, child.uid)):
        image = child.job.image if child.job is not None else ""
        if image in listed and image not in jobs:
            jobs[image] = child
        else:
            spare.append(child)
    # One whose image was edited by hand, or can't be read, is known by its name.
    for child in tuple(spare):
        named = names.get(child.name)
        if named is not None and named not in jobs:
            jobs[named] = child
            spare.remove(child)
    return jobs, spare
