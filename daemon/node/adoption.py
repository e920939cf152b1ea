"""
What a new process takes over from the statuses in its NodeImage: ends that were reached, attempts that count.

Pure: a new task and a status in, a task out. That an adopted image really lies on the node is for a look to verify
(warmth.py), since a status says nothing of what was removed meanwhile.
"""

from typing import Final

from msgspec.structs import replace

from daemon.api.nodeimage import Phase, TagStatus
from daemon.api.reasons import Reason
from daemon.node.task import Task


# Written in a silent agent's place, by a coordinator or by OpenKruise's manager: no answer of this node's.
_SAID_BY_OTHERS: Final = frozenset({Reason.NO_AGENT, Reason.AGENT_SILENT})
_SAID_BY_OPENKRUISE: Final = "node has not responded for a long time"


def adopted(task: Task, answer: TagStatus | None) -> Task:
    """
    Return a new task as it goes on from what was said of its version before.

    An end is taken over, so that a restart pulls nothing twice. Of an open one the attempts that had ended count; the
    one that ran is repeated.
    """
    if answer is None or answer.version != task.wanted.version:
        return task
    if is_said_in_silence(reason=answer.reason, message=answer.message):
        return task
    begun = replace(task, started_at=answer.start_time, image_id=answer.image_id, digest=answer.digest)
    if answer.phase in {Phase.SUCCEEDED, Phase.FAILED}:
        return _ended(begun, answer)
    ended_attempts = answer.attempt - 1 if answer.phase is Phase.PULLING else answer.attempt
    # One attempt at least is left: a process that died in its last one has no answer yet.
    return replace(begun, attempt=max(0, min(ended_attempts, task.attempts_allowed - 1)))


def is_said_in_silence(*, reason: str, message: str) -> bool:
    """Tell whether a tag status has the words that others write in a silent agent's place."""
    return reason in _SAID_BY_OTHERS or message == _SAID_BY_OPENKRUISE


def _ended(task: Task, answer: TagStatus) -> Task:
    return replace(
        task,
        phase=answer.phase,
        is_adopted=True,
        attempt=answer.attempt,
        completed_at=answer.completion_time,
        reason=_reason(answer.reason),
        message=answer.message,
        is_changed=answer.changed,
    )


def _reason(text: str) -> Reason | None:
    """Read a reason; kruise-daemon writes none, and a newer release may know others."""
    return Reason(text) if text in set(Reason) else None
