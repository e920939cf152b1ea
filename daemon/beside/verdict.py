"""
Which combination of Prewarm and OpenKruise a cluster has, what that means, and the ways out of it. Pure.

The rows are those of docs/compatibility.md, "Beside OpenKruise", each of which is run by a test.
"""

import re
from collections.abc import Sequence
from enum import StrEnum
from typing import Final

import msgspec

from daemon.beside.creation import Creation, Outcome
from daemon.beside.manager import LEASE, Manager, Renewal


class Row(StrEnum):
    """A combination."""

    # Nobody else serves ImagePullJobs.
    ALONE = "alone"
    THEIR_MANAGER = "their-manager"
    # It leads, and no job can be created: its gate is off, or its webhook does not answer.
    THEIR_MANAGER_REFUSES = "their-manager-refuses"
    LEFTOVER_WEBHOOKS = "leftover-webhooks"
    BOTH_DAEMONS = "both-daemons"
    # Whether its manager leads has not shown yet.
    UNDECIDED = "undecided"


class Way(msgspec.Struct, frozen=True):
    """A way out: what it comes to, and the command."""

    what: str
    command: str

    def __str__(self) -> str:
        return f"{self.what}: {self.command}"


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """
    What was found.

    Attributes:
        row: which combination it is.
        summary: what that is here, in a sentence or two.
        ways: out of it, each by itself; none where all is as it should be.
        notes: what else keeps jobs away, or is not known; the summary has them too.
    """

    row: Row
    summary: str
    ways: tuple[Way, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def stands_aside(self) -> bool:
        """Whether a coordinator of ours leaves the jobs to another, or waits to see whether there is one."""
        return self.row in _THEIRS


_THEIRS: Final = frozenset({Row.THEIR_MANAGER, Row.THEIR_MANAGER_REFUSES, Row.UNDECIDED})
_GATE: Final = re.compile(r"feature-gate (?P<name>\w+)")
_HOOKS: Final = (
    "kubectl delete mutatingwebhookconfiguration/kruise-mutating-webhook-configuration "
    "validatingwebhookconfiguration/kruise-validating-webhook-configuration --ignore-not-found"
)
_SCALE: Final = "kubectl scale deployment kruise-controller-manager --namespace kruise-system --replicas"
_GUIDE: Final = "docs/migrate-from-openkruise.md"

_TO_THEM: Final = Way(
    "leave the jobs to OpenKruise, and run Prewarm's agents without its coordinator",
    "kubectl delete deployment prewarm-coordinator --namespace prewarm-system",
)
_TO_US: Final = Way(
    f"give the jobs to Prewarm: end OpenKruise's manager and take its webhooks away, as {_GUIDE} tells",
    f"{_SCALE} 0 && {_HOOKS}",
)
_SWEEP: Final = Way("OpenKruise is gone for good: take its webhooks away", _HOOKS)
_REVIVE: Final = Way("OpenKruise is to come back: start its manager", f"{_SCALE} 2")
_OUR_DAEMON: Final = Way(
    "let Prewarm's agents pull: take kruise-daemon away, and with it ContainerRecreateRequest and PodProbe",
    "kubectl delete daemonset kruise-daemon --namespace kruise-system",
)
_THEIR_DAEMON: Final = Way(
    "let kruise-daemon pull: take Prewarm's agents away",
    "kubectl delete daemonset prewarm-agent --namespace prewarm-system",
)


def finding_of(manager: Manager, *, creation: Creation | None) -> Finding:
    """
    Say which combination two looks show.

    Args:
        manager: what was seen of OpenKruise's manager.
        creation: what an attempt to create a job came to; None where it was not tried.
    """
    tried = creation or Creation(outcome=Outcome.UNKNOWN)
    if manager.renewal is Renewal.RENEWED or tried.is_openkruises:
        return _served(manager, tried)
    if manager.renewal is Renewal.UNDECIDED:
        return Finding(row=Row.UNDECIDED, summary=_undecided(manager))
    if tried.is_leftover:
        summary = (
            f"the webhook {tried.webhook} of OpenKruise is configured and nobody answers for it, so that no "
            f"ImagePullJob or NodeImage can be created or changed: {tried.words}"
        )
        return Finding(row=Row.LEFTOVER_WEBHOOKS, summary=summary, ways=(_SWEEP, _REVIVE))
    return _alone(manager, tried)


def daemons_finding(nodes: Sequence[str], *, most: int = 5) -> Finding:
    """Say that on these nodes kruise-daemon and our agent both run; `most` of them are named."""
    named = ", ".join(nodes[:most]) + (", ..." if len(nodes) > most else "")
    count = f"{len(nodes)} node" + ("" if len(nodes) == 1 else "s")
    summary = f"kruise-daemon and Prewarm's agent both run on {count} ({named}), for the same NodeImages"
    return Finding(row=Row.BOTH_DAEMONS, summary=summary, ways=(_OUR_DAEMON, _THEIR_DAEMON))


def _served(manager: Manager, tried: Creation) -> Finding:
    who = _who(manager)
    if tried.outcome is Outcome.REFUSED and tried.is_openkruises:
        summary = f"{who}, and refuses every ImagePullJob: {tried.words}"
        return Finding(row=Row.THEIR_MANAGER_REFUSES, summary=summary, ways=(_gate(tried.words), _TO_US))
    if tried.is_leftover:
        summary = f"{who}, and its webhook {tried.webhook} does not answer, so that no job is taken: {tried.words}"
        return Finding(row=Row.THEIR_MANAGER_REFUSES, summary=summary, ways=(_restart(), _TO_US))
    notes = _refusals(tried)
    summary = "; ".join((f"{who}, and serves ImagePullJobs", *notes))
    return Finding(row=Row.THEIR_MANAGER, summary=summary, ways=(_TO_THEM, _TO_US), notes=notes)


def _alone(manager: Manager, tried: Creation) -> Finding:
    notes = _refusals(tried)
    if manager.renewal is Renewal.HIDDEN:
        notes = (f"whether OpenKruise's manager leads is not known: {manager.words}", *notes)
    known = ["nobody else is seen to serve ImagePullJobs"]
    if manager.renewal is Renewal.SILENT:
        known.append(f"the Lease {LEASE} still names {manager.holder}, who renews it no more")
    return Finding(row=Row.ALONE, summary="; ".join((*known, *notes)), notes=notes)


def _who(manager: Manager) -> str:
    if manager.renewal is Renewal.RENEWED:
        return f"OpenKruise's manager {manager.holder} leads by the Lease {LEASE}"
    if manager.renewal is Renewal.UNDECIDED:
        return f"OpenKruise's webhooks answer, and the Lease {LEASE} names {manager.holder}: its manager runs"
    return f"OpenKruise's webhooks answer, though nobody is seen to renew the Lease {LEASE}: its manager runs"


def _undecided(manager: Manager) -> str:
    return (
        f"the Lease {LEASE} names {manager.holder}; whether OpenKruise's manager still renews it shows within "
        f"{manager.left_seconds:.0f} s"
    )


def _refusals(tried: Creation) -> tuple[str, ...]:
    """Say what else keeps jobs away, or from being tried."""
    match tried.outcome:
        case Outcome.REFUSED:
            return (f"an ImagePullJob was refused: {tried.words}",)
        case Outcome.UNANSWERED:
            return (f"the webhook {tried.webhook} does not answer, so that no ImagePullJob is taken: {tried.words}",)
        case Outcome.DENIED:
            return (f"whether a webhook refuses ImagePullJobs is not known: {tried.words}",)
        case Outcome.UNSERVED:
            return (f"{tried.words}: the CRDs are not there",)
        case Outcome.UNKNOWN if tried.words:
            return (f"whether ImagePullJobs are taken is not known: {tried.words}",)
        case _:
            return ()


def _gate(words: str) -> Way:
    found = _GATE.search(words)
    gate = found["name"] if found is not None else "ImagePullJobGate"
    return Way(
        f"leave the jobs to OpenKruise: turn its feature gate {gate} on, beside those that you have",
        f"helm upgrade kruise openkruise/kruise --reuse-values --set featureGates={gate}=true",
    )


def _restart() -> Way:
    return Way(
        "leave the jobs to OpenKruise: start its manager anew",
        "kubectl rollout restart deployment kruise-controller-manager --namespace kruise-system",
    )
