"""
From what was read to what to do: which combination it is (beside/verdict.py), and what else is amiss in it. Pure.

What could not be read is no reason to do anything; where it hides the combination itself, that is said.
"""

from collections.abc import Iterator
from typing import Final

import msgspec

from daemon.beside.creation import Creation, Outcome
from daemon.beside.manager import Manager, Renewal
from daemon.beside.verdict import Finding, Row, daemons_finding, finding_of
from daemon.checkup.documents import Facts, Step, Way
from daemon.checkup.objects import KINDS
from daemon.checkup.steps import (
    has_coordinator,
    is_dead,
    steps_alone,
    steps_beside_theirs,
    steps_of_ours,
    ways_without,
)


UNKNOWN: Final = "unknown"
TITLES: Final = {
    Row.ALONE.value: "no OpenKruise serves the jobs",
    Row.THEIR_MANAGER.value: "OpenKruise's manager serves the jobs",
    Row.THEIR_MANAGER_REFUSES.value: "OpenKruise's manager is there, and refuses every job",
    Row.LEFTOVER_WEBHOOKS.value: "webhooks of an OpenKruise that is gone",
    Row.BOTH_DAEMONS.value: "both daemons on one node",
    Row.UNDECIDED.value: "not decided yet",
    UNKNOWN: "can't be told",
}

_UNDECISIVE: Final = frozenset({Outcome.DENIED, Outcome.UNKNOWN})
_THEIRS: Final = frozenset({Row.THEIR_MANAGER, Row.THEIR_MANAGER_REFUSES})


class Advice(msgspec.Struct, frozen=True, kw_only=True):
    """Which combination it is, what it means, and what to do."""

    row: str
    summary: str
    steps: tuple[Step, ...]


def advise(facts: Facts, *, manager: Manager, creation: Creation) -> Advice:
    """
    Say which combination a cluster has, and what to do about it.

    Args:
        facts: all else that was read.
        manager: what was seen of OpenKruise's.
        creation: what became of a job.
    """
    tried = _with_webhooks(creation, facts=facts)
    if not _is_told(facts, manager=manager, tried=tried):
        return _untold(manager, tried)
    finding = finding_of(manager, creation=tried)
    shared = daemons_finding(facts.shared) if facts.shared else None
    summary = f"{finding.summary}{_lost(finding, facts=facts)}"
    if shared is not None and finding.row in {Row.ALONE, Row.THEIR_MANAGER}:
        row, summary = Row.BOTH_DAEMONS, f"{shared.summary}; {summary}"
    else:
        row = finding.row
    ways = _steps_of(shared) if shared is not None else ()
    steps = (*_row_steps(finding, facts=facts, tried=tried), *ways, *_others(finding, facts=facts, tried=tried))
    return Advice(row=row.value, summary=summary, steps=steps)


def _others(finding: Finding, *, facts: Facts, tried: Creation) -> Iterator[Step]:
    """Yield what is amiss beside the combination."""
    if finding.row in _THEIRS:
        yield from steps_beside_theirs(facts)
        return
    if finding.row is Row.ALONE:
        yield from steps_alone(facts, told=tried.webhook)
    yield from steps_of_ours(facts)


def _with_webhooks(creation: Creation, *, facts: Facts) -> Creation:
    """Where a job could not be tried: take a webhook without anybody behind it for what the trial would have met."""
    dead = [each for each in facts.webhooks or () if is_dead(each) and KINDS[0] in each.kinds]
    if creation.outcome not in _UNDECISIVE or not dead:
        return creation
    words = f"its service {dead[0].service} has no endpoint"
    return Creation(outcome=Outcome.UNANSWERED, webhook=dead[0].name, words=words)


def _is_told(facts: Facts, *, manager: Manager, tried: Creation) -> bool:
    """Tell whether what was read rules out every other combination."""
    if tried.outcome not in _UNDECISIVE or manager.renewal is Renewal.RENEWED:
        return True
    # No webhook is configured: then OpenKruise takes no job, nor keeps any away.
    return manager.renewal is not Renewal.HIDDEN and facts.webhooks == ()


def _untold(manager: Manager, tried: Creation) -> Advice:
    is_hidden = manager.renewal is Renewal.HIDDEN
    words = [*((manager.words,) if is_hidden else ()), tried.words or "a job could not be tried"]
    rights = Way(
        what="have an administrator apply the ClusterRole prewarm-checker of docs/check.md#rights, and bind it to you"
    )
    again = Way(what="look again, when the API server answers that", command="prewarm check")
    why = "who serves ImagePullJobs here can't be told by what was read"
    way = rights if is_hidden or tried.outcome is Outcome.DENIED else again
    return Advice(row=UNKNOWN, summary=f"{why}: {'; '.join(words)}", steps=(Step(why=why, ways=(way,)),))


def _lost(finding: Finding, *, facts: Facts) -> str:
    """Say what nobody serves where our agents stand in the place of kruise-daemon."""
    theirs, ours = facts.kruise_daemons, facts.agents
    is_ours_alone = theirs is not None and theirs.pods == 0 and ours is not None and ours.pods
    if finding.row is not Row.THEIR_MANAGER or not is_ours_alone:
        return ""
    return (
        "; Prewarm's agents pull in the place of kruise-daemon, and nobody serves ContainerRecreateRequest and PodProbe"
    )


def _steps_of(finding: Finding) -> tuple[Step, ...]:
    ways = tuple(Way(what=each.what, command=each.command) for each in finding.ways)
    return (Step(why=TITLES[finding.row], ways=ways),) if ways else ()


def _row_steps(finding: Finding, *, facts: Facts, tried: Creation) -> tuple[Step, ...]:
    """Return what the combination itself asks for; their manager with our agents alone asks for nothing."""
    if finding.row is Row.THEIR_MANAGER and not has_coordinator(facts):
        return ()
    if finding.row is Row.UNDECIDED:
        return (Step(why=finding.summary, ways=(Way(what="look again", command="prewarm check"),)),)
    if finding.row is Row.ALONE and tried.outcome in {Outcome.REFUSED, Outcome.UNANSWERED}:
        return (Step(why=finding.notes[-1], ways=ways_without(facts, webhook=tried.webhook)),)
    return _steps_of(finding)
