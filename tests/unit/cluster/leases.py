"""A server of one Lease, in memory, that conflicts as an API server does, and a listener that keeps count."""

from collections.abc import Callable, Mapping

import msgspec

from daemon.cluster.errors import Conflict, NotFound
from daemon.cluster.interface import Resource, Write
from daemon.cluster.paths import Verb


NAMESPACE = "prewarm-system"
COLLECTION = f"/apis/coordination.k8s.io/v1/namespaces/{NAMESPACE}/leases"
PATH = f"{COLLECTION}/prewarm-coordinator"

Hook = Callable[[str], None]


class Leases:
    """
    One Lease for any number of candidates.

    `asked` is what came in. A request goes through `before` and, once done, through `after`: one that raises in the
    second was done all the same.
    """

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.lease: Resource | None = None
        self.before: Hook = lambda _verb: None
        self.after: Hook = lambda _verb: None
        self._version = 0

    @property
    def spec(self) -> dict[str, object]:
        """What the Lease says."""
        assert self.lease is not None
        spec = self.lease["spec"]
        assert isinstance(spec, dict)
        return spec

    def put(self, **spec: object) -> None:
        """Have another writer store the Lease, with these words changed."""
        before = self.lease["spec"] if self.lease is not None else {}
        assert isinstance(before, dict)
        self._store({**(self.lease or {"metadata": {}}), "spec": {**before, **spec}})

    def fetch(self, path: str, *, query: Mapping[str, str] | None = None, timeout_seconds: float) -> bytes:
        """Answer the Lease."""
        del query, timeout_seconds
        assert path == PATH
        self.asked.append("get")
        self.before("get")
        if self.lease is None:
            raise NotFound("no lease", code=404)
        answer = msgspec.json.encode(self.lease)
        self.after("get")
        return answer

    def send(self, write: Write, *, timeout_seconds: float) -> bytes:
        """Create or replace the Lease, if it is as the candidate knows it."""
        del timeout_seconds
        self.asked.append(write.verb)
        self.before(write.verb)
        body = msgspec.json.decode(write.body, type=dict[str, object])
        if write.verb is Verb.CREATE:
            assert write.path == COLLECTION
            self._check(self.lease is None)
        else:
            assert (write.verb, write.path) == (Verb.UPDATE, PATH)
            if self.lease is None:
                raise NotFound("no lease", code=404)
            self._check(_version_of(body) == _version_of(self.lease))
        answer = msgspec.json.encode(self._store(body))
        self.after(write.verb)
        return answer

    def _check(self, is_good: bool) -> None:  # noqa: FBT001 - what is checked
        if not is_good:
            raise Conflict("another was first", code=409)

    def _store(self, lease: Resource) -> Resource:
        self._version += 1
        metadata = lease["metadata"]
        assert isinstance(metadata, dict)
        self.lease = {**lease, "metadata": {**metadata, "resourceVersion": str(self._version)}}
        return self.lease


class Leading:
    """Hears of a candidate's leading, and insists that beginnings and ends alternate."""

    def __init__(self) -> None:
        self.words: list[str] = []

    def won(self) -> None:
        """Note it."""
        assert self.words[-1:] != ["won"]
        self.words.append("won")

    def lost(self) -> None:
        """Note it."""
        assert self.words[-1:] == ["won"]
        self.words.append("lost")


def _version_of(lease: Resource) -> object:
    metadata = lease["metadata"]
    assert isinstance(metadata, dict)
    return metadata.get("resourceVersion")
