"""What a coordinator asks of the API server: one request as a value, and what became of it."""

from collections.abc import Callable
from enum import IntEnum, StrEnum
from typing import Protocol

import msgspec

from daemon.cluster.errors import ClusterError
from daemon.cluster.interface import RawApi, Write
from daemon.coordinator.lists.seen import SeenList
from daemon.coordinator.seen import SeenJob, SeenNode, SeenNodeImage


class Urgency(IntEnum):
    """Which of several writes gets a token of the budget; the lowest first."""

    WITHDRAWAL = 0
    GATE = 1
    LIST = 2
    STATUS = 3
    GRANT = 4
    UPKEEP = 5
    READ = 6


class About(StrEnum):
    """What kind of object a request is about, and so what its answer is."""

    NODE_IMAGE = "nodeimage"
    NODE = "node"
    JOB = "job"
    LIST = "list"
    CHILD = "child"
    FINALIZER = "finalizer"
    SECRET = "secret"  # noqa: S105  a kind, no password


class Errand(Protocol):
    """Several requests in one, such as to read a Secret and write its copy: a sender does them one after another."""

    def run(self, api: RawApi, *, may_send: Callable[[], bool], timeout_seconds: float) -> object:
        """
        Do them, and return what they came to; `may_send` is asked again before a write.

        Raises:
            ClusterError: one was refused, or the API server is away.
        """
        ...


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """
    One request.

    Attributes:
        urgency: its class.
        about: the kind of its object.
        subject: the node's name, the job's or list's uid, or what a side knows its own by.
        path: of the object; read where there is no `write`.
        write: what is written; None reads.
        grants: the jobs that get a grant by it.
        is_removal: the object is gone when it succeeds.
        tested: what the write tests: uid, generation, and resourceVersion or 0.
        errand: is done in the place of a single request.
    """

    urgency: Urgency
    about: About
    subject: str
    path: str
    write: Write | None = None
    grants: frozenset[str] = frozenset()
    is_removal: bool = False
    tested: tuple[str, int, int] = ("", 0, 0)
    errand: Errand | None = None


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """
    What became of a request.

    `seen` is the answer, `answer` that of an errand; None where it failed, or the object is gone. `was_sent` is False
    where nothing was sent, since this coordinator may no longer lead.
    """

    request: Request
    seen: SeenNodeImage | SeenNode | SeenJob | SeenList | None = None
    answer: object = None
    error: ClusterError | None = None
    was_sent: bool = True
