"""What becomes of a node's states in its NodeImage: written once, guarded, tried again, and to the last word."""

import copy
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest

from daemon.agent import clerk
from daemon.agent.document import AgentIdentity
from daemon.agent.writer import LAST_PATCH_TIMEOUT_SECONDS, LAST_WORDS_SECONDS, StatusWriter
from daemon.cluster.errors import ClusterError, Invalid, NotFound, Throttled, Unreachable
from daemon.cluster.interface import Operation, Resource
from daemon.cluster.metadata import Writing
from daemon.node import transitions
from tests.servers.processes import until
from tests.unit.agent.observed import ObservedNode, progress
from tests.unit.node.running_node import SetClock
from tests.unit.node.virtual_node import DONE, image


PATH = "/apis/apps.kruise.io/v1beta1/nodeimages/n1"
REPOSITORY = "registry.example/app"
WAIT_SECONDS = 20.0

Json = dict[str, Any]


class Server:
    """One NodeImage in memory, patched as an API server patches it; `errors` are raised by the next patches."""

    def __init__(self) -> None:
        self.object: Json | None = None
        self.errors: list[ClusterError] = []
        self.always: ClusterError | None = None
        self.asked: Callable[[], None] = lambda: None
        self.patches: list[tuple[str, ...]] = []
        self.timeouts: list[float] = []
        self.gets = 0
        self._version = 0
        self.put("node")

    def put(self, uid: str) -> Resource:
        """Have a new object under the name."""
        self._version += 1
        self.object = {"metadata": {"name": "n1", "uid": uid, "resourceVersion": str(self._version)}}
        return self.read()

    def read(self) -> Resource:
        """Return the object as the watch would tell it."""
        return copy.deepcopy(self.object or {})

    @property
    def status(self) -> Json:
        """Its status, {} for none."""
        found: Json = (self.object or {}).get("status") or {}
        return found

    def get(self, path: str, *, query: Mapping[str, str] | None = None, timeout_seconds: float) -> Resource:
        """Read it."""
        assert (PATH, None) == (path, query)
        assert timeout_seconds > 0
        self.gets += 1
        if self.object is None:
            raise NotFound("no such NodeImage", code=404)
        return self.read()

    def patch(self, path: str, operations: Sequence[Operation], *, timeout_seconds: float) -> Resource:
        """Patch it, or fail as told."""
        assert f"{PATH}/status" == path
        self.timeouts.append(timeout_seconds)
        self.patches.append(tuple(f"{step.op} {step.path}" for step in operations))
        self.asked()
        error = self.errors.pop(0) if self.errors else self.always
        if error is not None:
            raise error
        if self.object is None:
            raise NotFound("no such NodeImage", code=404)
        self.object = _patched(self.object, operations)
        self._version += 1
        self.object["metadata"]["resourceVersion"] = str(self._version)
        return self.read()

    def overwrite(self, status: Json) -> None:
        """Have a status of somebody else's."""
        self._version += 1
        self.object = {**(self.object or {}), "status": status}
        self.object["metadata"]["resourceVersion"] = str(self._version)

    def create(self, path: str, body: Resource, *, timeout_seconds: float) -> Resource:
        """Refuse: a status is never created."""
        raise AssertionError(path, body, timeout_seconds)

    def close(self) -> None:
        """Have nothing to close."""


def _patched(before: Json, operations: Sequence[Operation]) -> Json:
    after = copy.deepcopy(before)
    for step in operations:
        *parents, name = (part.replace("~1", "/").replace("~0", "~") for part in step.path.split("/")[1:])
        place = after
        for parent in parents:
            if not isinstance(place.get(parent), dict):
                raise Invalid(f"the parent of {step.path} is missing", code=422)
            place = place[parent]
        if step.op == "test" and place.get(name) != step.value:
            raise Invalid(f"{step.path} is another", code=422)
        if step.op == "remove":
            del place[name]
        elif step.op == "add":
            place[name] = step.value
    return after


