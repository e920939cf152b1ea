"""Which nodes have an agent, in which versions, and where two daemons run side by side. Pure."""

from collections import Counter
from collections.abc import Collection, Sequence
from typing import Final

from daemon.checkup.documents import Nodes, Version
from daemon.checkup.objects import ImageFacts, PodFacts


MOST_NAMES: Final = 10


def nodes_of(
    images: Sequence[ImageFacts], *, ours: Collection[PodFacts] | None, theirs: Collection[PodFacts] | None
) -> Nodes:
    """
    Count the nodes with an agent: one has reported in the NodeImage, or one of the DaemonSet's Pods runs there.

    Both are asked, since OpenKruise's CRDs keep no report, and an agent need not be a DaemonSet's.

    Args:
        images: all NodeImages; those that stand for no Node do not count.
        ours: the agent's Pods that run; None where they could not be read.
        theirs: kruise-daemon's, likewise.
    """
    by_pod = {pod.node: pod.version for pod in ours or ()}
    real = {image.name: image.agent_version for image in images if not image.is_fake}
    agents = {
        name: reported if reported is not None else by_pod[name]
        for name, reported in real.items()
        if reported is not None or name in by_pod
    }
    neither = sorted(set(real) - set(agents) - {pod.node for pod in theirs or ()})
    is_known = not neither or (ours is not None and theirs is not None)
    return Nodes(
        total=len(real),
        with_agent=len(agents),
        with_neither=len(neither) if is_known else None,
        neither=tuple(neither[:MOST_NAMES]) if is_known else (),
        versions=_versions(agents.values()),
    )


def shared_by(ours: Collection[PodFacts] | None, theirs: Collection[PodFacts] | None) -> tuple[str, ...] | None:
    """Find the nodes on which Pods of both daemons run; None where either's could not be read."""
    if ours is None or theirs is None:
        return None
    return tuple(sorted({pod.node for pod in ours} & {pod.node for pod in theirs}))


def _versions(versions: Collection[str]) -> tuple[Version, ...]:
    counts = sorted(Counter(versions).items(), key=lambda item: (-item[1], item[0]))
    return tuple(Version(version=version, nodes=count) for version, count in counts)
