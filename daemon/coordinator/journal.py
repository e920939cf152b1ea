"""
What happens in a coordinator as lines of its log: one for each thing that happened, one a job in ten seconds for how
far it is.

Said by the difference of two statuses, as events are, so that a coordinator that starts repeats nothing. Failures of
the API server are watchman.py's.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final

from daemon.beside.verdict import Finding, Row
from daemon.cluster.errors import ClusterError
from daemon.coordinator.account import Account
from daemon.coordinator.announcer import REFRESH_FINISHED, REFRESH_STARTED, STALLED_EVENT, events_of
from daemon.coordinator.conditions import FAILED, condition, conditions_in
from daemon.coordinator.jobfields import time_in
from daemon.coordinator.requests import Request
from daemon.coordinator.seen import SeenJob
from daemon.observe.logs import Logger


PROGRESS_SECONDS: Final = 10.0
REFUSED_SECONDS: Final = 60.0
_MOST_REFUSED: Final = 1_024

_LINES: Final = {
    REFRESH_STARTED: "refresh_started",
    REFRESH_FINISHED: "refresh_finished",
    STALLED_EVENT: "job_stalled",
}


class Journal:
    """
    Writes down what the loop tells, in its thread.

    Args:
        log: where it goes.
    """

    def __init__(self, log: Logger) -> None:
        self._log = log
        self._told_seconds: dict[str, float] = {}
        self._refused_seconds: dict[str, float] = {}

    def leadership_won(self, *, identity: str) -> None:
        """This coordinator leads."""
        self._log.info("leadership_won", identity=identity)

    def leadership_lost(self, *, identity: str, leader: str) -> None:
        """It does no longer, and nothing of it is sent any more."""
        self._told_seconds.clear()
        self._refused_seconds.clear()
        self._log.warning("leadership_lost", identity=identity, leader=leader)

    def beside_changed(self, finding: Finding) -> None:
        """Something else is seen of OpenKruise than before, and with it who serves the jobs."""
        is_well = finding.row is Row.ALONE and not finding.notes
        level = self._log.info if is_well else self._log.warning
        level(
            "beside_openkruise",
            row=finding.row.value,
            stands_aside=finding.stands_aside,
            summary=finding.summary,
            ways=[str(way) for way in finding.ways],
        )

    def term_began(self, *, api_version: str) -> None:
        """The watches begin."""
        self._log.info("term_began", api_version=api_version)

    def synced(self, *, jobs: int, nodes: int) -> None:
        """Everything is listed: it acts from now on."""
        self._log.info("synced", jobs=jobs, nodes=nodes)

    def status_written(
        self,
        job: SeenJob,
        earlier: Mapping[str, object],
        later: Mapping[str, object],
        account: Account,
        *,
        now_seconds: float,
    ) -> None:
        """Tell what became of a job, by a status that was written."""
        name = f"{job.namespace}/{job.name}"
        for event in events_of(job, earlier, later, account):
            if event.reason in _LINES:
                level = self._log.warning if event.reason == STALLED_EVENT else self._log.info
                level(_LINES[event.reason], job=name, note=event.note)
        if "completionTime" in later and "completionTime" not in earlier:
            self._finished(job, later, account)
        elif self._is_due(job.uid, earlier=earlier, later=later, now_seconds=now_seconds):
            self._log.info(_course(earlier, later), job=name, **_counts(account), message=str(later.get("message")))

    def gate_opened(self, node: str, *, reason: str, cold: tuple[str, ...]) -> None:
        """A node's startup taint is off."""
        level = self._log.warning if reason == "deadline" else self._log.info
        level("gate_opened_cold" if reason == "deadline" else "gate_opened", node=node, reason=reason, cold=list(cold))

    def write_refused(self, request: Request, error: ClusterError, *, now_seconds: float) -> None:
        """The API server refuses what is to be written, also after a fresh look; told once a minute for one object."""
        if now_seconds < self._refused_seconds.get(request.path, float("-inf")) + REFUSED_SECONDS:
            return
        if len(self._refused_seconds) >= _MOST_REFUSED:
            self._refused_seconds.clear()
        self._refused_seconds[request.path] = now_seconds
        self._log.error(
            "write_refused",
            about=request.about.value,
            path=request.path,
            error=type(error).__name__,
            message=error.message,
        )

    def secret_copied(self, source: str, *, copy: str) -> None:
        """The copy of a pull secret (namespace/name) was made, or follows its source."""
        self._log.info("secret_copied", source=source, copy=copy)

    def secret_released(self, source: str, *, copy: str) -> None:
        """A copy was deleted: no job uses it any more, or its source is gone."""
        self._log.info("secret_released", source=source, copy=copy)

    def secret_troubled(self, source: str, *, state: str, words: str) -> None:
        """A pull secret can't be had; told once until that changes."""
        self._log.warning("secret_unavailable", source=source, state=state, message=words)

    def secrets_unlisted(self, error: ClusterError) -> None:
        """The copies can't be listed, so some may stay that nobody needs."""
        self._log.warning("secret_copies_unlisted", error=type(error).__name__, message=error.message)

    def passed_over(self, resource: str, *, name: str, problem: str) -> None:
        """An object can't be read; the rest is served."""
        self._log.warning("object_passed_over", resource=resource, name=name, problem=problem)

    def _finished(self, job: SeenJob, later: Mapping[str, object], account: Account) -> None:
        self._told_seconds.pop(job.uid, None)
        failed = condition(conditions_in(later), FAILED)
        level: Callable[..., None] = self._log.warning if failed.get("status") == "True" else self._log.info
        level(
            "job_finished",
            job=f"{job.namespace}/{job.name}",
            reason=str(failed.get("reason", "")),
            seconds=_seconds(time_in(later, "startTime"), time_in(later, "completionTime")),
            **_counts(account),
            message=str(later.get("message", "")),
        )

    def _is_due(
        self, uid: str, *, earlier: Mapping[str, object], later: Mapping[str, object], now_seconds: float
    ) -> bool:
        """Tell a job's begin, and how far it is each ten seconds; what changes nothing of that is no line."""
        if not earlier.get("startTime") or earlier.get("startTime") != later.get("startTime"):
            self._tell(uid, now_seconds=now_seconds)
            return True
        is_news = earlier.get("message") != later.get("message")
        if not is_news or now_seconds < self._told_seconds.get(uid, float("-inf")) + PROGRESS_SECONDS:
            return False
        self._tell(uid, now_seconds=now_seconds)
        return True

    def _tell(self, uid: str, *, now_seconds: float) -> None:
        """Note a line, and forget those that keep back no other any more: their jobs may be gone."""
        kept = {other: at for other, at in self._told_seconds.items() if now_seconds < at + PROGRESS_SECONDS}
        self._told_seconds = {**kept, uid: now_seconds}


def _course(earlier: Mapping[str, object], later: Mapping[str, object]) -> str:
    return "job_progress" if earlier.get("startTime") == later.get("startTime") else "job_began"


def _counts(account: Account) -> dict[str, object]:
    return {
        "selected": account.selected,
        "warm": account.warm,
        "stale": account.stale,
        "cold": account.cold,
        "skipped": account.skipped,
        "waiting": account.waiting,
        "active": account.granted + account.pulling,
        "failed": account.failed,
    }


def _seconds(begun: datetime | None, ended: datetime | None) -> float | None:
    return (ended - begun).total_seconds() if begun is not None and ended is not None else None
