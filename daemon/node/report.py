"""
What a node says of itself, and when it is worth saying: a report at once when it matters, few otherwise.

Pure: who writes a report, and where, is agent/'s.
"""

import msgspec

from daemon.api.nodeimage import Bytes, Phase, TagStatus
from daemon.api.reasons import Reason
from daemon.node.task import NodeState, Task
from daemon.node.wanted import Key


SOON_SECONDS = 1.0
PROGRESS_SECONDS = 5.0
PROGRESS_PERCENT = 5
ALIVE_SECONDS = 60.0
# A proxy can answer with a page of HTML, and a NodeImage has many entries and at most 1.5 MiB.
LONGEST_MESSAGE = 1024
_SUSPENDED = "suspended by every job that wants it"


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """
    A node's answer to what is wanted: one status for each wanted tag, echoing its version.

    `runtime` is what answered last (containerd://2.3.7), `runtime_problem` says why it does not answer now,
    `space_problem` what a pull waits for on the disk; "" where nothing is wrong.
    """

    uid: str = ""
    generation: int = 0
    statuses: dict[Key, TagStatus] = {}
    runtime: str = ""
    is_runtime_up: bool = True
    runtime_problem: str = ""
    space_problem: str = ""

    @property
    def open_count(self) -> int:
        """How many tags have no answer yet."""
        return sum(1 for status in self.statuses.values() if not _is_ended(status))


class Pacing(msgspec.Struct, frozen=True, kw_only=True):
    """What was last written and when, and since when something else is true."""

    written: Report | None = None
    written_seconds: float = 0.0
    differs_since_seconds: float | None = None


def report_of(state: NodeState) -> Report:
    """Put a node's state into words."""
    return Report(
        uid=state.uid,
        generation=state.generation,
        statuses={key: status_of(task) for key, task in state.tasks.items()},
        runtime=state.runtime,
        is_runtime_up=state.is_runtime_up,
        runtime_problem=state.runtime_problem,
        space_problem=_space_problem(state),
    )


def _space_problem(state: NodeState) -> str:
    """Take the words of the first image that waits for space or has given up on it."""
    short = (task.message for task in state.tasks.values() if task.reason is Reason.DISK_LOW and not task.running)
    return next(short, "")


def status_of(task: Task) -> TagStatus:
    """Put one task into a tag status; a suspended task says so instead of what it waited for."""
    reason = reason_of(task)
    return TagStatus(
        tag=task.wanted.key.tag,
        phase=task.phase,
        version=task.wanted.version,
        progress=percent_of(task),
        start_time=task.started_at,
        completion_time=task.completed_at,
        image_id=task.image_id,
        message=_SUSPENDED if reason is Reason.SUSPENDED else task.message[:LONGEST_MESSAGE],
        reason=reason or "",
        attempt=_attempt_of(task),
        digest=task.digest,
        changed=task.is_changed,
        bytes=_bytes_of(task),
        stage=task.progress.stage if task.progress else "",
    )


def reason_of(task: Task) -> Reason | None:
    """Tell why a task failed or what it waits for; None where nothing is wrong."""
    return Reason.SUSPENDED if task.wanted.is_suspended and not task.is_ended else task.reason


def _attempt_of(task: Task) -> int:
    """
    Tell the attempt that pulls, or the last one that ended.

    One that has begun and not yet asked the registry is told with phase Pulling: whoever goes on from a status that
    says Waiting takes its attempts for spent, and would count that one twice.
    """
    has_only_begun = task.running is not None and task.phase is Phase.WAITING
    return max(0, task.attempt - 1) if has_only_begun else task.attempt


def percent_of(task: Task) -> int:
    """Tell how much of the image's bytes is here, 100 only when it is done."""
    if task.phase is Phase.SUCCEEDED:
        return 100
    if task.progress is None or not task.progress.bytes_total:
        return 0
    return min(99, 100 * task.progress.bytes_done // task.progress.bytes_total)


def _bytes_of(task: Task) -> Bytes | None:
    if task.progress is None or not task.progress.bytes_total:
        return None
    return Bytes(done=task.progress.bytes_done, total=task.progress.bytes_total)


def noted(pacing: Pacing, report: Report, *, now_seconds: float) -> Pacing:
    """Note since when a report differs, in more than progress, from what was written."""
    if not _differs(pacing.written, report):
        return msgspec.structs.replace(pacing, differs_since_seconds=None)
    if pacing.differs_since_seconds is not None:
        return pacing
    return msgspec.structs.replace(pacing, differs_since_seconds=now_seconds)


def wrote(report: Report, *, now_seconds: float) -> Pacing:
    """Start over from a report that has been written."""
    return Pacing(written=report, written_seconds=now_seconds)


def due_seconds(pacing: Pacing, report: Report) -> float | None:
    """
    Tell when a report is due: None while there is nothing to say.

    An end is due at once when nothing else is open; any other news a second after it came up; each 5 % of progress
    five seconds after the last write; and with a task open one a minute, as a sign of life.
    """
    if pacing.differs_since_seconds is not None:
        is_all_ended = report.open_count == 0
        return pacing.differs_since_seconds + (0.0 if is_all_ended else SOON_SECONDS)
    if pacing.written is None or report.open_count == 0:
        return None
    if _has_progressed(pacing.written, report):
        return pacing.written_seconds + PROGRESS_SECONDS
    return pacing.written_seconds + ALIVE_SECONDS


def _differs(written: Report | None, report: Report) -> bool:
    if written is None:
        return bool(report.statuses) or not report.is_runtime_up
    if _head(written) != _head(report):
        return True
    if written.statuses.keys() != report.statuses.keys():
        return True
    return any(
        _without_progress(written.statuses[key]) != _without_progress(report.statuses[key]) for key in written.statuses
    )


def _head(report: Report) -> tuple[str, int, str, bool, bool]:
    return report.uid, report.generation, report.runtime, report.is_runtime_up, bool(report.space_problem)


def _without_progress(status: TagStatus) -> TagStatus:
    return msgspec.structs.replace(status, progress=0, bytes=None, stage="")


def _has_progressed(written: Report, report: Report) -> bool:
    return any(
        abs(status.progress - written.statuses[key].progress) >= PROGRESS_PERCENT
        for key, status in report.statuses.items()
    )


def _is_ended(status: TagStatus) -> bool:
    return status.phase in {Phase.SUCCEEDED, Phase.FAILED}
