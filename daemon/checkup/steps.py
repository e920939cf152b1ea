"""
What is amiss in a cluster beside the combination that it is in, and what helps: kinds, webhooks, leader, nodes. Pure.

What could not be read gives no step. Steps of the combination itself are advice.py's.
"""

from collections.abc import Iterator
from typing import Final

from daemon.beside.manager import Renewal
from daemon.checkup.documents import Facts, Nodes, Step, Way, Webhook
from daemon.checkup.objects import KINDS


_INSTALL: Final = Way(
    what="install it, or what is missing of it: deploy/README.md", command="kubectl apply -f daemonset.yaml"
)
_CRDS: Final = "kubectl apply -k deploy/crds"
_PODS: Final = "kubectl get pods --all-namespaces --output wide --selector app.kubernetes.io/name="


def steps_beside_theirs(facts: Facts) -> Iterator[Step]:
    """Yield what is amiss where OpenKruise's manager leads; what else there is, is its own."""
    yield from _broken_crds(facts)
    yield from _cold_nodes(facts)


def steps_of_ours(facts: Facts) -> Iterator[Step]:
    """Yield what is amiss where the jobs are Prewarm's, the gravest first."""
    yield from _broken_crds(facts)
    if not _is_installed(facts):
        yield Step(why="Prewarm is not installed here, or not all of it", ways=(_INSTALL,))
        return
    yield from _lacking_crds(facts)
    yield from _cold_nodes(facts)
    if facts.has_secret_namespace is False:
        why = "the namespace kruise-daemon-config is missing, so that no pull secret reaches a node"
        yield Step(why=why, ways=(Way(what="create it", command="kubectl create namespace kruise-daemon-config"),))


def steps_alone(facts: Facts, *, told: str) -> Iterator[Step]:
    """
    Yield what is amiss where nobody else should be there: webhooks without anybody behind them, no leader.

    Args:
        facts: what was read.
        told: the webhook that a step tells of already; "" for none.
    """
    if _is_installed(facts):
        yield from _dead_webhooks(facts, told=told)
        yield from _no_leader(facts)


def is_dead(webhook: Webhook) -> bool:
    """Tell whether a webhook keeps every write away, since nobody answers for it."""
    return webhook.answers is False and webhook.failure_policy == "Fail"


def has_coordinator(facts: Facts) -> bool:
    """Tell whether a coordinator of ours is there; what could not be read may be one."""
    workloads = (facts.coordinators, facts.agents)
    return any(each is None or each.is_coordinating for each in workloads)


def ways_without(facts: Facts, *, webhook: str) -> tuple[Way, ...]:
    """Return what takes a webhook of this name away, as far as it was read where it stands."""
    found = {(each.type, each.configuration) for each in facts.webhooks or () if each.name == webhook}
    return tuple(_away(*place) for place in sorted(found))


def _is_installed(facts: Facts) -> bool:
    """Tell whether a kind is served and somebody of ours is there, as far as it is known."""
    workloads = (facts.agents, facts.coordinators)
    has_workload = any(each is None or each.namespaces for each in workloads)
    has_reports = facts.nodes is not None and facts.nodes.with_agent > 0
    return bool(facts.served) and (has_workload or has_reports)


def _broken_crds(facts: Facts) -> Iterator[Step]:
    going = [each.name for each in facts.crds or () if each.is_deleting]
    if going:
        why = f"the CRD of {' and '.join(going)} is being deleted, and every object of it with it"
        yield Step(why=why, ways=(Way(what="find out who has", command=f"kubectl describe crd {_full(going)}"),))
    for crd in facts.crds or ():
        if crd.is_converted is False:
            why = f"the CRD of {crd.name} has its versions converted at {crd.converter}, where nobody answers"
            what = "do without: of these kinds nothing needs to be converted"
            yield Step(why=why, ways=(Way(what=what, command=_unconverted(crd.name)),))


def _unconverted(name: str) -> str:
    patch = '{"spec": {"conversion": {"strategy": "None", "webhook": null}}}'
    return f"kubectl patch crd {name}.apps.kruise.io --type merge --patch '{patch}'"


def _lacking_crds(facts: Facts) -> Iterator[Step]:
    crds = facts.crds or ()
    missing = [kind for kind in KINDS if kind not in facts.served]
    theirs = [each.name for each in crds if not each.is_ours]
    if missing:
        bring = Way(what="bring them, with Prewarm's fields in all of them", command=_CRDS)
        yield Step(why=f"the API server does not serve {', '.join(missing)}", ways=(bring,))
    elif theirs and len(theirs) < len(crds):
        why = f"some CRDs are Prewarm's, and those of {', '.join(theirs)} drop what Prewarm says there"
        yield Step(why=why, ways=(Way(what="put Prewarm's over them", command=_CRDS),))


def _dead_webhooks(facts: Facts, *, told: str) -> Iterator[Step]:
    dead = [each for each in facts.webhooks or () if is_dead(each) and each.name != told]
    for kind, configuration in sorted({(each.type, each.configuration) for each in dead}):
        about = sorted({name for each in dead if each.configuration == configuration for name in each.kinds})
        why = f"nobody answers for webhooks of {configuration}, so that no {' or '.join(about)} can be written"
        yield Step(why=why, ways=(_away(kind, configuration),))


def _no_leader(facts: Facts) -> Iterator[Step]:
    leader = facts.coordinator
    if leader is None or leader.state == Renewal.RENEWED:
        return
    held = f"names {leader.holder}, who does not renew it" if leader.holder else "names nobody"
    why = f"no coordinator of Prewarm's leads, so that jobs stand still: the Lease {leader.lease} {held}"
    look = Way(what="look what keeps its Pods: docs/runbook.md#nobody-leads", command=f"{_PODS}prewarm-coordinator")
    yield Step(why=why, ways=(look if has_coordinator(facts) else _INSTALL,))


def _cold_nodes(facts: Facts) -> Iterator[Step]:
    nodes = facts.nodes
    if nodes is not None and nodes.with_neither:
        why = f"{nodes.with_neither} of {nodes.total} nodes have no agent, nor kruise-daemon: {names_of(nodes)}"
        look = Way(what="look why there is no Pod, or it does not run", command=f"{_PODS}prewarm-agent")
        yield Step(why=why, ways=(look,))


def names_of(nodes: Nodes) -> str:
    """Name the nodes with nobody who pulls."""
    return ", ".join((*nodes.neither, *(("...",) if (nodes.with_neither or 0) > len(nodes.neither) else ())))


def _full(names: list[str]) -> str:
    return " ".join(f"{name}.apps.kruise.io" for name in names)


def _away(kind: str, configuration: str) -> Way:
    what = "ask who brought it; where it is left over, take it away"
    return Way(what=what, command=f"kubectl delete {kind.lower()}webhookconfiguration {configuration}")
