"""
Which nodes a job selects, as far as a node's own name and labels tell.

A podSelector asks where Pods run, which only an API server knows: the answer here is then None.
"""

from collections.abc import Mapping

from daemon.api.imagepulljob import JobTemplate, NodeSelector, SelectorOperator, SelectorRequirement


def selects(template: JobTemplate, *, node_name: str | None, node_labels: Mapping[str, str] | None) -> bool | None:
    """
    Tell whether a job selects this node; None where that can't be told.

    It can't with a podSelector, with names while the node's name is not known (None), and with labels while its
    labels are not. No selector, like an empty one, selects every node; `names: []` selects none.
    """
    if template.pod_selector is not None:
        return None
    selector = template.selector
    if selector is None or selector == NodeSelector():
        return True
    if selector.names is not None:
        return _is_named(selector.names, node_name)
    if node_labels is None:
        return None
    return matches_labels(selector.match_labels, selector.match_expressions, labels=node_labels)


def matches_labels(
    match_labels: Mapping[str, str], match_expressions: tuple[SelectorRequirement, ...], *, labels: Mapping[str, str]
) -> bool:
    """Tell whether labels satisfy all of a selector (metav1.LabelSelector); nothing asked matches everything."""
    return all(labels.get(key) == value for key, value in match_labels.items()) and all(
        _satisfies(labels, requirement) for requirement in match_expressions
    )


def _is_named(names: tuple[str, ...], node_name: str | None) -> bool | None:
    if not names:
        return False
    return None if node_name is None else node_name in names


def _satisfies(labels: Mapping[str, str], requirement: SelectorRequirement) -> bool:
    value = labels.get(requirement.key)
    match requirement.operator:
        case SelectorOperator.IN:
            return value is not None and value in requirement.values
        case SelectorOperator.NOT_IN:
            # An absent label is none of the values, so it matches (labels.Requirement.Matches).
            return value is None or value not in requirement.values
        case SelectorOperator.EXISTS:
            return value is not None
        case SelectorOperator.DOES_NOT_EXIST:
            return value is None
