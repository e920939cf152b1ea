"""A reflector's cache is the server's state, and its listener hears each change once, in order."""

import itertools
import threading
import time
from collections.abc import Sequence

import msgspec
import pytest

from daemon.cluster.interface import Resource
from daemon.cluster.metadata import Identity, decode_resource
from daemon.cluster.reflector import Reflector, Timing
from daemon.cluster.transport import HttpApi
from tests.servers.processes import until
from tests.servers.scripted_answers import Lines, event, refused, status
from tests.servers.scripted_api import ScriptedApi
from tests.unit.cluster.conftest import TIMING, Reflect
from tests.unit.cluster.heard import Heard


WAIT_SECONDS = 20.0


class Broken(Heard):
    """A listener with a defect."""

    def listed(self, identities: Sequence[Identity]) -> None:
        """Fail."""
        del identities
        raise ZeroDivisionError


def _wait_for(heard: Heard, word: str) -> None:
    until(lambda: heard.has(word), what=word, timeout_seconds=WAIT_SECONDS)


def _wait_for_count(api: ScriptedApi, verb: str, count: int) -> None:
    until(lambda: api.count(verb) >= count, what=f"{count} times {verb}", timeout_seconds=WAIT_SECONDS)


def test_what_is_there_is_told_by_a_list_and_what_changes_by_a_watch(
    api: ScriptedApi, heard: Heard, reflect: Reflect
) -> None:
    """The listener hears objects, then the whole list, then each change; the query goes with every request."""
    api.put("a", {"spec": 1})

    reflector = reflect()
    _wait_for_count(api, "watch", 1)
    api.put("a", {"spec": 2})
    api.delete("a")
    _wait_for(heard, "deleted a")

    assert ["applied a", "listed a", "applied a", "deleted a"] == heard.words
    assert reflector.last_sync is not None
    assert () == reflector.known.identities()
    assert {"metadata.name=a"} == {request.query["fieldSelector"] for request in api.requests}


def test_managed_fields_are_dropped(api: ScriptedApi, heard: Heard, reflect: Reflect) -> None:
    """Who manages which field is neither kept nor told, from a list and from a watch."""
    api.put("a")

    reflect()
    _wait_for_count(api, "watch", 1)
    api.put("b")
    _wait_for(heard, "applied b")

    assert [False, False] == ["managedFields" in str(resource) for resource in heard.resources]


def test_a_bookmark_moves_the_version(api: ScriptedApi, heard: Heard, reflect: Reflect) -> None:
    """After a bookmark and a cut the watch goes on from the bookmark's version, without a list."""
    reflector = reflect()
    _wait_for_count(api, "watch", 1)
    api.bookmark()
    until(lambda: reflector._version == str(api.version), what="the bookmark", timeout_seconds=WAIT_SECONDS)

    api.cut()
    _wait_for_count(api, "watch", 2)

    assert str(api.version) == api.asked("watch")[1].query["resourceVersion"]
    assert 1 == api.count("list")
    assert ["listed", "missed Unreachable"] == heard.words


def test_a_watch_that_ends_by_itself_goes_on_without_a_list(api: ScriptedApi, heard: Heard, reflect: Reflect) -> None:
    """Idle watches end and begin anew from their version: no list, no pause, no miss, and nothing is lost between."""
    reflector = reflect(Timing(watch_seconds=(1, 1)))
    _wait_for_count(api, "watch", 3)
    api.put("a")
    _wait_for(heard, "applied a")

    assert 1 == api.count("list")
    assert ["listed", "applied a"] == heard.words
    assert {"ended"} == set(heard.restarts)
    assert 0 == reflector._failures
    assert all(gap >= 1 for gap in _gaps(api))


def _gaps(api: ScriptedApi) -> list[float]:
    """Return the seconds between one watch's begin and the next one's."""
    times = [request.at_seconds for request in api.asked("watch")]
    return [after - before for before, after in itertools.pairwise(times)]


