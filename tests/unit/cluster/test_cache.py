"""Whatever is heard, in lists or events, the cache is the last state heard, and each change is told once."""

from collections.abc import Sequence

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.cluster.cache import Cache, Change, Kind
from daemon.cluster.errors import ServerFailed
from daemon.cluster.interface import Resource
from daemon.cluster.metadata import identity_of


NAMES = ("a", "b", "c")


class Step(msgspec.Struct, frozen=True):
    """One thing that happens on the server, and whether its event is heard or lost until the next list."""

    what: str
    name: str
    is_heard: bool


STEPS = st.lists(
    st.builds(
        Step,
        what=st.sampled_from(["put", "put", "delete", "replace", "list", "again"]),
        name=st.sampled_from(NAMES),
        is_heard=st.booleans(),
    ),
    max_size=40,
)


class Server:
    """A server's state and the events that lead to it."""

    def __init__(self) -> None:
        self.objects: dict[str, Resource] = {}
        self.version = 0

    def step(self, what: str, name: str) -> list[tuple[str, Resource]]:
        """Do one thing, and return its events."""
        if what == "put":
            return [self._put(name)]
        if what == "delete" and name in self.objects:
            return [self._delete(name)]
        if what == "replace" and name in self.objects:
            return [self._delete(name), self._put(name)]
        if what == "again" and name in self.objects:
            return [("applied", self.objects[name])]
        return []

    def _put(self, name: str) -> tuple[str, Resource]:
        self.version += 1
        known = self.objects.get(name)
        uid = identity_of(known).uid if known else f"uid-{self.version}"
        self.objects[name] = _resource(name, uid, str(self.version))
        return ("applied", self.objects[name])

    def _delete(self, name: str) -> tuple[str, Resource]:
        self.version += 1
        gone = identity_of(self.objects.pop(name))
        return ("deleted", _resource(name, gone.uid, str(self.version)))


def _resource(name: str, uid: str, version: str) -> Resource:
    return {"metadata": {"name": name, "uid": uid, "resourceVersion": version}}


@given(steps=STEPS)
def test_the_cache_is_the_servers_state_for_any_interleaving(steps: Sequence[Step]) -> None:
    """Events that follow on each other, losses made up for by lists: what is told adds up to what is there."""
    server, cache, told = Server(), Cache(), Told()
    is_behind = False
    for step in [*steps, Step("list", "a", is_heard=True)]:
        if step.what == "list":
            told.hear(cache.replace(list(server.objects.values())))
            is_behind = False
        for what, resource in server.step(step.what, step.name):
            # After a loss nothing is heard until the next list, as with a watch that is away.
            is_behind = is_behind or not step.is_heard
            if not is_behind:
                told.hear(cache.apply(resource) if what == "applied" else cache.delete(resource))

    assert server.objects == {identity_of(each).name: each for each in cache.resources()}
    assert server.objects == told.objects


class Told:
    """What a listener knows that believes every word, and checks that each is news."""

    def __init__(self) -> None:
        self.objects: dict[str, Resource] = {}

    def hear(self, changes: Sequence[Change]) -> None:
        """Take changes in order."""
        for change in changes:
            identity = identity_of(change.resource)
            known = self.objects.get(identity.name)
            if change.kind is Kind.DELETED:
                assert known is not None
                assert identity_of(known).uid == identity.uid
                del self.objects[identity.name]
            else:
                assert known is None or identity_of(known).uid == identity.uid
                assert change.resource != known
                self.objects[identity.name] = change.resource


def test_a_late_deletion_of_a_replaced_object_changes_nothing() -> None:
    """Another uid's end is not this object's."""
    cache = Cache()
    cache.apply(_resource("a", "new", "2"))

    assert [] == cache.delete(_resource("a", "old", "3"))
    assert cache.get("a") is not None


def test_objects_of_two_namespaces_are_two() -> None:
    """The same name elsewhere is another object."""
    cache = Cache()
    first: Resource = {"metadata": {"name": "a", "namespace": "one", "uid": "1", "resourceVersion": "1"}}
    second: Resource = {"metadata": {"name": "a", "namespace": "two", "uid": "2", "resourceVersion": "1"}}

    cache.replace([first, second])

    assert (first, second) == (cache.get("a", namespace="one"), cache.get("a", namespace="two"))
    assert cache.get("a") is None


@pytest.mark.parametrize("resource", [{}, {"metadata": None}, {"metadata": {}}, {"metadata": {"name": 1}}])
def test_what_has_no_name_is_no_object(resource: Resource) -> None:
    """It is the server's failure, and the cache stays as it is."""
    cache = Cache()
    cache.apply(_resource("a", "1", "1"))

    with pytest.raises(ServerFailed):
        cache.replace([resource])

    assert 1 == len(cache.resources())
