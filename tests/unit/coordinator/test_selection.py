"""Which nodes and Pods a job selects, prepared for a hundred jobs over thousands of nodes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.api.imagepulljob import JobTemplate, LabelSelector, NodeSelector
from daemon.api.selector import matches_labels, selects
from daemon.coordinator import selection
from daemon.coordinator.selection import matches, selects_node
from tests.unit.api.strategies import expressions, labels, names, templates


@given(template=templates(), name=names, found=labels)
def test_a_node_is_selected_as_the_api_says(template: JobTemplate, name: str, found: dict[str, str]) -> None:
    """Whatever the selector, asked twice: the prepared form means the same."""
    expected = selects(template, node_name=name, node_labels=found)

    assert expected is selects_node(template, name=name, labels=found)
    assert expected is selects_node(template, name=name, labels=found)


@given(selector=st.builds(LabelSelector, match_labels=labels, match_expressions=expressions), found=labels)
def test_a_pod_is_selected_as_the_api_says(selector: LabelSelector, found: dict[str, str]) -> None:
    """All labels and all expressions."""
    expected = matches_labels(selector.match_labels, selector.match_expressions, labels=found)

    assert expected is matches(selector, found)


@given(name=names, found=labels)
def test_a_selector_of_a_nodes_own_labels_and_name_selects_it(name: str, found: dict[str, str]) -> None:
    """Also where it has labels besides."""
    by_labels = JobTemplate(selector=NodeSelector(match_labels=found))
    by_name = JobTemplate(selector=NodeSelector(names=(name, "other")))

    assert True is selects_node(by_labels, name=name, labels={**found, "more": "x"})
    assert True is selects_node(by_name, name=name, labels={})


@pytest.mark.parametrize("selector", [None, NodeSelector()])
def test_an_empty_selector_selects_every_node(selector: NodeSelector | None) -> None:
    """New ones too: OpenKruise's watch passes them over with `selector: {}`, so that they stay cold (8.2 number 17)."""
    assert True is selects_node(JobTemplate(selector=selector), name="node-a", labels={})


def test_an_empty_list_of_names_selects_no_node() -> None:
    """OpenKruise makes it every node when it writes the job back (8.2 number 17)."""
    assert False is selects_node(JobTemplate(selector=NodeSelector(names=())), name="node-a", labels={})


def test_a_pod_selector_is_not_asked_of_nodes() -> None:
    """It asks where Pods run."""
    assert None is selects_node(JobTemplate(pod_selector=LabelSelector()), name="node-a", labels={})


def test_an_empty_pod_selector_matches_every_pod() -> None:
    """As in Kubernetes."""
    assert matches(LabelSelector(), {})


def test_prepared_selectors_do_not_pile_up() -> None:
    """Jobs that come and go leave nothing behind for long, and are still answered."""
    for number in range(10_000):
        template = JobTemplate(selector=NodeSelector(match_labels={"number": str(number)}))
        assert selects_node(template, name="node-a", labels={"number": str(number)})
        assert not selects_node(template, name="node-a", labels={"number": str(number + 1)})

    assert 5_000 > len(selection._PREPARED)
