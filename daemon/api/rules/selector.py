"""The rules of selectors: nodes by name or by label, Pods by label (metav1.LabelSelector)."""

from typing import Final

from daemon.api.fields import Field
from daemon.api.imagepulljob import LabelSelector, NodeSelector, SelectorOperator, SelectorRequirement
from daemon.api.names import check_dns_subdomain, check_label_key, check_label_value


_LABEL_PARTS: Final = ("matchLabels", "matchExpressions")
_WITH_VALUES: Final = (SelectorOperator.IN, SelectorOperator.NOT_IN)
_WITHOUT_VALUES: Final = (SelectorOperator.EXISTS, SelectorOperator.DOES_NOT_EXIST)


def read_node_selector(field: Field) -> NodeSelector | None:
    """
    Read spec.selector: names or labels, not both.

    `names: []` is allowed and selects no node, with a warning: OpenKruise's own write-back drops the empty list, which
    leaves a selector of every node.
    """
    if not field.is_present or not field.is_object(("names", *_LABEL_PARTS)):
        return None
    names = field.child("names")
    if names.is_present and any(field.child(part).is_present for part in _LABEL_PARTS):
        names.forbidden("may not be set together with matchLabels or matchExpressions")
    if names.value == []:
        names.warn(f"{names.label}: an empty list selects no node")
    return NodeSelector(
        names=_names(names) if names.is_present else None,
        match_labels=_match_labels(field.child("matchLabels")),
        match_expressions=_match_expressions(field.child("matchExpressions")),
    )


def read_label_selector(field: Field) -> LabelSelector | None:
    """Read a selector of labels alone; an empty one matches everything."""
    if not field.is_present or not field.is_object(_LABEL_PARTS):
        return None
    return LabelSelector(
        match_labels=_match_labels(field.child("matchLabels")),
        match_expressions=_match_expressions(field.child("matchExpressions")),
    )


def _names(field: Field) -> tuple[str, ...]:
    found: dict[str, None] = {}
    for item in field.items():
        name = item.required_string()
        check_dns_subdomain(item, name)
        if name and name in found:
            item.duplicate()
        found[name] = None
    return tuple(found)


def _match_labels(field: Field) -> dict[str, str]:
    for key, inner in field.entries().items():
        check_label_key(inner, key)
        if isinstance(inner.value, str):
            check_label_value(inner, inner.value)
    return field.string_map()


def _match_expressions(field: Field) -> tuple[SelectorRequirement, ...]:
    return tuple(_requirement(item) for item in field.items())


def _requirement(field: Field) -> SelectorRequirement:
    if not field.is_object(("key", "operator", "values")):
        return SelectorRequirement(key="", operator=SelectorOperator.EXISTS)
    key = field.child("key").required_string()
    if key:
        check_label_key(field.child("key"), key)
    return SelectorRequirement(key=key, operator=_operator(field), values=_values(field))


def _operator(field: Field) -> SelectorOperator:
    operator = field.child("operator")
    if not operator.is_present or operator.value == "":
        operator.required()
        return SelectorOperator.EXISTS
    return operator.choice(SelectorOperator.EXISTS)


def _values(field: Field) -> tuple[str, ...]:
    operator, values = field.child("operator").value, field.child("values")
    items = values.items()
    if operator in _WITH_VALUES and not items and not (values.is_present and not isinstance(values.value, list)):
        values.required('must be specified when operator is "In" or "NotIn"')
    elif operator in _WITHOUT_VALUES and items:
        values.forbidden('may not be specified when operator is "Exists" or "DoesNotExist"')
    for item in items:
        check_label_value(item, item.value if isinstance(item.value, str) else "")
    return tuple(item.optional_string() or "" for item in items)
