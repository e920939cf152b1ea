"""
The command: find the API server, take part in the election, lead when it is won, and end in order when told to.

The main thread waits for a signal or for a part's death, and does nothing else.
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
from daemon.coordinator.running import Running
from daemon.ending import Died, Ending
from daemon.observe import logs
from daemon.observe.listening import CannotListen
from daemon.observe.server import HttpServer


BAD_INPUT: Final = 2
CRASHED: Final = 1


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
    running = Running(assembly, ending=ending)
    server.start()
    log.info("coordinator_started", version=__version__, port=server.port, identity=assembly.settings.identity)
    end = ending.wait()
    if isinstance(end, Died):
        log.error("thread_died", thread=end.thread, exc_info=end.error)
    else:
        log.info("coordinator_stopping", signal=end.number)
    running.stop()
    server.stop()
    log.info("coordinator_stopped")
    return CRASHED if isinstance(end, Died) else 0
