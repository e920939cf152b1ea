"""
The parts of a coordinator, put together: who hears from whom.

Nothing runs yet when this returns. Threads, and the order in which they end, are command.py's; in an agent with
--with-coordinator they are the agent's.
"""

from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from daemon import __version__
from daemon.beside.lookout import Lookout
from daemon.clock import Clock
from daemon.cluster.access import Access
from daemon.cluster.interface import Telemetry
from daemon.cluster.lease import LeaderElection
from daemon.cluster.recorder import EventRecorder
from daemon.cluster.transport import HttpApi
from daemon.config import CoordinatorSettings
from daemon.coordinator.budget import Budget
from daemon.coordinator.journal import Journal
from daemon.coordinator.leading import Leading
from daemon.coordinator.lists.journal import ListJournal
from daemon.coordinator.neighbours import Neighbours
from daemon.coordinator.sending import SENDERS
from daemon.coordinator.term import Term
from daemon.coordinator.view import View
from daemon.coordinator.watchman import Watchman
from daemon.coordinator.witness import Ears, Witness
from daemon.observe import logs
from daemon.observe.answer import Answer
from daemon.observe.coordinator_metrics import CoordinatorMetrics
from daemon.observe.health import Check


USER_AGENT: Final = f"prewarm-coordinator/{__version__}"
CONTROLLER: Final = "prewarm.internal/coordinator"


class Assembly(msgspec.Struct, frozen=True, kw_only=True):
    """A coordinator that does not run yet; `alive` are the checks of its liveness."""

    settings: CoordinatorSettings
    api: HttpApi
    election: LeaderElection
    lookout: Lookout
    lookout_api: HttpApi
    recorder: EventRecorder
    routes: Mapping[str, Callable[[], Answer]]
    alive: Mapping[str, Check]


def assembled(
    settings: CoordinatorSettings,
    *,
    access: Access,
    died: Callable[[str, BaseException], None],
    clock: Clock,
    has_process: bool = True,
) -> Assembly:
    """
    Put a coordinator together.

    Args:
        settings: how it was started.
        access: its API server, and who it is to that.
        died: hears that a part has died, by its thread's name.
        clock: the time.
        has_process: whether the process's own figures are among its metrics.

    Raises:
        NoAccess: the API server's address or certificates are of no use.
    """
    log = logs.logger()
    journal = Journal(log)
    watchman = Watchman(log, clock=clock)
    view = View(settings, leader=lambda: election.leader, watchman=watchman, clock=clock)
    metrics = CoordinatorMetrics(version=__version__, figures=view.figures, has_process=has_process)

    def requested(verb: str, resource: str, code: str) -> None:
        witness.requested(verb, resource, code)

    telemetry = Telemetry(requested=requested, restarted=metrics.watch_restarted)
    api = HttpApi(access, user_agent=USER_AGENT, telemetry=telemetry, kept_connections=SENDERS)
    budget = Budget(rate=settings.write_rate, clock=clock)
    recorder = EventRecorder(
        api,
        controller=CONTROLLER,
        instance=settings.identity,
        dropped=metrics.event_dropped,
        failed=watchman.event_failed,
        admit=budget.spare_seconds,
    )
    witness = Witness(
        Ears(journal=journal, lists=ListJournal(log), metrics=metrics, view=view, watchman=watchman, recorder=recorder),
        identity=settings.identity,
        leader=lambda: election.leader,
        gate_deadline_seconds=settings.gate_deadline_seconds,
        clock=clock,
    )

    def new_term() -> Term:
        return Term(
            api.separate(),
            settings=settings,
            budget=budget,
            may_send=election.may_send,
            witness=witness,
            telemetry=telemetry,
            died=died,
            clock=clock,
        )

    def turned() -> None:
        election.wake()

    # Apart from the rest: what it hears of another's Lease says nothing of ours.
    lookout_api = HttpApi(
        access,
        user_agent=USER_AGENT,
        telemetry=Telemetry(requested=metrics.api_requested),
        kept_connections=1,
    )
    lookout = Lookout(
        lookout_api,
        namespace=settings.lease_namespace,
        listener=Neighbours(journal=journal, metrics=metrics, view=view, watchman=watchman),
        turned=turned,
        clock=clock,
    )
    election = LeaderElection(
        api,
        namespace=settings.lease_namespace,
        identity=settings.identity,
        listener=Leading(new_term=new_term, changed=witness.leadership_changed),
        clock=clock,
        missed=watchman.lease_failed,
        permitted=lookout.permits,
    )
    return Assembly(
        settings=settings,
        api=api,
        election=election,
        lookout=lookout,
        lookout_api=lookout_api,
        recorder=recorder,
        routes=view.routes(metrics),
        alive=view.alive,
    )
