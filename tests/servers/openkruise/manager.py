"""
Stands in for OpenKruise's manager: on the wire it does to jobs, NodeImages and secret copies what the real one does.

Whole objects are PUT from caches that a test can make old, through types that lose what they do not know. A test moves
it by steps, or lets it run. Cron jobs and podSelector are left out; its webhooks are webhooks.py's, the Lease by
which it leads manager_lease.py's. What it decides stands in pure modules beside this one.
"""

import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from types import TracebackType
from typing import Final, Self

from tests.servers.openkruise.manager_client import Client, Refused, Write
from tests.servers.openkruise.manager_jobs import JobController
from tests.servers.openkruise.manager_lists import ListController
from tests.servers.openkruise.manager_nodeimages import NodeImageController
from tests.servers.openkruise.manager_objects import Release
from tests.servers.openkruise.manager_pace import Limits, Pace
from tests.servers.openkruise.manager_store import Store


INTERVAL_SECONDS: Final = 0.1
_END_SECONDS: Final = 20.0
_LIMITS: Final = Limits()


class Manager:
    """
    One manager on one API server; as a context it closes its connections, and `start` lets it run in a thread.

    Args:
        client: whom it asks as which account; it needs rights to everything that it writes.
        release: 1.6 speaks v1alpha1 and copies secrets for each job, 1.9 speaks v1beta1 and shares them.
        limits: its constants.
        speed: how many seconds it counts for one that passes; may be changed at any time.

    `jobs`, `node_images`, `nodes` and `secrets` are its caches. `refusals` is what it was refused, oldest first: it
    goes on with the next object then, as a work queue does.
    """

    def __init__(self, client: Client, *, release: Release, limits: Limits = _LIMITS, speed: float = 1.0) -> None:
        self.speed = speed
        self.refusals: list[Refused] = []
        self._client = client
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None
        self._broken: BaseException | None = None
        self._store = Store(client, release=release, stopped=self._stopped)
        self._jobs = JobController(self._store, release=release, limits=limits)
        self._lists = ListController(client, release=release)
        self._node_images = NodeImageController(self._store, release=release, limits=limits)
        self.jobs = self._store.jobs
        self.node_images = self._store.node_images
        self.nodes = self._store.nodes
        self.secrets = self._store.secrets

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        self._client.close()

    @property
    def writes(self) -> Sequence[Write]:
        """Every write that it sent, in order."""
        return self._client.writes

    def reconcile_jobs(self) -> None:
        """One pass over every job."""
        self._attempt(self._store.poll)
        for job in self.jobs.all():
            self._attempt(partial(self._jobs.reconcile, job, pace=self._pace()))

    def reconcile_lists(self) -> None:
        """One pass over every list of images."""
        self._attempt(self._store.poll)
        self._attempt(self._pass_over_lists)

    def reconcile_node_images(self) -> None:
        """One pass over every Node and NodeImage, but for statuses."""
        self._attempt(self._store.poll)
        metadata = [node.metadata for node in self.nodes.all()] + [each.metadata for each in self.node_images.all()]
        names = {each.name for each in metadata}
        for name in sorted(names):
            self._attempt(partial(self._node_images.reconcile, name, pace=self._pace()))

    def watchdog(self) -> None:
        """One pass over every NodeImage's status."""
        self._attempt(self._store.poll)
        for node_image in self.node_images.all():
            self._attempt(partial(self._node_images.watch, node_image, pace=self._pace()))

    def start(self) -> None:
        """Do all of it again and again, in a thread, until `stop`."""
        self._stopped.clear()
        self._thread = threading.Thread(target=self._run, name="openkruise", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread, and raise what broke it. Twice is fine."""
        self._stopped.set()
        if self._thread is not None:
            self._thread.join(_END_SECONDS)
            self._thread = None
        if self._broken is not None:
            raise self._broken

    def _run(self) -> None:
        try:
            while not self._stopped.wait(INTERVAL_SECONDS):
                self.reconcile_node_images()
                self.reconcile_lists()
                self.reconcile_jobs()
                self.watchdog()
        except BaseException as error:  # noqa: BLE001 - the thread's root: `stop` raises it
            self._broken = error

    def _pass_over_lists(self) -> None:
        for found in self._lists.all():
            self._attempt(partial(self._lists.reconcile, found, jobs=self.jobs.all(), pace=self._pace()))

    def _attempt(self, work: Callable[[], None]) -> None:
        try:
            work()
        except Refused as error:
            self.refusals.append(error)

    def _pace(self) -> Pace:
        return Pace(now=datetime.now(UTC), speed=self.speed)
