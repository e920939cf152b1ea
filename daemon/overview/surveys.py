"""
What a look at all nodes or all images of a cluster gives, as values: the parts of two documents.

Their fields are documented in docs/status.md, and only ever added to.
"""

from datetime import datetime

import msgspec


class AgentCount(msgspec.Struct, frozen=True, kw_only=True):
    """How many nodes have an agent of a version, the first of them by name; `version` "" where none has reported."""

    version: str = ""
    nodes: int = 0
    names: tuple[str, ...] = ()


class NodeLine(msgspec.Struct, frozen=True, kw_only=True):
    """
    One node among all: its agent, and where it stands for the jobs that select it.

    `warm`, `stale`, `cold` and `skipped` are jobs, together `jobs`; `not_warm` names those that are not warm there.
    `reason` is the commonest of them, or why the node is left out.
    """

    name: str
    agent: str = ""
    runtime: str = ""
    reported_at: datetime | None = None
    jobs: int = 0
    warm: int = 0
    stale: int = 0
    cold: int = 0
    skipped: int = 0
    pulling: int = 0
    waiting: int = 0
    failed: int = 0
    reason: str = ""
    message: str = ""
    not_warm: tuple[str, ...] = ()


class ReasonCount(msgspec.Struct, frozen=True, kw_only=True):
    """How often a reason is given, and one's words."""

    reason: str
    count: int = 0
    message: str = ""


class RegistryLine(msgspec.Struct, frozen=True, kw_only=True):
    """
    What comes of one registry's images.

    `failed` are pulls, one a node and image, that a node has failed or tries again, for `reasons` that are the
    registry's or the way's to it, the commonest first; `failed_on` are their nodes, of which `nodes` names the first.
    """

    registry: str
    images: int = 0
    pulling: int = 0
    failed: int = 0
    failed_on: int = 0
    reasons: tuple[ReasonCount, ...] = ()
    nodes: tuple[str, ...] = ()


class ImageLine(msgspec.Struct, frozen=True, kw_only=True):
    """
    One image among all.

    `wanted`, `here`, `pulling` and `failed` are nodes; `jobs` are those that want it, as NAMESPACE/NAME. `size` is one
    node's, and `total` all nodes', in bytes as the kubelets tell them; null where none does.
    """

    image: str
    registry: str = ""
    wanted: int = 0
    here: int = 0
    pulling: int = 0
    failed: int = 0
    size: int | None = None
    total: int | None = None
    jobs: tuple[str, ...] = ()
    reasons: tuple[ReasonCount, ...] = ()
