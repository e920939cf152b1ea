"""On which nodes the Pods of a job's podSelector run, in any order of what is seen."""

from collections import Counter
from collections.abc import Iterable

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from daemon.api.imagepulljob import LabelSelector
from daemon.coordinator.podselection import PodSelection
from daemon.coordinator.records import JobRecord
from daemon.coordinator.seen import ImageKey, SeenJob, SeenPod
from tests.unit.cluster.clock import EPOCH
from tests.unit.coordinator.claims import job


WEB = LabelSelector(match_labels={"app": "web"})
POD = SeenPod(namespace="team", name="web-0", uid="p0", labels={"app": "web"}, node_name="node-a", is_active=True)

pods = st.builds(
    SeenPod,
    namespace=st.sampled_from(["team", "other"]),
    name=st.sampled_from(["web-0", "web-1", "web-2"]),
    uid=st.sampled_from(["p0", "p1"]),
    labels=st.sampled_from([{"app": "web"}, {"app": "db"}, {}]),
    node_name=st.sampled_from(["", "node-a", "node-b"]),
    is_active=st.booleans(),
)
steps = st.tuples(st.booleans(), pods)


def _record(selector: LabelSelector | None = WEB, *, uid: str = "a") -> JobRecord:
    claimant = job(uid, image="nginx:1")
    template = replace(claimant.template, pod_selector=selector, selector=None)
    seen = SeenJob(
        namespace="team",
        name=uid,
        uid=uid,
        generation=1,
        version=1,
        created_at=EPOCH,
        job=replace(claimant, template=template),
        key=ImageKey("nginx", "1"),
    )
    return JobRecord(seen, now=EPOCH)


def _told(changes: Iterable[tuple[JobRecord, str]]) -> list[str]:
    return [name for _, name in changes]


def test_before_the_pods_are_listed_nobody_knows() -> None:
    """A job whose Pods are not all told yet must not lose the nodes that it has."""
    selection, record = PodSelection(), _record()
    selection.add(record)

    before = selection.is_listed(record)
    selection.listed("team")

    assert (False, True) == (before, selection.is_listed(record))
    assert frozenset({"team"}) == selection.namespaces


def test_a_job_without_a_pod_selector_waits_for_no_pods() -> None:
    """And has none watched."""
    selection, record = PodSelection(), _record(None)

    selection.add(record)

    assert selection.is_listed(record)
    assert frozenset() == selection.namespaces


def test_a_namespace_is_watched_as_long_as_a_job_asks() -> None:
    """The last one to go takes the Pods with it."""
    selection, first, second = PodSelection(), _record(uid="a"), _record(uid="b")
    selection.add(first)
    selection.add(second)

    selection.remove(first)
    with_one = selection.namespaces
    selection.remove(second)

    assert (frozenset({"team"}), frozenset()) == (with_one, selection.namespaces)


def test_a_pod_that_moves_changes_both_nodes() -> None:
    """One that was made anew under its name, on another node."""
    selection, record = PodSelection(), _record()
    selection.add(record)
    selection.listed("team")

    came = _told(selection.seen(POD))
    moved = _told(selection.seen(replace(POD, uid="p1", node_name="node-b")))
    went = _told(selection.gone("team", name="web-0"))

    assert (["node-a"], ["node-a", "node-b"], ["node-b"]) == (came, moved, went)


@given(st.lists(steps, max_size=30), st.integers(0, 30))
def test_the_counts_are_those_of_the_pods_that_there_are(
    changes: list[tuple[bool, SeenPod]], listed_after: int
) -> None:
    """Whenever the job came: of its namespace, with its labels, bound and not ended; no node without one is kept."""
    selection, record = PodSelection(), _record()
    there: dict[str, SeenPod] = {}
    for place, (is_there, pod) in enumerate(changes):
        if place == listed_after:
            selection.listed("team")
            selection.add(record)
        _told(selection.seen(pod) if is_there else selection.gone(pod.namespace, name=pod.name))
        if pod.namespace == "team":
            there[pod.name] = pod
            if not is_there:
                del there[pod.name]
    if listed_after >= len(changes):
        selection.listed("team")
        selection.add(record)

    web = [pod for pod in there.values() if pod.labels == {"app": "web"} and pod.is_active and pod.node_name]
    assert dict(Counter(pod.node_name for pod in web)) == dict(record.pods)
