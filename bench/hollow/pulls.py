"""
How a hollow pull goes: how long it lasts, how it ends, and on which nodes nobody answers at all. Pure.

A test gives a function of its own; the command makes one from its options.
"""

from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase

import msgspec

from bench.hollow.seen import ImageKey


class Pull(msgspec.Struct, frozen=True, kw_only=True):
    """One pull: it lasts so long, and fails where it has a reason."""

    seconds: float = 0.0
    reason: str = ""
    message: str = ""


Pulls = Callable[[str, ImageKey], Pull | None]
"""Tells the pull of an image on a node, None where the node says nothing of it."""


class Failing(msgspec.Struct, frozen=True, kw_only=True):
    """Nodes whose pulls end with a reason; `nodes` is a pattern such as n-1*."""

    nodes: str
    reason: str


def instant(_node: str, _key: ImageKey) -> Pull:
    """Have every image at once, as an agent has one that is there already."""
    return Pull()


def pulls_of(*, seconds: float = 0.0, failing: Sequence[Failing] = (), silent: Sequence[str] = ()) -> Pulls:
    """Return the pulls that the command's options ask for."""
    usual = Pull(seconds=seconds)

    def told(node: str, _key: ImageKey) -> Pull | None:
        if any(fnmatchcase(node, pattern) for pattern in silent):
            return None
        reason = next((one.reason for one in failing if fnmatchcase(node, one.nodes)), "")
        return Pull(seconds=seconds, reason=reason, message=f"{reason}: a hollow node fails") if reason else usual

    return told
