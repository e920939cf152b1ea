"""Nodes, Pods and jobs become what a coordinator keeps of them, whatever else stands in their JSON."""

from collections.abc import Callable
from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.api.imagepulljob import ImagePullJob
from daemon.api.wire import resource_to_wire
from daemon.coordinator.decoding import job_of, node_of, pod_of
from daemon.coordinator.seen import ImageKey, JobProgress, SeenJob, SeenNode, SeenPod, Taint
from daemon.images import parse_reference
from tests.unit.api.strategies import jobs, keys, label_values, labels, names, times


Value = dict[str, object]

READY = {"type": "Ready", "status": "True"}
taints = st.builds(
    Taint,
    key=keys,
    value=label_values,
    effect=st.sampled_from(["NoSchedule", "NoExecute", "PreferNoSchedule"]),
)


def _encoded(value: object) -> bytes:
    return msgspec.json.encode(value)


def _node(*, spec: Value | None = None, status: Value | None = None, **metadata: object) -> SeenNode:
    return node_of(
        _encoded({"metadata": {"name": "node-a", "uid": "u", **metadata}, "spec": spec or {}, "status": status or {}})
    )


def _pod(*, spec: Value | None = None, status: Value | None = None, **metadata: object) -> SeenPod:
    return pod_of(
        _encoded(
            {
                "metadata": {"name": "pod-a", "namespace": "team", "uid": "u", **metadata},
                "spec": spec or {},
                "status": status or {},
            }
        )
    )


def _job(spec: object, *, status: object = None, **metadata: object) -> SeenJob:
    document = {
        "apiVersion": "apps.kruise.io/v1beta1",
        "kind": "ImagePullJob",
        "metadata": {"name": "warm", "namespace": "team", "uid": "u", **metadata},
        "spec": spec,
    }
    return job_of(_encoded(document if status is None else {**document, "status": status}))


@given(name=names, found=labels, at=times, version=st.integers(0, 2**63), tainted=st.lists(taints, max_size=3))
def test_a_node_is_what_it_says(
    name: str, found: dict[str, str], at: datetime, version: int, tainted: list[Taint]
) -> None:
    """Name, labels, age, resourceVersion, and its taints in their order."""
    written = at.isoformat().replace("+00:00", "Z")
    metadata = {"labels": found, "creationTimestamp": written, "resourceVersion": str(version)}

    node = _node(spec={"taints": msgspec.to_builtins(tainted)}, status={"conditions": [READY]}, name=name, **metadata)

    assert (name, found, at, version) == (node.name, node.labels, node.created_at, node.version)
    assert tuple(tainted) == node.taints


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        ([READY], True),
        ([{"type": "DiskPressure", "status": "True"}, READY], True),
        ([{"type": "Ready", "status": "False"}], False),
        ([{"type": "Ready", "status": "Unknown"}], False),
        ([{"type": "DiskPressure", "status": "True"}], False),
        ([], False),
        (None, False),
        ([7, READY], True),
    ],
)
def test_a_node_is_ready_when_its_condition_says_true(conditions: object, *, expected: bool) -> None:
    """A node that has not said so is not Ready; one that nobody hears is Unknown."""
    assert expected is _node(status={"conditions": conditions}).is_ready


@pytest.mark.parametrize("key", ["ToBeDeletedByClusterAutoscaler", "karpenter.sh/disrupted", "karpenter.sh/disruption"])
def test_a_node_that_an_autoscaler_takes_away_is_leaving(key: str) -> None:
    """The taint that says so is named."""
    tainted = [{"key": "other", "effect": "NoSchedule"}, {"key": key, "effect": "NoSchedule", "value": "1"}]

    assert key == _node(spec={"taints": tainted}).leaving


def test_a_node_that_is_being_deleted_is_leaving() -> None:
    """The deletion goes before any taint."""
    tainted = [{"key": "karpenter.sh/disrupted", "effect": "NoSchedule"}]

    assert "deletionTimestamp" == _node(spec={"taints": tainted}, deletionTimestamp="2026-01-01T00:00:00Z").leaving


@pytest.mark.parametrize("key", ["node.kubernetes.io/unschedulable", "karpenter.sh/registered", "karpenter.sh"])
def test_a_node_with_another_taint_stays(key: str) -> None:
    """Cordoned and freshly registered nodes go on as before."""
    assert "" == _node(spec={"taints": [{"key": key, "effect": "NoSchedule"}]}).leaving


