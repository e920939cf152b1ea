"""
All nodes of a cluster at once: which agent runs where, and for how many jobs each node is warm, stale or cold.

Pure. Where a node stands for each job is standings.py's, so that this agrees with the jobs' own pages.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from daemon.coordinator.account import NODES_A_REASON
from daemon.coordinator.seen import SeenNode
from daemon.coordinator.silence import Skip
from daemon.coordinator.standing import Group, Stand
from daemon.overview.documents import Agent, JobNode
from daemon.overview.jobs import is_finished
from daemon.overview.nodeimages import NodeFacts, agent_of, skip_now
from daemon.overview.standings import JobFacts, nodes_of
from daemon.overview.surveys import AgentCount, NodeLine


Standings = Mapping[str, Sequence[tuple[str, JobNode]]]

_NO_AGENT: Final = Agent()
_DOES: Final[Mapping[str, str]] = {
    Stand.PULLING: "it pulls",
    Stand.GRANTED: "its agent has not begun yet",
    Stand.WAITING: "it waits for its turn",
}


def node_lines(
    jobs: Sequence[JobFacts],
    *,
    facts: Sequence[NodeFacts],
    nodes: Mapping[str, SeenNode] | None,
    now: datetime,
) -> tuple[NodeLine, ...]:
    """
    Return a line a node, by name: each that has a NodeImage, is a Node, or is named by a job.

    Args:
        jobs: those that have not finished count.
        facts: the NodeImages.
        nodes: the Nodes by name; None where they were not read.
        now: this moment.
    """
    standings = _standings(jobs, facts=facts, nodes=nodes, now=now)
    images = {each.image.name: each for each in facts}
    there = nodes or {}
    return tuple(
        _line(
            name,
            standings.get(name, ()),
            facts=images.get(name),
            skip=skip_now(images.get(name), node=there.get(name), now=now),
        )
        for name in sorted({*images, *there, *standings})
    )


def agent_counts(lines: Sequence[NodeLine]) -> tuple[AgentCount, ...]:
    """Count nodes by their agent's version, those without one first, then the commonest."""
    by_version: dict[str, list[str]] = {}
    for line in lines:
        by_version.setdefault(line.agent, []).append(line.name)
    counts = [
        AgentCount(version=version, nodes=len(names), names=tuple(names[:NODES_A_REASON]))
        for version, names in by_version.items()
    ]
    return tuple(sorted(counts, key=lambda count: (bool(count.version), -count.nodes, count.version)))


def _standings(
    jobs: Sequence[JobFacts],
    *,
    facts: Sequence[NodeFacts],
    nodes: Mapping[str, SeenNode] | None,
    now: datetime,
) -> Standings:
    """Return where each node stands, for each job that asks something of it."""
    found: dict[str, list[tuple[str, JobNode]]] = {}
    for each in jobs:
        if not is_finished(each.job):
            name = f"{each.job.namespace}/{each.job.name}"
            for node in nodes_of(each.seen, each.job, facts=facts, nodes=nodes, now=now):
                found.setdefault(node.node, []).append((name, node))
    return found


def _line(
    name: str, standings: Sequence[tuple[str, JobNode]], *, facts: NodeFacts | None, skip: Skip | None
) -> NodeLine:
    agent = (agent_of(facts.image) if facts is not None else None) or _NO_AGENT
    groups = Counter(node.group for _, node in standings)
    stands = Counter(node.state for _, node in standings)
    reason, message = _why([node for _, node in standings], skip=skip)
    return NodeLine(
        name=name,
        agent=agent.version,
        runtime=agent.runtime,
        reported_at=agent.reported_at,
        jobs=len(standings),
        warm=groups[Group.WARM],
        stale=groups[Group.STALE],
        cold=groups[Group.COLD],
        skipped=groups[Group.SKIPPED],
        pulling=stands[Stand.PULLING],
        waiting=stands[Stand.WAITING] if skip is None else 0,
        failed=stands[Stand.FAILED] if skip is None else 0,
        reason=reason,
        message=message,
        not_warm=tuple(job for job, node in standings if node.group != Group.WARM),
    )


def _why(nodes: Sequence[JobNode], *, skip: Skip | None) -> tuple[str, str]:
    """Return why a node is left out, else the commonest reason for what it lacks, else what it does, in words."""
    if skip is not None:
        return str(skip.reason), skip.message
    lacking = [node for node in nodes if node.group != Group.WARM]
    reasons = Counter(node.reason for node in lacking if node.reason)
    if not reasons:
        stands = {node.state for node in lacking}
        does = next((words for stand, words in _DOES.items() if stand in stands), "")
        return "", next((node.message for node in lacking if node.message), does)
    reason, _ = reasons.most_common(1)[0]
    return reason, next(node.message for node in lacking if node.reason == reason)
