"""
The command: find the API server and the runtime, start each part in its thread, and end in order when told to.

The main thread waits for a signal or for a part's death, and does nothing else. On SIGTERM the watch goes first, then
the loop with its pulls (what was fetched stays held), then the writer with the last status, then events and HTTP.
"""

import os
import sys
import threading
from pathlib import Path
from typing import Final, Protocol

from daemon import __version__
from daemon.agent.assembly import ALONE, Assembly, Beside, assembled
from daemon.clock import SystemClock
from daemon.cluster.access import Access, NoAccess
from daemon.cluster.reach import access_of
from daemon.config import AgentSettings
from daemon.credentials.plugins import Plugins
from daemon.credentials.sources import Credentials, default_config_files
from daemon.ending import Died, Ending, start_thread
from daemon.observe import logs
from daemon.observe.listening import CannotListen


BAD_INPUT: Final = 2
CRASHED: Final = 1
# The kubelet gives a Pod 30 s. The loop takes up to ten for its pulls, the last status up to six and a request's time.
LOOP_END_SECONDS: Final = 11.0
WRITER_END_SECONDS: Final = 9.5
WATCH_END_SECONDS: Final = 2.0
EVENTS_END_SECONDS: Final = 2.0


class Coordination(Protocol):
    """A coordinator in the agent's process."""

    @property
    def beside(self) -> Beside:
        """What it answers, and the checks of its liveness."""
        ...

    def start(self) -> None:
        """Take part in the election."""
        ...

    def stop(self) -> None:
        """Send nothing more, and release the Lease."""
        ...


def agent(settings: AgentSettings) -> int:
    """
    Serve one node until SIGTERM or SIGINT.

    Returns the exit code: 0 ended as told, 1 a part died, 2 bad input.
    """
    logs.configure(settings.log_format, stream=sys.stdout)
    try:
        access = access_of(settings.kubeconfig, folder=Path(settings.service_account_folder))
        with Ending() as ending:
            coordination = _coordination(settings, access=access, ending=ending)
            assembly = assembled(
                settings,
                access=access,
                credentials=_credentials(settings),
                clock=SystemClock(),
                beside=coordination.beside if coordination else ALONE,
            )
            return _serve(assembly, coordination=coordination, ending=ending)
    except (NoAccess, CannotListen) as error:
        print(f"prewarm: {error}", file=sys.stderr)
        return BAD_INPUT


def _credentials(settings: AgentSettings) -> Credentials:
    """Find what a node has beside the NodeImage's secrets: docker's config.json and exec plugins."""
    environment = dict(os.environ)
    plugins = _plugins(settings, environment) if settings.plugin_config else None
    return Credentials(config_files=default_config_files(environment), plugins=plugins)


def _plugins(settings: AgentSettings, environment: dict[str, str]) -> Plugins:
    # Its YAML parser is loaded where there is something to parse: most agents have no plugins.
    from daemon.credentials.plugin_config import read_plugin_config

    config = read_plugin_config(Path(settings.plugin_config))
    for problem in config.problems:
        logs.logger().warning("plugin_config_problem", message=str(problem))
    return Plugins(config.providers, bin_dir=Path(settings.plugin_bin_dir), environ=environment)


def _coordination(settings: AgentSettings, *, access: Access, ending: Ending) -> Coordination | None:
    """Make the coordinator of --with-coordinator; its code is loaded for that alone."""
    if settings.coordinator is None:
        return None
    from daemon.agent.coordination import coordination_of

    return coordination_of(settings.coordinator, access=access, ending=ending)


def _serve(assembly: Assembly, *, coordination: Coordination | None, ending: Ending) -> int:
    log = logs.logger(node=assembly.settings.node_name)
    if coordination is not None:
        coordination.start()
    threads = {name: start_thread(name, work, ending=ending) for name, work in assembly.works.items()}
    assembly.server.start()
    log.info("agent_started", version=__version__, port=assembly.server.port)
    end = ending.wait()
    if isinstance(end, Died):
        log.error("thread_died", thread=end.thread, exc_info=end.error)
    else:
        log.info("agent_stopping", signal=end.number)
    if coordination is not None:
        coordination.stop()
    _stop(assembly, threads)
    log.info("agent_stopped")
    return CRASHED if isinstance(end, Died) else 0


def _stop(assembly: Assembly, threads: dict[str, threading.Thread]) -> None:
    """End each part, in the order in which one needs the other, none for longer than its time."""
    for name, stop, seconds in (
        ("watch", assembly.watch.stop, WATCH_END_SECONDS),
        ("loop", assembly.loop.stop, LOOP_END_SECONDS),
        ("status", assembly.writer.stop, WRITER_END_SECONDS),
        ("events", assembly.recorder.stop, EVENTS_END_SECONDS),
    ):
        stop()
        threads[name].join(timeout=seconds)
    assembly.server.stop()
    assembly.api.close()
    assembly.runtime.close()
