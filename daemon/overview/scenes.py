"""
What is looked at, and the document that it gives: all jobs, one job with its nodes, a list with its jobs, or a node.

A scene names the collections that it needs; reading them once (command.py) or keeping them right (following.py) is
others'. What a person may not read is left out of the document, with a note, where the rest says enough.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Protocol

import msgspec

from daemon.cluster.errors import NotFound
from daemon.config import Subject
from daemon.coordinator import decoding
from daemon.coordinator.seen import SeenNode
from daemon.overview.documents import (
    Document,
    Job,
    JobDocument,
    JobNode,
    JobsDocument,
    ListDocument,
    NodeDocument,
)
from daemon.overview.jobs import in_order, job_of, list_of
from daemon.overview.nodeimages import NodeFacts, bare_node_of, facts_of, node_of
from daemon.overview.notes import denied, gone, unreadable
from daemon.overview.reading import JOBS, LISTS, NODE_IMAGES, NODES_PATH, Collection, Kinds
from daemon.overview.standings import JobFacts, job_facts_of, needs_nodes, nodes_of
from daemon.overview.words import counted


class Part(msgspec.Struct, frozen=True, eq=False):
    """A collection that a scene reads; without one that is not needed it still has a document."""

    collection: Collection[Any]
    is_needed: bool = True


class Scene(Protocol):
    """Something that can be looked at."""

    def parts(self) -> Sequence[Part]:
        """Return what has to be read; what was read may ask for more."""
        ...

    def document(self, now: datetime) -> Document:
        """
        Return what is known.

        Raises:
            NotFound: what it is about is gone.
        """
        ...


class AllJobs:
    """Every job and list of a namespace, or of all; `only` leaves it at the one kind."""

    def __init__(self, kinds: Kinds, *, namespace: str | None, only: Subject | None = None) -> None:
        self._namespace = namespace
        self._only = only
        self._jobs = Collection(kinds.path(JOBS, namespace=namespace), decode=job_of)
        self._lists: Collection[Job] | None = None
        if kinds.has(LISTS) or only is Subject.LIST:
            self._lists = Collection(kinds.path(LISTS, namespace=namespace), decode=list_of)

    def parts(self) -> Sequence[Part]:
        """Return the jobs, and the lists where the server has some: they have the order of their jobs."""
        jobs = [] if self._only is Subject.LIST else [Part(self._jobs)]
        is_needed = self._only is Subject.LIST
        return [*jobs, *([Part(self._lists, is_needed=is_needed)] if self._lists is not None else [])]

    def document(self, now: datetime) -> JobsDocument:
        """Return the jobs by namespace and name, a list before the jobs of its images in its order."""
        lists = self._lists.values() if self._lists is not None else ()
        found = in_order(() if self._only is Subject.JOB else lists, jobs=self._jobs.values(), known=lists)
        notes = (*denied(self._lists, what="ImageListPullJobs"), *unreadable(self._jobs, what="ImagePullJob"))
        return JobsDocument(time=now, namespace=self._namespace, jobs=found, notes=notes)


class OneJob:
    """One job with its nodes."""

    def __init__(self, kinds: Kinds, *, namespace: str, name: str) -> None:
        self._what = f"ImagePullJob {namespace}/{name}"
        self._job = Collection(
            kinds.path(JOBS, namespace=namespace), decode=job_facts_of, query={"fieldSelector": f"metadata.name={name}"}
        )
        self._images = Collection(kinds.path(NODE_IMAGES), decode=facts_of)
        self._nodes: Collection[SeenNode] = Collection(NODES_PATH, decode=decoding.node_of)

    def parts(self) -> Sequence[Part]:
        """Return the job and the NodeImages, and the Nodes where only they tell which are left out."""
        job = next(iter(self._job.values()), None)
        nodes = [Part(self._nodes, is_needed=False)] if job is not None and needs_nodes(job.job) else []
        return [Part(self._job), Part(self._images, is_needed=False), *nodes]

    def document(self, now: datetime) -> JobDocument:
        """Return the job, and where each of its nodes stands."""
        facts = next(iter(self._job.values()), None)
        if facts is None:
            raise NotFound(gone(self._job, self._what), code=404)
        nodes = {node.name: node for node in self._nodes.values()} if self._nodes.is_listed else None
        found = nodes_of(facts.seen, facts.job, facts=self._images.values(), nodes=nodes, now=now)
        return JobDocument(time=now, job=facts.job, nodes=found, notes=self._notes(facts, found))

    def _notes(self, facts: JobFacts, found: Sequence[JobNode]) -> tuple[str, ...]:
        job = facts.seen.job
        notes = [*facts.seen.problems, *unreadable(self._images, what="NodeImage")]
        if self._images.error is not None and not self._images.is_listed:
            return (*notes, *denied(self._images, what="NodeImages", lost="its nodes are named as its status does"))
        if job is not None and job.template.pod_selector is not None:
            notes.append("its nodes are chosen by podSelector: those without an entry yet are counted, and not named")
        unnamed = facts.job.nodes.skipped - sum(node.group == "skipped" for node in found) if facts.job.nodes else 0
        if unnamed > 0 and needs_nodes(facts.job):
            words = (
                f"{counted(unnamed, 'skipped node')} can't be told from cold ones here without the right to list Nodes"
            )
            notes += [words] if not self._nodes.is_listed else []
        return tuple(notes)


class OneList:
    """One list with the jobs of its images."""

    def __init__(self, kinds: Kinds, *, namespace: str, name: str) -> None:
        self._what = f"ImageListPullJob {namespace}/{name}"
        self._list = Collection(
            kinds.path(LISTS, namespace=namespace), decode=list_of, query={"fieldSelector": f"metadata.name={name}"}
        )
        self._jobs = Collection(kinds.path(JOBS, namespace=namespace), decode=job_of)

    def parts(self) -> Sequence[Part]:
        """Return the list, and the jobs of its namespace."""
        return [Part(self._list), Part(self._jobs, is_needed=False)]

    def document(self, now: datetime) -> ListDocument:
        """Return the list, and its jobs in the order of its images; a namesake's of earlier days are none of them."""
        found = next(iter(self._list.values()), None)
        if found is None:
            raise NotFound(gone(self._list, self._what), code=404)
        own = [job for job in self._jobs.values() if job.list_uid == found.uid]
        ordered = in_order((), jobs=own, known=(found,))
        return ListDocument(time=now, job=found, jobs=ordered, notes=denied(self._jobs, what="ImagePullJobs"))