@pytest.mark.parametrize(
    ("found", "tainted", "system", "expected"),
    [
        ({}, [], "", ""),
        ({}, [], "linux", ""),
        ({"kubernetes.io/os": "linux"}, [], "windows", ""),
        ({"kubernetes.io/os": "windows"}, [], "", "a windows node"),
        ({}, [], "windows", "a windows node"),
        ({"type": "virtual-kubelet", "kubernetes.io/os": "linux"}, [], "linux", "a virtual node"),
        ({"type": "large"}, [], "linux", ""),
        ({"eks.amazonaws.com/compute-type": "fargate"}, [], "linux", "a virtual node"),
        ({"eks.amazonaws.com/compute-type": "hybrid"}, [], "linux", ""),
        ({"liqo.io/type": "virtual-node"}, [], "linux", "a virtual node"),
        ({"node.kubernetes.io/instance-type": "eklet"}, [], "linux", "a virtual node"),
        ({}, [{"key": "virtual-kubelet.io/provider", "value": "aci"}], "linux", "a virtual node"),
    ],
)
def test_a_node_where_no_agent_can_run_says_why(
    found: dict[str, str], tainted: list[Value], system: str, expected: str
) -> None:
    """OpenKruise's daemon was put on virtual nodes (kruise#1596); no grant goes there."""
    node = _node(spec={"taints": tainted}, status={"nodeInfo": {"operatingSystem": system}}, labels=found)

    assert expected == node.agentless


def test_odd_parts_of_a_node_cost_themselves_alone() -> None:
    """A label that is a number, a taint that is none: the rest stands."""
    odd = {"labels": {"zone": "a", "size": 7}, "creationTimestamp": "soon", "resourceVersion": "x1"}

    node = _node(spec={"taints": [7, {"key": "gate"}]}, status={"conditions": [READY], "nodeInfo": 7}, **odd)

    assert ({"zone": "a"}, (Taint(key="gate"),), True, 0) == (node.labels, node.taints, node.is_ready, node.version)
    assert datetime(1970, 1, 1, tzinfo=UTC) == node.created_at


def test_labels_are_shared_over_nodes() -> None:
    """5,000 nodes in three zones hold three zones."""
    one, other = _node(labels={"example.com/zone": "zone-one"}), _node(labels={"example.com/zone": "zone-one"})

    assert one.labels["example.com/zone"] is other.labels["example.com/zone"]
    assert next(iter(one.labels)) is next(iter(other.labels))


@pytest.mark.parametrize(
    ("spec", "status", "metadata", "expected"),
    [
        ({"nodeName": "n"}, {"phase": "Running"}, {}, True),
        ({"nodeName": "n"}, {"phase": "Pending"}, {}, True),
        ({"nodeName": "n"}, {}, {}, True),
        ({}, {"phase": "Pending"}, {}, False),
        ({"nodeName": "n"}, {"phase": "Succeeded"}, {}, False),
        ({"nodeName": "n"}, {"phase": "Failed"}, {}, False),
        ({"nodeName": "n"}, {"phase": "Running"}, {"deletionTimestamp": "2026-01-01T00:00:00Z"}, False),
        ({"nodeName": 7}, {"phase": "Running"}, {}, False),
    ],
)
def test_a_pod_is_active_where_it_is_bound_and_goes_on(
    spec: Value, status: Value, metadata: Value, *, expected: bool
) -> None:
    """Ended, terminating and unbound Pods select no node."""
    pod = _pod(spec=spec, status=status, labels={"app": "web"}, **metadata)

    assert expected is pod.is_active
    assert ("team", "pod-a", {"app": "web"}) == (pod.namespace, pod.name, pod.labels)


@given(job=jobs)
def test_a_job_is_read_by_its_own_rules(job: ImagePullJob) -> None:
    """Whatever a job may hold is in the value, defaults filled in, with the key of its image."""
    stored = msgspec.structs.replace(job, uid="u")

    seen = job_of(_encoded(resource_to_wire(stored)))

    reference = parse_reference(job.image)
    assert () == seen.problems
    assert stored == seen.job
    assert ImageKey(reference.repository, reference.tag_or_digest) == seen.key
    assert (job.namespace, job.name, "u", job.generation) == (seen.namespace, seen.name, seen.uid, seen.generation)
    assert job.api_version == seen.api_version


