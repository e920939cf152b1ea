"""The report of `prewarm check` for a person: the combination first, then what was read, then what to do. Pure."""

from collections.abc import Iterator
from itertools import zip_longest
from typing import Final

from daemon.beside.manager import Renewal
from daemon.checkup.documents import CheckDocument, Crd, Facts, Holder, Nodes, Step, Trial, Webhook, Workload
from daemon.checkup.steps import names_of
from daemon.overview.draw import harmless
from daemon.overview.words import counted


DOCUMENT: Final = "docs/compatibility.md#beside-openkruise"

_LABEL_WIDTH: Final = 25
_UNREAD: Final = "not known: it could not be read"
_STATES: Final = {
    Renewal.RENEWED.value: "{holder} leads: it was seen to renew",
    Renewal.SILENT.value: "nobody leads: {holder} has not renewed for as long as it promised",
    Renewal.UNDECIDED.value: "{holder} holds it; whether it renews has not shown yet",
    Renewal.NOBODY.value: "nobody leads",
}
_ANSWERS: Final = {
    True: "its service has endpoints",
    False: "NOBODY ANSWERS",
    None: "whether anybody answers is not known",
}


def report(document: CheckDocument) -> str:
    """Return the report's text."""
    parts = [
        [f"{document.row}: {document.title}", f"  {document.summary}"],
        list(_facts(document.facts)),
        ["Not known:", *(f"- {note}" for note in document.notes)] if document.notes else [],
        list(_todo(document.steps)),
    ]
    return "\n\n".join("\n".join(harmless(line) for line in part) for part in parts if part)


def _facts(facts: Facts) -> Iterator[str]:
    rows = (
        ("CRDs", [_UNREAD] if facts.crds is None else _crds(facts.crds)),
        ("Webhooks", [_UNREAD] if facts.webhooks is None else [_webhook(each) for each in facts.webhooks]),
        ("OpenKruise's manager", [_holder(facts.manager)]),
        ("kruise-daemon", [_workload(facts.kruise_daemons, "DaemonSet"), _shared(facts.shared)]),
        ("Prewarm's coordinator", [_holder(facts.coordinator), _workload(facts.coordinators, "Deployment")]),
        ("Prewarm's agents", [_workload(facts.agents, "DaemonSet"), *_nodes(facts.nodes)]),
        ("A new job", [_trial(facts.creation)]),
        ("Copies of secrets", [_namespace(facts.has_secret_namespace)]),
    )
    for label, lines in rows:
        told = [line for line in lines if line] or ["none"]
        yield from (f"{head:<{_LABEL_WIDTH}}{line}" for head, line in zip_longest([f"{label}:"], told, fillvalue=""))


def _crds(crds: tuple[Crd, ...]) -> list[str]:
    """Say what each is; those of which the same is to be said together."""
    names: dict[str, list[str]] = {}
    for crd in crds:
        names.setdefault(_crd(crd), []).append(crd.name)
    return [f"{', '.join(same)}: {words}" for words, same in names.items()]


def _crd(crd: Crd) -> str:
    whose = "Prewarm's" if crd.is_ours else "OpenKruise's, which drop what Prewarm says beside its fields"
    label = "" if crd.is_ours == crd.has_label else f", {'without' if crd.is_ours else 'with'} Prewarm's label"
    going = ", BEING DELETED" if crd.is_deleting else ""
    if crd.converter:
        going = f"{going}, converted by {crd.converter}: {_ANSWERS[crd.is_converted]}"
    served, stored = ", ".join(crd.served) or "nothing", ", ".join(crd.stored) or "nothing"
    return f"{whose}{label}{going}; served: {served}; stored as {crd.storage}, so far as {stored}"


def _webhook(webhook: Webhook) -> str:
    # One that is called by a URL has no endpoints: that it answers is known by the trial.
    is_tried = webhook.answers and "://" in webhook.service
    answers = "it has answered" if is_tried else _ANSWERS[webhook.answers]
    return (
        f"{webhook.name} ({webhook.type} {webhook.configuration}, failurePolicy {webhook.failure_policy}) on "
        f"{', '.join(webhook.kinds)}; {webhook.service}: {answers}"
    )


def _holder(holder: Holder | None) -> str:
    if holder is None:
        return _UNREAD
    return f"{_STATES[holder.state].format(holder=holder.holder)} (Lease {holder.lease})"


def _trial(trial: Trial | None) -> str:
    if trial is None:
        return _UNREAD
    by = f" by the webhook {trial.webhook}" if trial.webhook else ""
    words = f": {trial.message}" if trial.message else ""
    return f"{trial.outcome}{by}, as a dry run{words}"


def _workload(workload: Workload | None, kind: str) -> str:
    if workload is None:
        return _UNREAD
    if not workload.namespaces:
        return f"no {kind} {workload.name}"
    pods = counted(workload.pods, "Pod") if workload.pods is not None else "an unknown number of Pods"
    also = ", which coordinate too" if workload.is_coordinating and kind == "DaemonSet" else ""
    return f"{kind} {workload.name} in {', '.join(workload.namespaces)}: {pods} running{also}"


def _nodes(nodes: Nodes | None) -> Iterator[str]:
    if nodes is None:
        yield "which nodes have one is not known"
        return
    if not nodes.total:
        yield "no node has a NodeImage"
        return
    versions = ", ".join(f"{each.version or 'unknown'} on {each.nodes}" for each in nodes.versions)
    yield f"on {nodes.with_agent} of {counted(nodes.total, 'node')}" + (f": {versions}" if versions else "")
    if nodes.with_neither is None:
        yield "how many of the others have kruise-daemon is not known"
    elif nodes.with_neither:
        yield f"{nodes.with_neither} with neither it nor kruise-daemon: {names_of(nodes)}"


def _shared(shared: tuple[str, ...] | None) -> str:
    if shared is None:
        return "whether it runs beside an agent is not known"
    return f"beside an agent on {counted(len(shared), 'node')}" if shared else ""


def _namespace(is_there: bool | None) -> str:  # noqa: FBT001 - a fact, which may be unknown
    if is_there is None:
        return _UNREAD
    return f"the namespace kruise-daemon-config is {'there' if is_there else 'MISSING'}"


def _todo(steps: tuple[Step, ...]) -> Iterator[str]:
    if not steps:
        yield f"Nothing to do. What the row means: {DOCUMENT}"
        return
    yield f"What to do (the row: {DOCUMENT}):"
    for number, step in enumerate(steps, start=1):
        is_choice = len(step.ways) > 1
        yield f"{number}. {step.why}" + (" - one of:" if is_choice else "")
        for letter, way in zip("abcdefgh", step.ways, strict=False):
            yield f"   {letter + ') ' if is_choice else ''}{way.what}"
            if way.command:
                yield f"      {way.command}"
