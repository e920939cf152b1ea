"""
The parts of an agent, put together: who hears from whom.

Nothing runs yet when this returns, but the port is taken, so that an address that is in use is told before anything
starts. Threads, and the order in which they end, are command.py's.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import msgspec

from daemon import __version__
from daemon.agent.announcer import Announcer
from daemon.agent.document import AgentIdentity
from daemon.agent.inbound import Inbound
from daemon.agent.journal import Journal
from daemon.agent.measures import Measures
from daemon.agent.secrets import ClusterCredentials
from daemon.agent.view import View
from daemon.agent.watching import NodeImageWatch
from daemon.agent.watchman import Watchman
from daemon.agent.writer import StatusWriter
from daemon.clock import Clock, Moment
from daemon.cluster.access import Access
from daemon.cluster.interface import Telemetry
from daemon.cluster.recorder import EventRecorder
from daemon.cluster.transport import HttpApi
from daemon.config import AgentSettings
from daemon.credentials.sources import Credentials
from daemon.node.loop import NodeLoop, Observer
from daemon.node.settings import NodeSettings
from daemon.node.task import NodeState
from daemon.observe import logs
from daemon.observe.answer import Answer
from daemon.observe.health import Check
from daemon.observe.metrics import AgentMetrics
from daemon.observe.server import HttpServer
from daemon.runtime.awaited import awaited
from daemon.runtime.interface import ImageRuntime


USER_AGENT = f"prewarm-agent/{__version__}"
CONTROLLER = "prewarm.internal/agent"


class Assembly(msgspec.Struct, frozen=True, kw_only=True):
    """An agent that does not run yet."""

    settings: AgentSettings
    api: HttpApi
    runtime: ImageRuntime
    watch: NodeImageWatch
    loop: NodeLoop
    writer: StatusWriter
    recorder: EventRecorder
    server: HttpServer

    @property
    def works(self) -> dict[str, Callable[[], None]]:
        """What each thread does, by the thread's name."""
        return {
            "events": self.recorder.run,
            "status": self.writer.run,
            "loop": self.loop.run,
            "watch": self.watch.run,
        }


class Beside(msgspec.Struct, frozen=True, kw_only=True):
    """Something that runs in an agent's process: the checks of its liveness, and what it answers by path."""

    alive: Mapping[str, Check] = {}
    routes: Mapping[str, Callable[[], Answer]] = {}


ALONE: Final = Beside()


class _Everyone:
    """Tells several observers of the loop, in order."""

    def __init__(self, observers: Sequence[Observer]) -> None:
        self._observers = observers

    def changed(self, before: NodeState, after: NodeState, *, now: Moment) -> None:
        for observer in self._observers:
            observer.changed(before, after, now=now)


def assembled(
    settings: AgentSettings,
    *,
    access: Access,
    credentials: Credentials,
    clock: Clock,
    beside: Beside = ALONE,
) -> Assembly:
    """
    Put an agent together.

    Args:
        settings: how it was started.
        access: its API server, and who it is to that.
        credentials: what the node has beside the NodeImage's secrets.
        clock: the time.
        beside: what else runs in the process, and is shown on the same port.

    Raises:
        NoAccess: the API server's address or certificates are of no use.
        CannotListen: the address cannot be had.
    """
    log = logs.logger(node=settings.node_name)
    runtime = awaited(settings.runtime_endpoint)
    view = View(settings, runtime=runtime, started_at=clock.now().at, clock=clock)
    metrics = AgentMetrics(version=__version__, space=view.space)
    watchman = Watchman(log, metrics=metrics, clock=clock)
    telemetry = Telemetry(
        requested=metrics.api_requested, restarted=metrics.watch_restarted, opened=watchman.watch_heard
    )
    api = HttpApi(access, user_agent=USER_AGENT, telemetry=telemetry)
    recorder = _recorder(api, settings, watchman=watchman, metrics=metrics)
    announcer = Announcer(recorder, node_name=settings.node_name, has_owner_events=settings.has_owner_events)
    agent = AgentIdentity(version=__version__, started_at=view.started_at)
    writer = StatusWriter(api, agent=agent, clock=clock, listener=watchman, announce=announcer.other_daemon)
    loop = NodeLoop(
        runtime,
        credentials=ClusterCredentials(api, credentials=credentials, secret_namespace=settings.secret_namespace),
        observer=_Everyone([view, writer, announcer, Measures(metrics), Journal(log)]),
        clock=clock,
        settings=NodeSettings(role="agent", slots=settings.max_concurrent_pulls, min_free=settings.min_free),
    )
    watch = NodeImageWatch(
        api,
        node_name=settings.node_name,
        inbound=lambda path: Inbound(path, want=loop.want, saw=writer.saw, listener=watchman),
        served=announcer.served,
        missed=watchman.watch_failed,
        telemetry=telemetry,
        clock=clock,
    )
    routes = {**view.routes(watch=watch, watchman=watchman, metrics=metrics, beside=beside.alive), **beside.routes}
    server = HttpServer(settings.listen, routes=routes, logger=log)
    return Assembly(
        settings=settings,
        api=api,
        runtime=runtime,
        watch=watch,
        loop=loop,
        writer=writer,
        recorder=recorder,
        server=server,
    )


def _recorder(api: HttpApi, settings: AgentSettings, *, watchman: Watchman, metrics: AgentMetrics) -> EventRecorder:
    """Make what sends events, in the name of this Pod where it is one."""
    return EventRecorder(
        api,
        controller=CONTROLLER,
        instance=os.environ.get("POD_NAME") or settings.node_name,
        dropped=metrics.event_dropped,
        failed=watchman.event_failed,
    )