class Words:
    """What became of each write, in order; the writer's listener."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def status_written(self) -> None:
        """Note it."""
        self.told.append("written")

    def status_failed(self, error: ClusterError) -> None:
        """Note it."""
        self.told.append(f"failed: {error.message}")

    def status_refused(self, error: ClusterError) -> None:
        """Note it."""
        self.told.append(f"refused: {error.message}")

    def other_daemon_noticed(self, words: str) -> None:
        """Note it."""
        self.told.append(f"other: {words.partition(' ')[0]}")

    def other_daemon_gone(self) -> None:
        """Note it."""
        self.told.append("alone")


class Desk:
    """A writer with its server, and a node whose states it hears."""

    def __init__(self) -> None:
        self.server = Server()
        self.clock = SetClock()
        self.words = Words()
        self.waits: list[int] = []
        self.writer = StatusWriter(
            self.server,
            agent=AgentIdentity(version="1", started_at=datetime(2026, 1, 1, tzinfo=UTC)),
            clock=self.clock,
            listener=self.words,
            announce=lambda words, uid: self.words.told.append(f"event on {uid}: {words.partition(' ')[0]}"),
            wait_of=self._wait,
        )
        self.node = ObservedNode(self.writer)
        self.node.state = transitions.runtime_answers(self.node.state, runtime="scripted://1")
        self.node.want()

    def saw(self, resource: Resource | None) -> None:
        """Let the watch have seen this."""
        self.writer.saw(PATH, resource)

    def tag_status(self) -> Json:
        """Return what the server has of the one image."""
        found: Json = self.server.status["imageStatuses"][REPOSITORY]["tags"][0]
        return found

    def move(self, seconds: float) -> None:
        """Let time pass, and wake the writer up."""
        self.clock.advance(seconds)
        self.node.state = transitions.runtime_answers(self.node.state, runtime=self.node.state.runtime + ".")

    def until(self, condition: Callable[[], object], *, what: str) -> None:
        """Wait for the writer's thread."""
        until(lambda: bool(condition()), what=f"{what}; so far {self.words.told}", timeout_seconds=WAIT_SECONDS)

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Run the writer until the end of the block."""
        thread = threading.Thread(target=self.writer.run, name="status")
        thread.start()
        try:
            yield
        finally:
            self.writer.stop()
            thread.join(WAIT_SECONDS)
        assert not thread.is_alive()

    def _wait(self, failures: int) -> float:
        self.waits.append(failures)
        return 10.0


@pytest.fixture
def desk() -> Desk:
    """A node that wants nothing, with a runtime that answers, and a writer that does not run yet."""
    return Desk()


def test_who_serves_the_node_is_said_at_once(desk: Desk) -> None:
    """Though nothing is wanted: a coordinator should know that there is an agent."""
    with desk.writing():
        desk.saw(desk.server.read())
        desk.until(lambda: desk.server.status, what="a status")

    assert ("1", "scripted://1") == tuple(desk.server.status["prewarm"]["agent"][key] for key in ("version", "runtime"))
    assert (0, ["written"]) == (desk.server.status["desired"], desk.words.told)


def test_of_states_that_came_together_the_newest_is_written(desk: Desk) -> None:
    """One patch, whatever happened in between."""
    desk.saw(desk.server.read())
    desk.node.want(image())
    desk.node.ask_registry()
    desk.node.end_worker(1, DONE)

    with desk.writing():
        desk.until(lambda: desk.server.status, what="a status")

    assert "Succeeded" == desk.tag_status()["phase"]
    assert 1 == len(desk.server.patches)


def test_nothing_is_written_before_the_object_is_known(desk: Desk) -> None:
    """Nor at the end: there is nowhere to write."""
    desk.node.want(image())

    with desk.writing():
        desk.saw(None)

    assert [] == desk.server.patches


def test_nothing_is_written_into_another_object(desk: Desk) -> None:
    """The watch saw a new one under the name; the loop has not heard of it, and speaks of the old one's."""
    desk.node.want(image())

    with desk.writing():
        desk.saw(desk.server.put("other"))

    assert [] == desk.server.patches


