"""
What the watch of the node's own NodeImage means: what is wanted from now on, and what stands in its status.

It runs in the watch's thread and only hands on: to the node's loop, to the status writer. Status changes alone never
reach the loop, since only the spec says what is wanted.
"""

from collections.abc import Callable, Sequence
from typing import Final, Protocol

from daemon.api.nodeimage import NodeImage
from daemon.api.objects import read_object
from daemon.api.rules.nodeimage import read_node_image
from daemon.cluster.errors import ClusterError
from daemon.cluster.interface import Resource
from daemon.cluster.metadata import Identity
from daemon.node.wanted import Wanted, wanted_of


# No object, no wishes: whatever the node was about to bring is withdrawn.
NOTHING: Final = Wanted(uid="", generation=0, images=())


class InboundListener(Protocol):
    """Hears what the watch found, in its thread, for logs and health."""

    def node_image_found(self, *, uid: str, images: int) -> None:
        """The NodeImage is there, new or under another uid, with so many entries."""
        ...

    def node_image_missing(self) -> None:
        """There is no NodeImage of this node."""
        ...

    def entries_passed_over(self, problems: Sequence[str]) -> None:
        """Entries with these errors are left out; the rest is served."""
        ...

    def watch_failed(self, error: ClusterError) -> None:
        """A list or watch failed; what was wanted before still is."""
        ...


class Inbound:
    """
    The listener of the node's own NodeImage.

    Args:
        path: where the object is on the API server.
        want: takes what is wanted, such as NodeLoop.want.
        saw: takes the object as it stands, such as StatusWriter.saw.
        listener: hears what was found.
    """

    def __init__(
        self,
        path: str,
        *,
        want: Callable[[Wanted], None],
        saw: Callable[[str, Resource | None], None],
        listener: InboundListener,
    ) -> None:
        self._path = path
        self._want = want
        self._saw = saw
        self._listener = listener
        self._uid: str | None = None
        self._generation = -1
        self._problems: tuple[str, ...] = ()

    def listed(self, identities: Sequence[Identity]) -> None:
        """Take that there is no object; one that is there has been told by `applied`."""
        if not identities:
            self._miss()

    def applied(self, identity: Identity, resource: Resource) -> None:
        """Take the object: its status for the writer, and its spec for the loop where that has changed."""
        del identity
        parsed = read_object(resource, kind="NodeImage", read=read_node_image)
        if parsed.value is None:
            return
        self._saw(self._path, resource)
        node_image = parsed.value
        self._tell_problems(tuple(finding.text for finding in parsed.errors))
        if (node_image.uid, node_image.generation) != (self._uid, self._generation):
            self._take(node_image)

    def passed_over(self, identity: Identity, words: str) -> None:
        """Say that the object can't be read; what was wanted before still is."""
        del identity
        self._tell_problems((words,))

    def deleted(self, identity: Identity) -> None:
        """Take that the object is gone."""
        del identity
        self._miss()

    def missed(self, error: ClusterError) -> None:
        """Pass on that nothing is heard for now."""
        self._listener.watch_failed(error)

    def _take(self, node_image: NodeImage) -> None:
        wanted = wanted_of(node_image)
        is_other = node_image.uid != self._uid
        self._uid, self._generation = node_image.uid, node_image.generation
        if is_other:
            self._listener.node_image_found(uid=node_image.uid, images=len(wanted.images))
        self._want(wanted)

    def _miss(self) -> None:
        if self._uid == "":
            return
        self._uid, self._generation = "", -1
        self._saw(self._path, None)
        self._listener.node_image_missing()
        self._want(NOTHING)

    def _tell_problems(self, problems: tuple[str, ...]) -> None:
        if problems and problems != self._problems:
            self._listener.entries_passed_over(problems)
        self._problems = problems
