"""
The parts of a coordinator, put together: who hears from whom.

Nothing runs yet when this returns. Threads, and the order in which they end, are command.py's; in an agent with
--with-coordinator they are the agent's.
"""

from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from daemon import __version__
from daemon.clock import Clock
from daemon.cluster.access import Access
from daemon.cluster.interface import Telemetry
from daemon.cluster.lease import LeaderElection
from daemon.cluster.recorder import EventRecorder
from daemon.cluster.transport import HttpApi
from daemon.config import CoordinatorSettings
from daemon.coordinator.budget import Budget
from daemon.coordinator.leading import Leading
from daemon.coordinator.sending import SENDERS
from daemon.coordinator.term import Term
from daemon.coordinator.witness import Witness
from daemon.observe import logs
from daemon.observe.answer import Answer


USER_AGENT: Final = f"prewarm-coordinator/{__version__}"
CONTROLLER: Final = "prewarm.internal/coordinator"


class Assembly(msgspec.Struct, frozen=True, kw_only=True):
    """A coordinator that does not run yet."""

    settings: CoordinatorSettings
    api: HttpApi
    election: LeaderElection
    recorder: EventRecorder
    routes: Mapping[str, Callable[[], Answer]]


def assembled(
    settings: CoordinatorSettings, *, access: Access, died: Callable[[str, BaseException], None], clock: Clock
) -> Assembly:
    """
    Put a coordinator together.

    Args:
        settings: how it was started.
        access: its API server, and who it is to that.
        died: hears that a part has died, by its thread's name.
        clock: the time.

    Raises:
        NoAccess: the API server's address or certificates are of no use.
    """
    log = logs.logger()
    telemetry = Telemetry()
    api = HttpApi(access, user_agent=USER_AGENT, telemetry=telemetry, kept_connections=SENDERS)
    budget = Budget(rate=settings.write_rate, clock=clock)
    recorder = EventRecorder(api.separate(), controller=CONTROLLER, instance=settings.identity)
    witness = Witness(log, recorder=recorder, gate_deadline_seconds=settings.gate_deadline_seconds, clock=clock)

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

    election = LeaderElection(
        api,
        namespace=settings.lease_namespace,
        identity=settings.identity,
        listener=Leading(new_term=new_term, changed=lambda leads: log.info("leading" if leads else "not_leading")),
        clock=clock,
    )
    routes: dict[str, Callable[[], Answer]] = {
        "/healthz": lambda: Answer(body=b"ok\n"),
        "/readyz": lambda: Answer(body=b"ok\n"),
        "/state": lambda: Answer(
            body=msgspec.json.encode(
                {"leader": election.leader, "is_leading": election.is_leading, "is_acting": witness.is_acting}
            )
        ),
    }
    return Assembly(settings=settings, api=api, election=election, recorder=recorder, routes=routes)