def test_a_late_status_of_a_replaced_object_is_refused_and_dropped(desk: Desk) -> None:
    """The patch tests the uid; what is read then is another's, which gets no second try."""
    with desk.writing():
        desk.saw(desk.server.read())
        desk.until(lambda: desk.server.status, what="a status")
        desk.server.put("other")
        desk.node.want(image())
        desk.node.end(DONE)
        desk.until(lambda: desk.server.gets, what="a look at what is there now")

    assert ({}, 1) == (desk.server.status, desk.server.gets)
    assert {"test /metadata/uid"} == {patch[0] for patch in desk.server.patches}


def test_a_refused_patch_is_made_anew_from_what_is_there(desk: Desk) -> None:
    """Another writer took the whole status away, so that our part has no parent any more."""
    with desk.writing():
        desk.saw(desk.server.read())
        desk.until(lambda: desk.server.status, what="a status")
        (desk.server.object or {}).pop("status")
        desk.node.want(image())
        desk.node.end(DONE)
        desk.until(lambda: desk.server.status.get("succeeded") == 1, what="the end")

    assert "scripted://1" == desk.server.status["prewarm"]["agent"]["runtime"]
    assert (1, ["written", "written"]) == (desk.server.gets, desk.words.told)


def test_a_refusal_by_the_schema_is_told_and_left_for_a_while(desk: Desk) -> None:
    """The same patch on a fresh look, then nothing for a minute, and then again."""
    desk.server.always = Invalid("status.desired: too small", code=422)

    with desk.writing():
        desk.saw(desk.server.read())
        desk.until(lambda: desk.words.told, what="a word")
        refused = (len(desk.server.patches), desk.server.gets)
        desk.move(clerk.REFUSED_SECONDS - 1)
        desk.server.always = None
        desk.until(desk.writer._inbox.empty, what="the writer has read it")
        desk.move(2)
        desk.until(lambda: desk.server.status, what="a status")

    assert (2, 1) == refused
    assert ["refused: status.desired: too small", "written"] == desk.words.told


def test_while_the_server_is_away_the_newest_waits(desk: Desk) -> None:
    """Each failure waits longer; what is written at last is what is true then."""
    desk.server.errors = [Unreachable("away"), Unreachable("away")]
    desk.node.want(image())

    with desk.writing():
        desk.saw(desk.server.read())
        desk.until(lambda: len(desk.words.told) == 1, what="the first failure")
        desk.node.end(DONE)
        desk.move(11)
        desk.until(lambda: len(desk.words.told) == 2, what="the second failure")
        desk.move(11)
        desk.until(lambda: desk.server.status, what="a status")

    assert ["failed: away", "failed: away", "written"] == desk.words.told
    assert ([1, 2], 1) == (desk.waits, desk.server.status["succeeded"])


@pytest.mark.parametrize(
    ("asked_seconds", "left_alone_seconds"), [(30.0, 40.0), (1e9, 310.0)], ids=["30 s", "for ever"]
)
def test_a_server_that_asks_for_a_pause_gets_it(asked_seconds: float, left_alone_seconds: float, desk: Desk) -> None:
    """Our own wait comes on top, so that nodes do not come back together; nobody silences a node for ever."""
    desk.server.errors = [Throttled("slow down", code=429, retry_after_seconds=asked_seconds)]

    with desk.writing():
        desk.saw(desk.server.read())
        desk.until(lambda: desk.words.told, what="the failure")
        desk.move(left_alone_seconds - 1)
        desk.until(desk.writer._inbox.empty, what="the writer has read it")
        desk.move(2)
        desk.until(lambda: desk.server.status, what="a status")

    assert ["failed: slow down", "written"] == desk.words.told


