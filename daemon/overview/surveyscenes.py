"""
What is looked at without a name: all nodes, or all images of a cluster.

Jobs of all namespaces count, since a node serves them all. A person who may not read some of it sees the rest.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from daemon.coordinator import decoding
from daemon.coordinator.seen import SeenNode
from daemon.display.text import size
from daemon.overview.documents import ImagesDocument, NodesDocument
from daemon.overview.imagesurvey import bytes_beside, image_lines, registry_lines, sightings_of
from daemon.overview.kubelets import sizes_of
from daemon.overview.nodeimages import facts_of
from daemon.overview.nodesurvey import agent_counts, node_lines
from daemon.overview.notes import denied, unreadable
from daemon.overview.reading import JOBS, NODE_IMAGES, NODES_PATH, Collection, Kinds
from daemon.overview.scenes import Part
from daemon.overview.standings import job_facts_of


_LOST_NODES: Final = "whether they are Ready, and which have no NodeImage, is not known here"
_LOST_JOBS: Final = "what they want of nodes is not counted here"
_LOST_SIZES: Final = "sizes are not known here"


class AllNodes:
    """Every node, with its agent and where it stands for the jobs of all namespaces."""

    def __init__(self, kinds: Kinds) -> None:
        self._images = Collection(kinds.path(NODE_IMAGES), decode=facts_of)
        self._jobs = Collection(kinds.path(JOBS), decode=job_facts_of)
        self._nodes: Collection[SeenNode] = Collection(NODES_PATH, decode=decoding.node_of)

    def parts(self) -> Sequence[Part]:
        """Return the NodeImages, and the jobs and Nodes where they may be read."""
        return [Part(self._images), Part(self._jobs, is_needed=False), Part(self._nodes, is_needed=False)]

    def document(self, now: datetime) -> NodesDocument:
        """Return a line a node, and how many have which agent."""
        nodes = {node.name: node for node in self._nodes.values()} if self._nodes.is_listed else None
        lines = node_lines(self._jobs.values(), facts=self._images.values(), nodes=nodes, now=now)
        notes = (
            *denied(self._nodes, what="Nodes", lost=_LOST_NODES),
            *denied(self._jobs, what="ImagePullJobs", lost=_LOST_JOBS),
            *unreadable(self._jobs, what="ImagePullJob"),
            *unreadable(self._images, what="NodeImage"),
        )
        return NodesDocument(time=now, agents=agent_counts(lines), nodes=lines, notes=notes)


class AllImages:
    """Every image that NodeImages want, with its registry and its bytes."""

    def __init__(self, kinds: Kinds) -> None:
        self._images = Collection(kinds.path(NODE_IMAGES), decode=facts_of)
        self._nodes = Collection(NODES_PATH, decode=sizes_of)

    def parts(self) -> Sequence[Part]:
        """Return the NodeImages, and the Nodes, whose kubelets tell sizes, where they may be read."""
        return [Part(self._images), Part(self._nodes, is_needed=False)]

    def document(self, now: datetime) -> ImagesDocument:
        """Return a line an image and a line a registry."""
        seen, sizes = sightings_of(self._images.values()), self._nodes.values()
        beside = bytes_beside(seen, sizes=sizes)
        words = (f"images that no job wants take {size(beside)} more, of those that the kubelets name",)
        notes = (
            *(words if beside else ()),
            *denied(self._nodes, what="Nodes", lost=_LOST_SIZES),
            *unreadable(self._images, what="NodeImage"),
        )
        lines = image_lines(seen, sizes=sizes)
        return ImagesDocument(time=now, registries=registry_lines(seen), images=lines, notes=notes)