def test_a_version_that_is_gone_brings_a_list(api: ScriptedApi, heard: Heard, reflect: Reflect) -> None:
    """410 as an event and 410 as a status: a new list, and only what differs is told."""
    api.put("a")
    api.put("b")
    reflect()
    _wait_for_count(api, "watch", 1)

    api.script.add("watch", refused(410, "Expired"))
    gone = status(410, "Expired", "too old resource version")
    api.script.add("watch", Lines(chunks=(b'{"type":"ERROR","object":' + gone + b"}\n",)))
    api.cut()
    _wait_for_count(api, "watch", 4)
    api.put("b", {"spec": 2})
    until(lambda: heard.words.count("applied b") == 2, what="b's change", timeout_seconds=WAIT_SECONDS)

    assert 3 == api.count("list")
    assert ["missed Expired", "missed Expired"] == [word for word in heard.words if word == "missed Expired"]
    assert 1 == heard.words.count("applied a")


def test_compacted_history_is_made_up_for(api: ScriptedApi, heard: Heard, reflect: Reflect) -> None:
    """What changed, went and came while the watch was away is told once after a 410."""
    for name in ("same", "changed", "gone"):
        api.put(name)
    reflector = reflect()
    _wait_for(heard, "listed changed gone same")

    api.script.always("watch", refused(503, "ServiceUnavailable"))
    api.script.always("list", refused(503, "ServiceUnavailable"))
    api.cut()
    _wait_for(heard, "missed ServerFailed")
    heard.words.clear()
    api.put("changed")
    api.put("new")
    api.delete("gone")
    api.compact()
    api.script.clear()
    _wait_for(heard, "listed changed new same")

    told = sorted(word for word in heard.words if not word.startswith(("missed", "listed")))
    assert ["applied changed", "applied new", "deleted gone"] == told
    assert 3 == len(reflector.known.identities())


def test_a_replaced_object_is_deleted_and_applied(api: ScriptedApi, heard: Heard, reflect: Reflect) -> None:
    """Another uid under the same name is another object, also where only a list shows it."""
    api.put("a")
    reflect()
    _wait_for_count(api, "watch", 1)

    api.put("a", is_other=True)
    until(lambda: len(heard.words) == 4, what="the replacement", timeout_seconds=WAIT_SECONDS)
    api.script.add("watch", refused(410, "Expired"))
    api.script.add("list", refused(500, "InternalError"), times=2)
    api.cut()
    _wait_for(heard, "missed ServerFailed")
    api.put("a", is_other=True)
    until(lambda: heard.words.count("deleted a") == 2, what="the second", timeout_seconds=WAIT_SECONDS)
    _wait_for_count(api, "watch", 3)

    told = [word for word in heard.words if word.endswith(" a") and not word.startswith("listed")]
    assert ["applied a", "deleted a", "applied a", "deleted a", "applied a"] == told


def test_an_oversized_line_brings_a_list_and_not_the_end(api: ScriptedApi, heard: Heard, reflect: Reflect) -> None:
    """A line of more than 4 MiB is not held; the reflector lists, and lives."""
    huge = Lines(chunks=(b"x" * (1 << 20),) * 5, then="hang")
    api.script.add("watch", huge)

    reflect()
    _wait_for(heard, "missed Oversized")
    api.put("a")
    _wait_for(heard, "applied a")

    assert 2 == api.count("list")


def test_a_silent_connection_is_cut_and_the_watch_goes_on(api: ScriptedApi, heard: Heard, reflect: Reflect) -> None:
    """A half-open connection ends by its silence, and what was said meanwhile is heard from the version."""
    reflect(Timing(request_seconds=1, watch_seconds=(1, 1), slack_seconds=0.5, first_seconds=0.05, most_seconds=0.2))
    _wait_for_count(api, "watch", 1)
    api.stall()
    api.put("a")
    _wait_for(heard, "missed Unreachable")
    api.stall(is_stalled=False)
    _wait_for(heard, "applied a")

    assert 1 == api.count("list")
    assert "cut" in heard.restarts


def test_an_event_split_anywhere_is_heard_once(api: ScriptedApi, heard: Heard, reflect: Reflect) -> None:
    """Chunks are no lines: an event that arrives byte by byte, and two in one chunk, are the same to the listener."""
    first = event("ADDED", {"metadata": {"name": "a", "uid": "1", "resourceVersion": "201"}})
    second = event("ADDED", {"metadata": {"name": "b", "uid": "2", "resourceVersion": "202"}})
    one_by_one = tuple(bytes([byte]) for byte in first)
    api.script.add("watch", Lines(chunks=(*one_by_one, second + b"\n", second[:-9]), then="hang"))

    reflect()
    _wait_for(heard, "applied b")

    assert ["listed", "applied a", "applied b"] == heard.words