def test_an_object_that_is_gone_is_no_failure(desk: Desk) -> None:
    """The watch tells of it a moment later; when one is there again, everything is said anew."""
    with desk.writing():
        desk.saw(desk.server.read())
        desk.until(lambda: desk.server.status, what="a status")
        desk.server.object = None
        desk.node.want(image())
        desk.node.end(DONE)
        desk.until(lambda: len(desk.server.patches) == 2, what="a patch that finds nothing")
        desk.saw(None)
        desk.saw(desk.server.put("node"))
        desk.until(lambda: desk.server.status, what="a status")

    assert (["written", "written"], 1) == (desk.words.told, desk.server.status["succeeded"])


def test_an_object_that_stands_is_written_to_though_it_was_not_found_once(desk: Desk) -> None:
    """Of several API servers behind one address one may not know the kind yet; the watch tells nothing of that."""
    desk.server.errors = [NotFound("no such resource", code=404), NotFound("no such resource", code=404)]
    desk.node.want(image())

    with desk.writing():
        desk.saw(desk.server.read())
        desk.until(lambda: desk.waits == [1], what="the first failure, of which the watch may tell yet")
        desk.move(11)
        desk.until(lambda: desk.waits == [1, 2], what="the second")
        desk.move(11)
        desk.until(lambda: desk.server.status, what="a status")

    assert ["failed: no such resource", "written"] == desk.words.told


def test_last_words_have_what_pacing_holds_back(desk: Desk) -> None:
    """A pull's progress of the last seconds, say; the next process goes on from there."""
    with desk.writing():
        desk.saw(desk.server.read())
        desk.node.want(image())
        desk.node.ask_registry()
        desk.clock.advance(2)
        desk.saw(desk.server.read())
        desk.until(lambda: desk.server.status.get("desired"), what="the pull in the status")
        before = desk.tag_status()
        desk.node.progress(progress(40))

    assert ("Pulling", None) == (before["phase"], before.get("progress"))
    assert 40 == desk.tag_status()["progress"]


def test_with_nothing_new_the_last_words_are_none(desk: Desk) -> None:
    """A rollout over a large cluster is no storm of writes."""
    with desk.writing():
        desk.saw(desk.server.read())
        desk.until(lambda: desk.server.status, what="a status")

    assert 1 == len(desk.server.patches)


def test_last_words_are_tried_for_a_few_seconds_and_no_longer(desk: Desk) -> None:
    """The kubelet kills what does not end; each request has a short time too, whatever was due at the stop."""
    desk.server.always = Unreachable("away")
    desk.server.asked = lambda: desk.clock.advance(LAST_WORDS_SECONDS / 2)
    desk.saw(desk.server.read())
    desk.writer.stop()

    with desk.writing():
        desk.until(lambda: len(desk.server.patches) >= 2, what="a second try")

    assert [LAST_PATCH_TIMEOUT_SECONDS] * 2 == desk.server.timeouts


def test_another_daemon_is_told_once_and_so_is_that_it_is_gone(desk: Desk) -> None:
    """To the log and metrics, to the cluster as an event, and in the status with the mend."""

    def theirs() -> Resource:
        resource = desk.server.read()
        resource["metadata"]["managedFields"] = [Writing(manager="kruise-daemon", subresource="status")]  # type: ignore[index]
        return resource

    def reason() -> object:
        return next(one["reason"] for one in desk.server.status["conditions"] if one["type"] == "SoleReporter")

    with desk.writing():
        desk.saw(desk.server.read())
        desk.until(lambda: desk.server.status, what="a status")
        for seconds in (1.0, 20.0):
            desk.clock.advance(seconds)
            desk.server.overwrite({"desired": 9})
            desk.saw(theirs())
            desk.until(lambda: desk.server.status["desired"] == 0, what="it is mended")
        during = reason()
        desk.move(900.0)
        desk.until(lambda: reason() == "NoOtherDaemon", what="nobody else")
        desk.until(lambda: "alone" in desk.words.told, what="that is told")

    assert "OtherDaemon" == during
    assert ["other: kruise-daemon", "event on node: kruise-daemon", "alone"] == [
        words for words in desk.words.told if words != "written"
    ]
