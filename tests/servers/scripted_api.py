"""
An API server that does what the test says, over TLS on a real socket: one collection of objects, and a script.

For what a real one can't be made to do on time: answer 410, 429 or half a line, fall silent, hang up, count requests.

    with ScriptedApi() as api:
        api.put("a", {"spec": 1})
        api.script.add("watch", refused(410, "Expired"))
        reflector = Reflector(HttpApi(api.access(folder), ...), path=api.path, ...)
"""

import functools
import ssl
import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

import trustme

from daemon.cluster.access import Access
from daemon.cluster.tokens import FileToken
from tests.servers.scripted_answers import Reply, Request, Script
from tests.servers.scripted_wire import Wire


COLLECTION = "/apis/apps.kruise.io/v1beta1/nodeimages"
Resource = dict[str, object]


class ScriptedApi:
    """
    One scripted API server, serving while it is entered; every method is for any thread.

    What is created or replaced on it is echoed, everything else answered by {}. `requests` is what came in,
    over `connections` in all.
    """

    def __init__(self, *, host: str = "127.0.0.1", accepts: Callable[[Request], bool] = lambda _: True) -> None:
        self.path = COLLECTION
        self.script = Script()
        self.requests: list[Request] = []
        self.port = 0
        self.host = host
        self.accepts = accepts
        self.version = 100
        self.compacted = 0
        self.changed = threading.Condition()
        self.events: list[tuple[int, str, Resource]] = []
        self.is_ending = False
        self.is_stalled = False
        self.connections = 0
        self._objects: dict[str, Resource] = {}
        self._wire: Wire | None = None
        self._uids = 0

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"https://[{self.host}]:{self.port}" if ":" in self.host else f"https://{self.host}:{self.port}"

    def access(self, folder: Path, *, token: str = "token-of-the-test") -> Access:
        """Return how to reach it, with the CA and a token in files of this folder."""
        ca_file = folder / "ca.crt"
        authority().cert_pem.write_to_path(str(ca_file))
        (folder / "token").write_text(token)
        return Access(server=self.url, ca_file=ca_file, token=FileToken(folder / "token"))

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def open(self) -> None:
        """Listen, again on the same port after `close`."""
        self.is_ending = False
        self._wire = Wire(self, host=self.host, port=self.port, tls=_server_tls())
        self.port = self._wire.server_address[1]
        self._wire.start()

    def close(self) -> None:
        """Stop listening and end every connection: "connection refused" from now on."""
        with self.changed:
            self.is_ending = True
            self.changed.notify_all()
        if self._wire is not None:
            self._wire.stop()
            self._wire = None

    def cut(self) -> None:
        """Reset every open connection; new ones are taken."""
        if self._wire is not None:
            self._wire.cut()

    def stall(self, *, is_stalled: bool = True) -> None:
        """Hold back all that is to be sent from now on, or let it go on."""
        with self.changed:
            self.is_stalled = is_stalled
            self.changed.notify_all()

    def put(self, name: str, content: Resource | None = None, *, is_other: bool = False) -> Resource:
        """Create or change an object, and tell the watches; `is_other` replaces it by one of another uid."""
        with self.changed:
            if is_other and name in self._objects:
                self._delete(name)
            known = self._objects.get(name)
            self._uids += known is None
            uid = str(metadata_of(known)["uid"]) if known else f"uid-{self._uids}"
            self.version += 1
            metadata = {"name": name, "uid": uid, "resourceVersion": str(self.version), "managedFields": [{"x": 1}]}
            resource: Resource = {**(content or {}), "metadata": metadata}
            self._objects[name] = resource
            self._tell("MODIFIED" if known else "ADDED", resource)
            return resource

    def delete(self, name: str) -> None:
        """Delete an object, and tell the watches."""
        with self.changed:
            self._delete(name)

    def bookmark(self) -> None:
        """Tell the watches how far the version is, without an object."""
        with self.changed:
            self.version += 1
            self._tell("BOOKMARK", {"metadata": {"resourceVersion": str(self.version)}})

    def compact(self) -> None:
        """Forget all history: a watch from before now gets 410 as an event."""
        with self.changed:
            self.version += 1
            self.compacted = self.version
            self.events.clear()
            self.changed.notify_all()

    def count(self, verb: str) -> int:
        """How many requests of this verb came in."""
        return len(self.asked(verb))

    def asked(self, verb: str) -> list[Request]:
        """The requests of this verb."""
        return [request for request in list(self.requests) if request.verb == verb]

    def objects(self) -> tuple[list[Resource], int]:
        """Return all objects by name and the version of this state."""
        with self.changed:
            return [self._objects[name] for name in sorted(self._objects)], self.version

    def reply(self, request: Request) -> Reply | None:
        """Note a request and return the script's reply to it, if it has one."""
        with self.changed:
            self.requests.append(request)
        return self.script.next(request.verb)

    def _delete(self, name: str) -> None:
        self.version += 1
        gone = self._objects.pop(name)
        self._tell("DELETED", {**gone, "metadata": {**metadata_of(gone), "resourceVersion": str(self.version)}})

    def _tell(self, sort: str, resource: Resource) -> None:
        self.events.append((self.version, sort, resource))
        self.changed.notify_all()


def metadata_of(resource: Resource | None) -> Resource:
    """Return an object's metadata."""
    metadata = (resource or {}).get("metadata")
    return metadata if isinstance(metadata, dict) else {}


@functools.cache
def authority() -> trustme.CA:
    """Return the CA of all scripted servers of this run."""
    return trustme.CA()


@functools.cache
def _server_tls() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority().issue_cert("127.0.0.1", "::1", "localhost").configure_cert(context)
    authority().configure_trust(context)
    context.verify_mode = ssl.CERT_OPTIONAL
    return context
