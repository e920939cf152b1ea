"""What happens to lists as lines of the log; how far each of their jobs is, the coordinator's journal.py tells."""

from daemon.coordinator.announcer import STALLED_EVENT
from daemon.coordinator.conditions import FAILED, condition, conditions_in
from daemon.coordinator.jobfields import number
from daemon.coordinator.lists.announcing import list_events
from daemon.coordinator.lists.page import ListTold
from daemon.coordinator.lists.seen import SeenList
from daemon.observe.logs import Logger


class ListJournal:
    """
    Writes down what happens to lists, in the loop's thread.

    Args:
        log: where it goes.
    """

    def __init__(self, log: Logger) -> None:
        self._log = log

    def job_made(self, seen: SeenList, *, job: str, image: str) -> None:
        """An image's job was made."""
        self._log.info("list_job_created", list=_name(seen), job=job, image=image)

    def job_deleted(self, seen: SeenList, *, job: str) -> None:
        """A job was deleted that is no image's any more."""
        self._log.info("list_job_deleted", list=_name(seen), job=job)

    def job_refused(self, seen: SeenList, *, job: str, image: str, words: str) -> None:
        """An image's job can't be made."""
        self._log.warning("list_job_refused", list=_name(seen), job=job, image=image, message=words)

    def list_told(self, told: ListTold) -> None:
        """Tell a list's begin, its standstill and its end."""
        name, later = _name(told.seen), told.later
        if not told.earlier.get("startTime"):
            self._log.info("list_began", list=name, images=number(later, "desired"))
        for event in list_events(told):
            if event.reason == STALLED_EVENT:
                self._log.warning("list_stalled", list=name, note=event.note)
        if "completionTime" in later and "completionTime" not in told.earlier:
            failed = condition(conditions_in(later), FAILED)
            level = self._log.warning if failed.get("status") == "True" else self._log.info
            level(
                "list_finished",
                list=name,
                reason=str(failed.get("reason", "")),
                images=number(later, "desired"),
                succeeded=number(later, "succeeded"),
                message=str(failed.get("message", "")),
            )


def _name(seen: SeenList) -> str:
    return f"{seen.namespace}/{seen.name}"
