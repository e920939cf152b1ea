"""What is told of CRDs, webhooks, workloads, Pods and NodeImages, from their JSON."""

from typing import Any

import msgspec
import pytest
import yaml

from daemon.beside.creation import Creation, Outcome
from daemon.checkup.counting import nodes_of, shared_by
from daemon.checkup.documents import Nodes, Version
from daemon.checkup.objects import (
    KINDS,
    ImageFacts,
    PodFacts,
    WorkloadFacts,
    after_trial,
    crd_of,
    has_endpoint,
    image_of,
    pod_of,
    webhooks_of,
    workload_of,
)
from tests.servers.openkruise.crds import crds
from tests.unit.checkup.objects import content, webhook
from tests.unit.documents import ROOT


Json = dict[str, Any]


@pytest.mark.parametrize("kind", KINDS)
def test_ours_are_told_by_their_schema(kind: str) -> None:
    """Those of deploy/crds, each of which has our label too."""
    found = crd_of(msgspec.json.encode(yaml.safe_load((ROOT / f"deploy/crds/{kind}.yaml").read_text())))

    assert (kind, True, True, {"v1alpha1", "v1beta1"}) == (
        found.name,
        found.is_ours,
        found.has_label,
        set(found.served),
    )


@pytest.mark.parametrize("release", ["1.6", "1.9"])
def test_theirs_are_told_by_their_schema_whatever_their_label_says(release: str) -> None:
    """A label stays where CRDs were put over ours."""
    shaped = [each for each in crds(release) if each["metadata"]["name"].partition(".")[0] in KINDS]
    labelled = [
        {**each, "metadata": {**each["metadata"], "labels": {"app.kubernetes.io/part-of": "prewarm"}}}
        for each in shaped
    ]

    found = [crd_of(msgspec.json.encode(each)) for each in labelled]

    assert [(False, True)] * 3 == [(each.is_ours, each.has_label) for each in found]


def test_the_versions_of_a_crd_are_told() -> None:
    """Served, stored now, and stored ever."""
    versions = [
        {"name": "v1alpha1", "served": True, "storage": False},
        {"name": "v1beta1", "served": False, "storage": True},
    ]
    given = content(
        {"name": "nodeimages.apps.kruise.io", "deletionTimestamp": "2026-01-01T00:00:00Z"},
        spec={"versions": versions},
        status={"storedVersions": ["v1alpha1", "v1beta1"]},
    )

    found = crd_of(given)

    assert (("v1alpha1",), "v1beta1", ("v1alpha1", "v1beta1"), True) == (
        found.served,
        found.storage,
        found.stored,
        found.is_deleting,
    )


@pytest.mark.parametrize(
    ("conversion", "expected"),
    [
        (None, ""),
        ({"strategy": "None"}, ""),
        ({"strategy": "Webhook", "webhook": {"clientConfig": {"service": {"namespace": "n", "name": "s"}}}}, "n/s"),
        ({"strategy": "Webhook", "webhook": {"clientConfig": {"url": "https://c.test"}}}, "https://c.test"),
        ({"strategy": "Webhook", "webhook": {}}, ""),
    ],
)
def test_who_converts_the_versions_of_a_crd_is_told(conversion: Json | None, expected: str) -> None:
    """It goes with OpenKruise's manager, and then no other version can be read."""
    given = content({"name": "nodeimages.apps.kruise.io"}, spec={"versions": [], "conversion": conversion})

    assert expected == crd_of(given).converter


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ([{"apiGroups": ["apps.kruise.io"], "resources": ["nodeimages"]}], [("nodeimages",)]),
        ([{"apiGroups": ["apps.kruise.io"], "resources": ["*"]}], [KINDS]),
        ([{"apiGroups": ["apps.kruise.io"], "resources": ["clonesets"]}], []),
        ([{"apiGroups": ["apps.kruise.io"], "resources": ["imagepulljobs/status"]}], []),
        ([{"apiGroups": ["*"], "resources": ["*"]}], []),
        (None, []),
    ],
    ids=["one kind", "all of the group", "another kind", "a status", "every group", "no rules"],
)
def test_webhooks_on_our_kinds_are_told(rules: list[Json] | None, expected: list[tuple[str, ...]]) -> None:
    """And no others."""
    given = content({"name": "c"}, webhooks=[{"name": "w", "clientConfig": {"url": "https://w.test"}, "rules": rules}])

    assert expected == [each.kinds for each in webhooks_of(given, kind="Mutating")]


def test_who_is_asked_is_told() -> None:
    """A service by namespace and name, or a URL."""
    rules = [{"apiGroups": ["apps.kruise.io"], "resources": ["nodeimages"]}]
    service = {"service": {"namespace": "kruise-system", "name": "hooks"}}
    hooks = [
        {"name": "a", "clientConfig": service, "rules": rules, "failurePolicy": "Ignore"},
        {"name": "b", "clientConfig": {"url": "https://b.test/x"}, "rules": rules},
    ]

    found = webhooks_of(content({"name": "c"}, webhooks=hooks), kind="Validating")

    assert [("kruise-system/hooks", "Ignore"), ("https://b.test/x", "Fail")] == [
        (each.service, each.failure_policy) for each in found
    ]