def test_a_digest_is_a_digest_and_no_tag() -> None:
    """OpenKruise joins digests as tags, so that they never pull (kruise#2534)."""
    digest = "sha256:" + "a" * 64

    seen = _job({"image": f"docker.io/library/nginx:1.27@{digest}", "completionPolicy": {}})

    assert ImageKey("nginx", digest) == seen.key


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"image": "nginx:", "completionPolicy": {}}, "spec.image"),
        ({"image": "NGINX", "completionPolicy": {}}, "must be lowercase"),
        ({"image": "nginx", "completionPolicy": {}, "parallelism": "many"}, "spec.parallelism"),
        ({"image": "nginx", "completionPolicy": {}, "selector": {}, "podSelector": {}}, "spec.podSelector"),
        (None, "spec"),
        (7, "spec"),
    ],
)
def test_a_job_that_cannot_be_used_says_why(spec: object, words: str) -> None:
    """A schema looser than ours lets it through; the job is seen, with its problems, and not acted on."""
    seen = _job(spec, generation=3)

    assert (None, None, 3) == (seen.job, seen.key, seen.generation)
    assert any(words in problem for problem in seen.problems)


def test_a_job_whose_refresh_alone_is_wrong_goes_on_without_one() -> None:
    """A misspelt time zone, which no schema can check, must take no image off a node and open no gate."""
    refresh = {"schedule": "0 2 * * *", "timeZone": "Europe/Berln"}
    seen = _job(
        {"image": "nginx", "completionPolicy": {"type": "Never"}, "prewarm": {"gate": True, "refresh": refresh}}
    )

    assert seen.job is not None
    assert (True, None) == (seen.job.template.prewarm.gate, seen.job.template.prewarm.refresh)
    assert any("spec.prewarm.refresh.timeZone" in problem for problem in seen.problems)


def test_what_is_only_a_warning_is_no_problem() -> None:
    """Unknown fields and an empty list of names stop no job."""
    seen = _job({"image": "nginx", "completionPolicy": {}, "selector": {"names": []}, "future": 1})

    assert () == seen.problems
    assert seen.job is not None


def test_a_status_tells_a_new_coordinator_where_to_go_on() -> None:
    """Times, the generation, our last refresh; and the whole of it, with its conditions, as it stands."""
    condition = {"type": "Ready", "status": "True", "reason": "AllWarm", "lastTransitionTime": "2026-01-01T00:00:00Z"}
    status = {
        "observedGeneration": 4,
        "startTime": "2026-01-01T00:00:00Z",
        "completionTime": "2026-01-01T00:01:00Z",
        "conditions": [condition],
        "desired": 7,
        "prewarm": {"lastRefreshTime": "2026-01-01T00:00:30Z", "summary": "7/7"},
    }

    seen = _job({"image": "nginx", "completionPolicy": {}}, status=status)

    start = datetime(2026, 1, 1, tzinfo=UTC)
    assert seen.status == JobProgress(
        observed_generation=4,
        start_time=start,
        completion_time=start.replace(minute=1),
        last_refresh_time=start.replace(second=30),
        raw=status,
    )


@pytest.mark.parametrize(
    "status",
    [
        7,
        {"startTime": "soon", "completionTime": 7, "observedGeneration": "4"},
        {"conditions": 7, "prewarm": 7},
        {"conditions": [7, {"type": 7}, {"status": "True"}, {"type": "", "status": "True"}]},
        {"prewarm": {"lastRefreshTime": "2026-13-01T00:00:00Z"}},
    ],
)
def test_an_odd_status_is_as_none(status: object) -> None:
    """Somebody else's hand in a status must not stop a job: bad times are as absent."""
    seen = _job({"image": "nginx", "completionPolicy": {}}, status=status)

    assert JobProgress() == msgspec.structs.replace(seen.status, raw={})
    assert seen.job is not None


@pytest.mark.parametrize("read", [node_of, pod_of, job_of])
@pytest.mark.parametrize(
    "document",
    [
        [],
        7,
        {},
        {"metadata": 7},
        {"metadata": {"name": "a"}},
        {"metadata": {"uid": "u"}},
        {"metadata": {"name": "", "uid": "u"}},
        {"metadata": {"name": "a", "uid": ""}},
    ],
)
def test_what_is_no_stored_object_is_refused(read: Callable[[bytes], object], document: object) -> None:
    """Without a name or a uid there is nothing to keep it under."""
    with pytest.raises(ValueError, match=r"an object without|Expected `object`"):
        read(_encoded(document))
