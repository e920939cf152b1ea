"""
The command: find the API server, take part in the election, lead when it is won, and end in order when told to.

The main thread waits for a signal or for a part's death, and does nothing else. On SIGTERM the term ends first (nothing
new is sent, what is on its way is waited for), then the Lease is released, then events and HTTP.
"""

import sys
from pathlib import Path
from typing import Final

from daemon import __version__
from daemon.clock import SystemClock
from daemon.cluster.access import NoAccess
from daemon.cluster.reach import access_of
from daemon.config import CoordinatorSettings
from daemon.coordinator.assembly import Assembly, assembled
from daemon.ending import Died, Ending, start_thread
from daemon.observe import logs
from daemon.observe.listening import CannotListen
from daemon.observe.server import HttpServer


BAD_INPUT: Final = 2
CRASHED: Final = 1
# The kubelet gives a Pod 30 s. A term takes six to end, the Lease two requests of four.
ELECTION_END_SECONDS: Final = 16.0
EVENTS_END_SECONDS: Final = 2.0


def coordinator(settings: CoordinatorSettings) -> int:
    """
    Take part in coordinating a cluster until SIGTERM or SIGINT.

    Returns the exit code: 0 ended as told, 1 a part died, 2 bad input.
    """
    logs.configure(settings.log_format, stream=sys.stdout)
    try:
        access = access_of(settings.kubeconfig, folder=Path(settings.service_account_folder))
        with Ending() as ending:
            assembly = assembled(settings, access=access, died=ending.died, clock=SystemClock())
            server = HttpServer(settings.listen, routes=assembly.routes, logger=logs.logger())
            return _serve(assembly, server=server, ending=ending)
    except (NoAccess, CannotListen) as error:
        print(f"prewarm: {error}", file=sys.stderr)
        return BAD_INPUT


def _serve(assembly: Assembly, *, server: HttpServer, ending: Ending) -> int:
    log = logs.logger()
    events = start_thread("events", assembly.recorder.run, ending=ending)
    election = start_thread("election", assembly.election.run, ending=ending)
    server.start()
    log.info("coordinator_started", version=__version__, port=server.port, identity=assembly.settings.identity)
    end = ending.wait()
    if isinstance(end, Died):
        log.error("thread_died", thread=end.thread, exc_info=end.error)
    else:
        log.info("coordinator_stopping", signal=end.number)
    assembly.election.stop()
    election.join(timeout=ELECTION_END_SECONDS)
    assembly.recorder.stop()
    events.join(timeout=EVENTS_END_SECONDS)
    server.stop()
    assembly.api.close()
    log.info("coordinator_stopped")
    return CRASHED if isinstance(end, Died) else 0
