"""
What a runtime that is away means for the tasks that wait for it: a reason, so that a person need not guess.

Pure: tasks in, tasks out. That it is away is transitions.py's to note, and that nothing starts then, plan.py's.
"""

from msgspec.structs import replace

from daemon.api.nodeimage import Phase
from daemon.api.reasons import Reason
from daemon.node.task import Task


def held_up(task: Task, *, problem: str) -> Task:
    """Say of a task that waits for nothing else why it does not begin."""
    if task.phase is not Phase.WAITING or task.running is not None or task.reason is not None:
        return task
    return replace(task, reason=Reason.RUNTIME_UNAVAILABLE, message=problem)


def let_go(task: Task) -> Task:
    """Take that back once the runtime answers; a task whose attempt it has ended keeps what that came to."""
    is_held_up = task.phase is Phase.WAITING and task.running is None and not task.interruptions
    if not is_held_up or task.reason is not Reason.RUNTIME_UNAVAILABLE:
        return task
    return replace(task, reason=None, message="")
