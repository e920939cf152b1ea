"""Which nodes a job selects."""

import pytest

from daemon.api.imagepulljob import (
    JobTemplate,
    LabelSelector,
    NodeSelector,
    SelectorOperator,
    SelectorRequirement,
)
from daemon.api.selector import selects


LABELS = {"zone": "a", "gpu": ""}


def _expression(key: str, operator: SelectorOperator, *values: str) -> JobTemplate:
    requirement = SelectorRequirement(key=key, operator=operator, values=values)
    return JobTemplate(selector=NodeSelector(match_expressions=(requirement,)))


@pytest.mark.parametrize("selector", [None, NodeSelector()])
def test_no_selector_selects_every_node_even_an_unknown_one(selector: NodeSelector | None) -> None:
    """Absent and empty are the same: all nodes."""
    assert True is selects(JobTemplate(selector=selector), node_name=None, node_labels=None)


@pytest.mark.parametrize(("name", "expected"), [("node-a", True), ("node-c", False), (None, None)])
def test_names_select_by_the_nodes_name(name: str | None, *, expected: bool | None) -> None:
    """Names are exact, and can't be compared with a name that is not known."""
    template = JobTemplate(selector=NodeSelector(names=("node-a", "node-b")))

    assert expected is selects(template, node_name=name, node_labels=LABELS)


def test_an_empty_list_of_names_selects_nothing() -> None:
    """`names: []` is not the same as no names: it selects no node at all."""
    assert False is selects(JobTemplate(selector=NodeSelector(names=())), node_name=None, node_labels=None)


@pytest.mark.parametrize(
    ("labels", "expected"),
    [({"zone": "a"}, True), ({"zone": "a", "gpu": ""}, True), ({"zone": "b"}, False), ({"gpu": "x"}, False)],
)
def test_labels_must_all_be_equal(labels: dict[str, str], *, expected: bool) -> None:
    """Every label of the selector must be the node's."""
    template = JobTemplate(selector=NodeSelector(match_labels=labels))

    assert expected is selects(template, node_name="n", node_labels=LABELS)


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        (_expression("zone", SelectorOperator.IN, "a", "b"), True),
        (_expression("zone", SelectorOperator.IN, "b"), False),
        (_expression("none", SelectorOperator.IN, "b"), False),
        (_expression("zone", SelectorOperator.NOT_IN, "a"), False),
        (_expression("zone", SelectorOperator.NOT_IN, "b"), True),
        (_expression("none", SelectorOperator.NOT_IN, "b"), True),
        (_expression("gpu", SelectorOperator.EXISTS), True),
        (_expression("none", SelectorOperator.EXISTS), False),
        (_expression("gpu", SelectorOperator.DOES_NOT_EXIST), False),
        (_expression("none", SelectorOperator.DOES_NOT_EXIST), True),
    ],
)
def test_expressions_match_as_kubernetes_matches_them(template: JobTemplate, *, expected: bool) -> None:
    """An absent label is in no set, and so satisfies NotIn and DoesNotExist."""
    assert expected is selects(template, node_name="n", node_labels=LABELS)


def test_labels_cannot_be_told_without_the_nodes_labels() -> None:
    """Unknown labels are no empty labels."""
    template = JobTemplate(selector=NodeSelector(match_labels={"zone": "a"}))

    assert None is selects(template, node_name="n", node_labels=None)


def test_a_pod_selector_cannot_be_told() -> None:
    """Where Pods run, only an API server knows."""
    template = JobTemplate(pod_selector=LabelSelector())

    assert None is selects(template, node_name="n", node_labels=LABELS)