class OneNode:
    """One node with its images."""

    def __init__(self, kinds: Kinds, *, name: str) -> None:
        self._what = f"NodeImage {name}"
        query = {"fieldSelector": f"metadata.name={name}"}
        self._image = Collection(kinds.path(NODE_IMAGES), decode=facts_of, query=query)
        self._node: Collection[SeenNode] = Collection(NODES_PATH, decode=decoding.node_of, query=query)

    def parts(self) -> Sequence[Part]:
        """Return its NodeImage, and the Node where it may be read."""
        return [Part(self._image), Part(self._node, is_needed=False)]

    def document(self, now: datetime) -> NodeDocument:
        """Return the node with everything that is wanted there; one without a NodeImage may be left out by its kind."""
        facts: NodeFacts | None = next(iter(self._image.values()), None)
        node = next(iter(self._node.values()), None)
        if facts is None:
            if node is None:
                raise NotFound(gone(self._image, self._what), code=404)
            return NodeDocument(time=now, node=bare_node_of(node, now=now), notes=(gone(self._image, self._what),))
        notes = denied(self._node, what="Nodes", lost="whether it is Ready is not known here")
        if self._node.is_listed and node is None and not facts.image.is_fake:
            notes = (*notes, "there is no Node of this name")
        return NodeDocument(time=now, node=node_of(facts, node=node, now=now), notes=notes)
