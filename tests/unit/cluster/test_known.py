"""Whatever is heard, in lists or events, what is known is the last state heard, and each change is told once."""

from collections.abc import Sequence

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from daemon.cluster.known import Change, Kind, Known
from daemon.cluster.metadata import Identity


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
        self.objects: dict[str, Identity] = {}
        self.version = 0

    def step(self, what: str, name: str) -> list[tuple[str, Identity]]:
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

    def _put(self, name: str) -> tuple[str, Identity]:
        self.version += 1
        known = self.objects.get(name)
        uid = known.uid if known else f"uid-{self.version}"
        self.objects[name] = Identity(name, uid=uid, resourceVersion=str(self.version))
        return ("applied", self.objects[name])

    def _delete(self, name: str) -> tuple[str, Identity]:
        self.version += 1
        gone = self.objects.pop(name)
        return ("deleted", msgspec.structs.replace(gone, resourceVersion=str(self.version)))


@given(steps=STEPS)
def test_what_is_known_is_the_servers_state_for_any_interleaving(steps: Sequence[Step]) -> None:
    """Events that follow on each other, losses made up for by lists: what is told adds up to what is there."""
    server, known, told = Server(), Known(), Told()
    is_behind = False
    for step in [*steps, Step("list", "a", is_heard=True)]:
        if step.what == "list":
            for identity in server.objects.values():
                told.hear(known.apply(identity))
            told.hear(known.retain({identity.key for identity in server.objects.values()}))
            is_behind = False
        for what, identity in server.step(step.what, step.name):
            # After a loss nothing is heard until the next list, as with a watch that is away.
            is_behind = is_behind or not step.is_heard
            if not is_behind:
                told.hear(known.apply(identity) if what == "applied" else known.delete(identity))

    assert server.objects == {each.name: each for each in known.identities()}
    assert server.objects == told.objects


class Told:
    """What a listener knows that believes every word, and checks that each is news."""

    def __init__(self) -> None:
        self.objects: dict[str, Identity] = {}

    def hear(self, changes: Sequence[Change]) -> None:
        """Take changes in order."""
        for change in changes:
            identity = change.identity
            known = self.objects.get(identity.name)
            if change.kind is Kind.DELETED:
                assert known is not None
                assert known.uid == identity.uid
                del self.objects[identity.name]
            else:
                assert known is None or known.uid == identity.uid
                assert identity != known
                self.objects[identity.name] = identity


def test_a_late_deletion_of_a_replaced_object_changes_nothing() -> None:
    """Another uid's end is not this object's."""
    known = Known()
    new = Identity("a", uid="new", resourceVersion="2")
    known.apply(new)

    assert [] == known.delete(Identity("a", uid="old", resourceVersion="3"))
    assert (new,) == known.identities()


def test_objects_of_two_namespaces_are_two() -> None:
    """The same name elsewhere is another object."""
    known = Known()
    first, second = Identity("a", namespace="one", uid="1"), Identity("a", namespace="two", uid="2")

    known.apply(first)
    known.apply(second)
    gone = known.retain({second.key})

    assert [Change(Kind.DELETED, first)] == gone
    assert (second,) == known.identities()
