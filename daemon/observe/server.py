"""
The HTTP server of a role: health, metrics and state, for the kubelet, Prometheus and a person with curl.

Each connection has a thread for its one exchange. What is answered is the role's: it gives a callable a path. Requests
are not logged, since probes come each few seconds for ever.
"""

import socket
import threading
from http import HTTPStatus

from daemon.observe.answer import Answer
from daemon.observe.connections import Connections
from daemon.observe.exchange import (
    Asking,
    Refused,
    Routes,
    answer_of,
    linger,
    plain_answer,
    read_request,
    write_answer,
)
from daemon.observe.listening import listen_address, open_listener
from daemon.observe.logs import Logger


ANSWER_FAILED = "http_answer_failed"
SERVER_DIED = "http_server_died"
STOP_SECONDS = 2.0
# Out of descriptors or threads: what is open has to end first.
SHORTAGE_SECONDS = 0.1


class HttpServer:
    """
    Answers requests from `start` until `stop`; it listens from the moment it is made.

    Args:
        listen: see listening.py.
        routes: what answers each path; called in a connection's thread, it should not take long.
        logger: where a route that raises is told.

    Raises:
        CannotListen: the address cannot be had; one line says why.
    """

    def __init__(self, listen: str, *, routes: Routes, logger: Logger) -> None:
        self._listener = open_listener(listen_address(listen))
        self._routes = routes
        self._logger = logger
        self._connections = Connections()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="http", daemon=True)
        self.port: int = self._listener.getsockname()[1]

    def start(self) -> None:
        """Answer from now on; what has connected before is answered too."""
        self._thread.start()

    def stop(self) -> None:
        """Take nothing more, cut what is open and close the port; twice is fine."""
        self._stopping.set()
        try:
            # Closing alone would leave the thread in its accept.
            self._listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            return
        finally:
            if self._thread.is_alive():
                self._thread.join(timeout=STOP_SECONDS)
            self._listener.close()
        self._connections.cut_all(timeout_seconds=STOP_SECONDS)

    def _run(self) -> None:
        try:
            while not self._stopping.is_set():
                self._accept()
        except BaseException:
            # The thread's root. Nobody answers a probe from now on, so liveness fails.
            self._logger.exception(SERVER_DIED)
            self._listener.close()

    def _accept(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except OSError:
            self._stopping.wait(SHORTAGE_SECONDS)
            return
        if not self._connections.admit(connection):
            connection.close()
            return
        try:
            threading.Thread(target=self._serve, args=(connection,), name="http-client", daemon=True).start()
        except RuntimeError:
            self._connections.close(connection)
            self._stopping.wait(SHORTAGE_SECONDS)

    def _serve(self, connection: socket.socket) -> None:
        try:
            self._exchange(connection)
        except OSError:
            # The client has gone, or takes nothing: nobody is left to tell.
            pass
        except BaseException:
            # The thread's root.
            self._logger.exception(ANSWER_FAILED)
        finally:
            self._connections.close(connection)

    def _exchange(self, connection: socket.socket) -> None:
        is_head = False
        try:
            asking = read_request(connection)
            if asking is None:
                return
            is_head = asking.method == "HEAD"
            self._connections.busy(connection)
            answer = self._answer(asking)
        except Refused as refused:
            answer = plain_answer(refused.status)
        # Who takes an answer slowly gives way too, or a few who take none would keep the probe out.
        self._connections.idle(connection)
        write_answer(connection, answer, is_head=is_head)
        linger(connection)

    def _answer(self, asking: Asking) -> Answer:
        try:
            return answer_of(asking, self._routes)
        except Exception:
            # A route's own defect has an answer too, or it would be a puzzle for who asked.
            self._logger.exception(ANSWER_FAILED, path=asking.path)
            return plain_answer(HTTPStatus.INTERNAL_SERVER_ERROR)
