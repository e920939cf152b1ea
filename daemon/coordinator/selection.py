"""
Which nodes and Pods a job selects, asked a hundred thousand times: each selector is prepared once.

What a selector means is daemon/api/selector.py's. `names: []` selects no node and `{}` every one, on every path:
OpenKruise's watch misses the latter, so that new nodes stay cold.
"""

from collections.abc import Mapping
from typing import Final

import msgspec

from daemon.api.imagepulljob import JobTemplate, LabelSelector, NodeSelector, SelectorRequirement
from daemon.api.selector import matches_labels


class _Prepared(msgspec.Struct, frozen=True, kw_only=True):
    """
    A selector ready to be asked.

    `of` is what it was made of, kept so that its id is no one else's meanwhile. `names` None: by labels.
    """

    of: NodeSelector | LabelSelector
    names: frozenset[str] | None = None
    match_labels: tuple[tuple[str, str], ...] = ()
    match_expressions: tuple[SelectorRequirement, ...] = ()


_MOST_PREPARED: Final = 4_096
_PREPARED: Final[dict[int, _Prepared]] = {}
_NO_LABELS: Final[dict[str, str]] = {}


def selects_node(template: JobTemplate, *, name: str, labels: Mapping[str, str]) -> bool | None:
    """Tell whether a job selects a node by its name or labels; None with a podSelector, which asks where Pods run."""
    if template.pod_selector is not None:
        return None
    if template.selector is None:
        return True
    prepared = _prepared(template.selector)
    return _has_labels(prepared, labels) if prepared.names is None else name in prepared.names


def matches(selector: LabelSelector, labels: Mapping[str, str]) -> bool:
    """Tell whether labels, such as a Pod's, satisfy a selector; an empty one matches everything."""
    return _has_labels(_prepared(selector), labels)


def _has_labels(prepared: _Prepared, labels: Mapping[str, str]) -> bool:
    for key, value in prepared.match_labels:
        if labels.get(key) != value:
            return False
    expressions = prepared.match_expressions
    return not expressions or matches_labels(_NO_LABELS, expressions, labels=labels)


def _prepared(selector: NodeSelector | LabelSelector) -> _Prepared:
    found = _PREPARED.get(id(selector))
    return found if found is not None else _prepare(selector)


def _prepare(selector: NodeSelector | LabelSelector) -> _Prepared:
    names = selector.names if isinstance(selector, NodeSelector) else None
    found = _Prepared(
        of=selector,
        names=None if names is None else frozenset(names),
        match_labels=tuple(selector.match_labels.items()),
        match_expressions=selector.match_expressions,
    )
    if len(_PREPARED) >= _MOST_PREPARED:
        _PREPARED.clear()
    _PREPARED[id(selector)] = found
    return found
