"""
Tells the cluster of a node's ends: events on its NodeImage, and on the jobs that own the entry where that is wanted.

It is an Observer of the node's loop and only hands on; sending, limits and failures are the recorder's. What an earlier
process reached is not told again, and a pull that brought nothing new is no event: a nightly refresh of an unchanged
image must not fill a cluster with them.
"""

from collections.abc import Iterator
from typing import Final, Protocol

import msgspec

from daemon.api.findings import printable
from daemon.api.nodeimage import Phase
from daemon.api.reasons import Word
from daemon.clock import Moment
from daemon.cluster.recorder import Regarding
from daemon.node.task import NodeState, Task


SUCCEEDED: Final = "PullImageSucceed"
FAILED: Final = "PullImageFailed"
OTHER_DAEMON: Final = str(Word.OTHER_DAEMON)
_JOB: Final = "ImagePullJob"


class Recorder(Protocol):
    """Where events go: never blocks, never raises."""

    def record(self, regarding: Regarding, *, kind: str, reason: str, note: str, action: str) -> None:
        """Send an event of type `kind` ("Normal", "Warning")."""
        ...


class Announcement(msgspec.Struct, frozen=True, kw_only=True):
    """One thing to tell, before it is known whom: the event's type, reason and note, and whose entry it was."""

    kind: str
    reason: str
    note: str
    task: Task


class Announcer:
    """
    Announces the ends of one node's pulls; an Observer of its loop.

    Args:
        recorder: takes the events.
        node_name: the NodeImage's name.
        has_owner_events: whether owners hear of failures too, as OpenKruise's daemon tells them.
    """

    def __init__(self, recorder: Recorder, *, node_name: str, has_owner_events: bool) -> None:
        self._recorder = recorder
        self._node_name = node_name
        self._has_owner_events = has_owner_events
        self._api_version = ""

    def served(self, api_version: str) -> None:
        """Take the version that the API server serves, such as apps.kruise.io/v1beta1."""
        self._api_version = api_version

    def changed(self, before: NodeState, after: NodeState, *, now: Moment) -> None:
        """Announce the ends between two states."""
        del now
        for announcement in announcements(before, after):
            for regarding in self._concerned(announcement.task, uid=after.uid):
                self._recorder.record(
                    regarding,
                    kind=announcement.kind,
                    reason=announcement.reason,
                    note=announcement.note,
                    action="PullImage",
                )

    def other_daemon(self, words: str, uid: str) -> None:
        """Announce that another daemon writes the status too; CRDs of OpenKruise's have no condition to say it in."""
        self._recorder.record(
            self._node_image(uid), kind="Warning", reason=OTHER_DAEMON, note=words, action="WriteStatus"
        )

    def _node_image(self, uid: str) -> Regarding:
        return Regarding(api_version=self._api_version, kind="NodeImage", name=self._node_name, uid=uid)

    def _concerned(self, task: Task, *, uid: str) -> Iterator[Regarding]:
        yield self._node_image(uid)
        if not self._has_owner_events or task.phase is not Phase.FAILED:
            return
        for owner in task.wanted.owners:
            if owner.kind == _JOB:
                yield Regarding(
                    api_version=owner.api_version,
                    kind=owner.kind,
                    namespace=owner.namespace,
                    name=owner.name,
                    uid=owner.uid,
                )


def announcements(before: NodeState, after: NodeState) -> Iterator[Announcement]:
    """Tell each end that was reached between two states, but for pulls that brought nothing."""
    for key, task in after.tasks.items():
        earlier = before.tasks.get(key)
        if _has_just_ended(earlier, task):
            yield from _of(task, is_refill=earlier is not None and earlier.is_refill)


def _has_just_ended(before: Task | None, task: Task) -> bool:
    if not task.is_ended or task.is_adopted or before is task:
        return False
    return before is None or not before.is_ended or before.wanted.version != task.wanted.version


def _of(task: Task, *, is_refill: bool) -> Iterator[Announcement]:
    # An entry that names no image is told in its own words, whatever they are.
    image = printable(task.wanted.image)
    if task.phase is Phase.FAILED:
        note = f"{image}: {task.reason}: {task.message}"
        yield Announcement(kind="Warning", reason=FAILED, note=note, task=task)
    elif task.is_changed:
        # In words of its own, or the recorder would drop it as a repetition of the pull before.
        what = "removed from the node, pulled again" if is_refill else "pulled"
        yield Announcement(kind="Normal", reason=SUCCEEDED, note=f"{image}: {what}{_seconds(task)}", task=task)


def _seconds(task: Task) -> str:
    if task.started_at is None or task.completed_at is None:
        return ""
    return f" in {max(0.0, (task.completed_at - task.started_at).total_seconds()):.1f} s"