def _choosy(content: bytes) -> Resource:
    """Decode an object whose spec is a number."""
    return msgspec.to_builtins(msgspec.json.decode(content, type=Choosy))  # type: ignore[no-any-return]


class Choosy(msgspec.Struct):
    """What a decoder may ask of objects."""

    spec: int
    metadata: dict[str, object]


def test_an_object_that_cannot_be_read_costs_itself_alone(api: ScriptedApi, heard: Heard, reflect: Reflect) -> None:
    """In a list and in a watch it is passed over with words that quote nothing of it, and the rest goes on."""
    api.put("a", {"spec": 1})
    api.put("b", {"spec": "s3cr3t"})
    reflector = reflect(decode=_choosy)
    _wait_for_count(api, "watch", 1)

    api.put("c", {"spec": ["s3cr3t"]})
    api.put("d", {"spec": 2})
    api.put("b", {"spec": 3})
    api.delete("c")
    _wait_for(heard, "deleted c")

    expected = ["applied a", "passed over b", "listed a b", "passed over c", "applied d", "applied b", "deleted c"]
    assert expected == heard.words
    assert {"a", "b", "d"} == {identity.name for identity in reflector.known.identities()}
    assert "the object can't be read: Expected `int`, got `str` - at `$.spec`" == heard.problems[0]
    assert not any("s3cr3t" in words for words in heard.problems)


def test_an_object_is_decoded_once_a_state(api: ScriptedApi, heard: Heard, reflect: Reflect) -> None:
    """A list of what is known already, and an object's end, decode nothing."""
    decoded: list[bytes] = []

    def decode(content: bytes) -> Resource:
        decoded.append(content)
        return decode_resource(content)

    api.put("a")
    api.put("b")
    reflect(decode=decode)
    _wait_for_count(api, "watch", 1)

    api.delete("b")
    _wait_for(heard, "deleted b")
    api.script.add("watch", refused(410, "Expired"))
    api.cut()
    _wait_for_count(api, "watch", 3)

    assert 2 == api.count("list")
    assert 2 == len(decoded)


def test_stop_ends_an_idle_watch_at_once(api: ScriptedApi, heard: Heard, reflect: Reflect) -> None:
    """A watch that waits for its next event ends within a second of stop, without a word of failure."""
    reflector = reflect()
    _wait_for_count(api, "watch", 1)
    began = time.monotonic()

    reflector.stop()
    until(lambda: not _is_running(), what="the end", timeout_seconds=1)

    assert time.monotonic() - began < 1
    assert ["listed"] == heard.words


def _is_running() -> bool:
    return any(thread.name == "reflector" for thread in threading.enumerate())


def test_a_list_comes_in_pages(api: ScriptedApi, heard: Heard, reflect: Reflect) -> None:
    """More than 500 objects are one list for the listener."""
    for number in range(1100):
        api.put(f"n{number}")

    reflector = reflect()
    _wait_for_count(api, "watch", 1)

    assert ["", "500", "1000"] == [request.query.get("continue", "") for request in api.asked("list")]
    assert 1 == len([word for word in heard.words if word.startswith("listed")])
    assert 1100 == len(reflector.known.identities())


def test_a_defect_of_the_listener_is_for_the_threads_root(api: ScriptedApi, client: HttpApi) -> None:
    """Nothing is caught on its way: the root of the thread ends the process, rather than go on half deaf."""
    reflector = Reflector(client, path=api.path, listener=Broken(), decode=decode_resource)

    with pytest.raises(ZeroDivisionError):
        reflector.run()

    assert 1 == api.count("list")


def test_the_default_timing_is_the_documented_one() -> None:
    """Watches of five to ten minutes with 15 s of slack; pauses from half a second to half a minute."""
    actual = Timing()

    assert ((300, 600), 15, 0.5, 30) == (
        actual.watch_seconds,
        actual.slack_seconds,
        actual.first_seconds,
        actual.most_seconds,
    )
    assert TIMING != actual
