"""
Threads that each hold one connection to the API server and send one request at a time: our transport, nothing above it.

Hollow nodes answer through them, benches make their objects with them, and the rate that they reach with nothing else
running is what a coordinator is compared with.
"""

import queue
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Final, Self

from daemon.cluster.access import Access
from daemon.cluster.tls import tls_context
from daemon.cluster.transport import HttpApi


CONNECTIONS: Final = 16
TIMEOUT_SECONDS: Final = 30.0
USER_AGENT: Final = "prewarm-bench"

Request = Callable[[HttpApi], object]


class Senders:
    """
    A crew of threads; while it is entered they take what is given to `send`.

    Leaving it waits for all of that. The first error of a request is raised by `finish`, and by leaving; after an
    interrupt nothing is waited for.
    """

    def __init__(self, access: Access, *, connections: int = CONNECTIONS) -> None:
        tls = tls_context(access)
        self._apis = [HttpApi(access, user_agent=USER_AGENT, tls=tls) for _ in range(connections)]
        self._waiting: queue.SimpleQueue[Request | None] = queue.SimpleQueue()
        self._changed = threading.Condition()
        self._open = 0
        self._failed: Exception | None = None
        self._threads = [
            threading.Thread(target=self._run, args=(api,), name=f"sender-{number}", daemon=True)
            for number, api in enumerate(self._apis)
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # What is cut further down fails too, and says nothing.
        failed = self._failed
        try:
            if error is None:
                self.finish()
        finally:
            for _ in self._threads:
                self._waiting.put(None)
            for api in self._apis:
                api.close()
        if failed is not None:
            raise failed

    def send(self, request: Request) -> None:
        """Have a thread make a request; those given earlier come first."""
        with self._changed:
            self._open += 1
        self._waiting.put(request)

    def finish(self, *, timeout_seconds: float = 600.0) -> None:
        """
        Wait until everything given so far is answered.

        Raises:
            TimeoutError: it is not in time.
            Exception: what the first request that failed has raised.
        """
        with self._changed:
            is_done = self._changed.wait_for(lambda: not self._open or self._failed, timeout=timeout_seconds)
            if self._failed is not None:
                raise self._failed
        if not is_done:
            raise TimeoutError(f"{self._open} requests are open after {timeout_seconds:g} s")

    def _run(self, api: HttpApi) -> None:
        while (request := self._waiting.get()) is not None:
            try:
                request(api)
            except Exception as error:  # noqa: BLE001 - whatever it is, `finish` raises it
                self._done(error)
            else:
                self._done(None)

    def _done(self, error: Exception | None) -> None:
        with self._changed:
            self._open -= 1
            self._failed = self._failed or error
            if not self._open or error is not None:
                self._changed.notify_all()
