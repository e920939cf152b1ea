"""
Where each node stands for one job, by name: what the job's status only counts.

Pure. A node is judged as the coordinator judges it (standing.py), from the same objects; so the names agree with the
counts, but for what only the coordinator knows: grants on their way, an agent's silence by its own clock, where Pods
run. The job's status tells which nodes are left out for what no NodeImage says, and the first ten of each reason.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final

import msgspec

from daemon.api.nodeimage import Phase, TagStatus
from daemon.api.reasons import Reason
from daemon.coordinator import decoding
from daemon.coordinator.reckoning import standing_of
from daemon.coordinator.records import Course, course_of
from daemon.coordinator.seen import SeenJob, SeenNode
from daemon.coordinator.selection import selects_node
from daemon.coordinator.silence import Skip
from daemon.coordinator.standing import ENDED, Stand, Standing, Task
from daemon.overview.documents import Job, JobNode
from daemon.overview.jobs import job_of
from daemon.overview.nodeimages import NodeFacts, agent_of, bytes_of, percent_of, skip_now


# What a Node says and its NodeImage does not.
_TOLD_BY_NODES: Final = frozenset({Reason.NODE_NOT_READY, Reason.NODE_LEAVING, Reason.NO_AGENT})
_REASONS: Final = frozenset(str(reason) for reason in Reason)


class JobFacts(msgspec.Struct, frozen=True):
    """A job as it is shown, and as a coordinator sees it."""

    job: Job
    seen: SeenJob


def job_facts_of(content: bytes) -> JobFacts:
    """
    Return an ImagePullJob from its JSON.

    Raises:
        ValueError: it has no name, or it is no JSON object.
    """
    return JobFacts(job_of(content), decoding.job_of(content))


def needs_nodes(job: Job) -> bool:
    """Tell whether a status leaves out nodes that it does not name, and that only the Nodes themselves tell."""
    return any(group.count > len(group.nodes) and group.reason in _TOLD_BY_NODES for group in job.skipped)


def nodes_of(
    seen: SeenJob,
    job: Job,
    *,
    facts: Iterable[NodeFacts],
    nodes: Mapping[str, SeenNode] | None,
    now: datetime,
) -> tuple[JobNode, ...]:
    """
    Return where each node stands that a job selects, by name; of a finished job, each node that still has its entry.

    Args:
        seen: the job as a coordinator sees it.
        job: the same job, with what its status says.
        facts: the NodeImages.
        nodes: the Nodes by name; None where they were not read.
        now: this moment.
    """
    task = _task_of(seen)
    if task is None:
        return ()
    skipped = _skipped_by_name(job)
    found = {}
    for each in facts:
        node = nodes.get(each.image.name) if nodes is not None else None
        if _is_meant(task, seen, facts=each, is_there=nodes is None or node is not None):
            skip = skipped.get(each.image.name) or skip_now(each, node=node, now=now)
            found[each.image.name] = _node(task, each, skip=skip, now=now)
    return tuple(found[name] for name in sorted(found)) + _without_image(skipped, known=found)


def _task_of(seen: SeenJob) -> Task | None:
    """Return what a job asks of its nodes, also of one that has finished; None where its spec can't be used."""
    if seen.job is None or seen.key is None:
        return None
    task = Task(job=seen.job, key=seen.key)
    return task if task.is_never else msgspec.structs.replace(task, rerun_at=seen.status.last_refresh_time)


def _is_meant(task: Task, seen: SeenJob, *, facts: NodeFacts, is_there: bool) -> bool:
    """Tell whether a job is for a node: by its entry there, or by the labels that its NodeImage has from the Node."""
    image = facts.image
    entry = image.entries.get(task.key)
    if entry is not None and any(owner.uid == task.job.uid for owner in entry.owner_references):
        return True
    is_going = image.is_deleting or not (is_there or image.is_fake)
    if is_going or course_of(seen) is not Course.ACTIVE:
        return False
    return bool(selects_node(task.job.template, name=image.name, labels=facts.labels))


def _node(task: Task, facts: NodeFacts, *, skip: Skip | None, now: datetime) -> JobNode:
    image = facts.image
    standing = standing_of(task, node=image.name, image=image, skip=skip, is_sent=False, before=None, now=now)
    entry, status = image.entries.get(task.key), image.statuses.get(task.key)
    answer = image.answer(task.key)
    agent = agent_of(image)
    found = JobNode(
        node=image.name,
        group=standing.group.value,
        state=standing.stand.value,
        digest=standing.digest,
        since=entry.created_at if entry is not None and standing.stand is not Stand.WAITING else None,
        retry_at=standing.due_at if standing.stand is Stand.FAILED else None,
        reported_at=agent.reported_at if agent is not None else None,
    )
    found = _with_answer(found, answer, standing=standing)
    if skip is not None:
        return msgspec.structs.replace(found, reason=str(skip.reason), message=skip.message)
    if standing.stand is Stand.FAILED:
        return msgspec.structs.replace(found, reason=standing.reason, message=standing.message)
    return _with_why_it_waits(found, status, standing=standing)


def _with_answer(found: JobNode, answer: TagStatus | None, *, standing: Standing) -> JobNode:
    """Add what the node says of its grant: how far an open one is, and when one that is over ended."""
    if answer is None or standing.stand is Stand.WAITING:
        return found
    found = msgspec.structs.replace(found, attempt=answer.attempt, since=answer.start_time or found.since)
    if standing.stand in ENDED:
        return msgspec.structs.replace(found, since=answer.completion_time or found.since)
    return msgspec.structs.replace(
        found,
        reason=answer.reason,
        message=answer.message,
        percent=percent_of(answer),
        bytes=bytes_of(answer) if answer.phase is Phase.PULLING else None,
        stage=answer.stage,
    )


def _with_why_it_waits(found: JobNode, status: TagStatus | None, *, standing: Standing) -> JobNode:
    """Say why a node waits again: its last turn failed, or what it has is to be renewed."""
    if standing.stand is not Stand.WAITING:
        return found
    if status is not None and status.phase is Phase.FAILED:
        return msgspec.structs.replace(found, reason=status.reason, message=status.message, attempt=status.attempt)
    return msgspec.structs.replace(found, message="its renewal is due") if standing.is_renewal else found


def _skipped_by_name(job: Job) -> dict[str, Skip]:
    """Return the nodes that the status names as left out; a reason that is none of ours is left to the counts."""
    return {
        name: Skip(Reason(group.reason), group.message)
        for group in job.skipped
        if group.reason in _REASONS
        for name in group.nodes
    }


def _without_image(skipped: Mapping[str, Skip], *, known: Mapping[str, JobNode]) -> tuple[JobNode, ...]:
    """Name the nodes that are left out and have no NodeImage, such as a virtual kubelet's."""
    return tuple(
        JobNode(node=name, group="skipped", state=Stand.WAITING.value, reason=str(skip.reason), message=skip.message)
        for name, skip in sorted(skipped.items())
        if name not in known
    )