@pytest.mark.parametrize(
    ("endpoints", "expected"),
    [
        ([{"conditions": {"ready": True}}], True),
        ([{"conditions": {"ready": None}}], True),
        ([{}], True),
        ([{"conditions": {"ready": False}}], False),
        ([], False),
        (None, False),
    ],
)
def test_an_endpoint_answers_unless_it_says_no(endpoints: list[Json] | None, *, expected: bool) -> None:
    """As the EndpointSlice's own document has it: unknown counts as ready."""
    assert expected == has_endpoint(content({}, endpoints=endpoints))


@pytest.mark.parametrize(("outcome", "expected"), [("unanswered", [False, None]), ("refused", [True, None])])
def test_a_trial_shows_whether_the_webhook_that_it_names_answers(outcome: str, expected: list[bool | None]) -> None:
    """And nothing of the others."""
    creation = Creation(outcome=Outcome(outcome), webhook="a")

    found = after_trial([webhook("a"), webhook("b")], creation=creation)

    assert expected == [each.answers for each in found]


@pytest.mark.parametrize(
    ("container", "expected"),
    [
        ({"args": ["agent"]}, False),
        ({"args": ["agent", "--with-coordinator"]}, True),
        ({"command": ["prewarm", "coordinator"]}, True),
        ({}, False),
    ],
)
def test_a_workload_is_told_with_the_query_of_its_pods(container: Json, *, expected: bool) -> None:
    """And whether its Pods coordinate."""
    spec = {"selector": {"matchLabels": {"b": "2", "a": "1"}}, "template": {"spec": {"containers": [container]}}}

    found = workload_of(content({"name": "x", "namespace": "prewarm-system"}, spec=spec))

    assert WorkloadFacts(namespace="prewarm-system", selector="a=1,b=2", is_coordinating=expected) == found


@pytest.mark.parametrize(
    ("metadata", "node", "phase", "expected"),
    [
        ({"labels": {"app.kubernetes.io/version": "0.1.0"}}, "n1", "Running", PodFacts(node="n1", version="0.1.0")),
        ({}, "n1", "Running", PodFacts(node="n1", version="")),
        ({}, "n1", "Pending", None),
        ({"deletionTimestamp": "2026-01-01T00:00:00Z"}, "n1", "Running", None),
        ({}, "", "Running", None),
    ],
)
def test_a_pod_counts_while_it_runs(metadata: Json, node: str, phase: str, expected: PodFacts | None) -> None:
    """On a node, and not about to end."""
    assert expected == pod_of(content(metadata, spec={"nodeName": node}, status={"phase": phase}))


@pytest.mark.parametrize(
    ("metadata", "status", "expected"),
    [
        ({}, {"prewarm": {"agent": {"version": "0.1.0"}}}, ImageFacts(name="n", is_fake=False, agent_version="0.1.0")),
        ({}, {"prewarm": {"agent": {}}}, ImageFacts(name="n", is_fake=False, agent_version="")),
        ({}, {"desired": 1}, ImageFacts(name="n", is_fake=False, agent_version=None)),
        (
            {"labels": {"apps.kruise.io/fake-nodeimage": ""}},
            None,
            ImageFacts(name="n", is_fake=True, agent_version=None),
        ),
    ],
)
def test_a_node_image_is_told_with_its_agent(metadata: Json, status: Json | None, expected: ImageFacts) -> None:
    """None where no agent of ours has reported."""
    assert expected == image_of(content({"name": "n", **metadata}, status=status))


def test_nodes_are_counted_by_reports_and_by_pods() -> None:
    """OpenKruise's CRDs keep no report, and an agent need not be a DaemonSet's."""
    images = [
        ImageFacts(name="reports", is_fake=False, agent_version="0.2.0"),
        ImageFacts(name="runs", is_fake=False, agent_version=None),
        ImageFacts(name="theirs", is_fake=False, agent_version=None),
        ImageFacts(name="nobody", is_fake=False, agent_version=None),
        ImageFacts(name="fake", is_fake=True, agent_version=None),
    ]
    ours, theirs = [PodFacts(node="runs", version="0.1.0")], [PodFacts(node="theirs", version="")]

    found = nodes_of(images, ours=ours, theirs=theirs)

    versions = (Version(version="0.1.0", nodes=1), Version(version="0.2.0", nodes=1))
    assert Nodes(total=4, with_agent=2, with_neither=1, neither=("nobody",), versions=versions) == found


def test_nodes_without_a_report_are_not_called_empty_where_pods_could_not_be_read() -> None:
    """Nobody knows whether one has a daemon."""
    images = [ImageFacts(name="n", is_fake=False, agent_version=None)]

    found = nodes_of(images, ours=None, theirs=[])

    assert (0, None, ()) == (found.with_agent, found.with_neither, found.neither)


def test_nodes_with_both_daemons_are_named() -> None:
    """Not known where either's Pods could not be read."""
    a, b = PodFacts(node="a", version=""), PodFacts(node="b", version="")

    assert ("b",) == shared_by([a, b], [b])
    assert () == shared_by([a], [b])
    assert None is shared_by(None, [b])
