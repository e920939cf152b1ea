"""What may have to be written: sets that the fleet fills as it learns, and agenda.py empties as it decides."""

from daemon.coordinator.upkeep import Upkeep


class Todo:
    """
    Names and uids of what has to be looked at; that something stands here says only that it may be so.

    Attributes:
        dirty: jobs whose status may have to be written.
        hungry: jobs that may have a candidate and a free slot.
        suspects: nodes with entries that may have to change without a grant.
        upkeep: nodes whose NodeImage has to be made, deleted or labelled.
        silent: nodes in whose place a status has to be written.
        gates: nodes whose startup taint may have to go.
        ripe: finished jobs whose time to live is over.
        denied: jobs for which a node was denied an image.
        news: jobs that are new, changed or gone, for whoever looks after more than their nodes.
        lists: image lists that are new, changed or gone, as lists/book.py knows them.
        unread: nodes of which a request's outcome is not known.
    """

    def __init__(self) -> None:
        self.dirty: set[str] = set()
        self.hungry: set[str] = set()
        self.suspects: set[str] = set()
        self.upkeep: dict[str, Upkeep] = {}
        self.silent: set[str] = set()
        self.gates: set[str] = set()
        self.ripe: set[str] = set()
        self.denied: set[str] = set()
        self.news: set[str] = set()
        self.lists: set[str] = set()
        self.unread: set[str] = set()

    @property
    def has_writes(self) -> bool:
        """Whether anything but a job's status may have to be written."""
        return any((self.suspects, self.gates, self.silent, self.ripe, self.hungry, self.upkeep))

    def forget_node(self, name: str) -> None:
        """Drop everything about a node that is no more."""
        self.upkeep.pop(name, None)
        for names in (self.suspects, self.silent, self.gates, self.unread):
            names.discard(name)
