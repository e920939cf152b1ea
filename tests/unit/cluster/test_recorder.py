"""Events are sent in the API's form, limited, and never at the expense of whom they are recorded for."""

import threading
import time
from collections.abc import Iterator

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.cluster.errors import ClusterError, Denied, Unreachable
from daemon.cluster.eventlimits import BURST, REMEMBERED, EventLimits
from daemon.cluster.paths import target_of
from daemon.cluster.recorder import QUEUED, EventRecorder, Regarding, cut
from daemon.cluster.transport import HttpApi
from tests.servers.processes import until
from tests.servers.scripted_answers import Hang, Raw, refused
from tests.servers.scripted_api import ScriptedApi
from tests.unit.cluster.clock import SetClock


NODE = Regarding(api_version="apps.kruise.io/v1beta1", kind="NodeImage", name="node-1", uid="u-1")
JOB = Regarding(api_version="apps.kruise.io/v1beta1", kind="ImagePullJob", name="job", uid="u-2", namespace="team")


class Recording:
    """A recorder with what it dropped and what failed."""

    def __init__(self, client: HttpApi) -> None:
        self.clock = SetClock()
        self.dropped = 0
        self.waits: list[float] = []
        self.asked = 0
        self.errors: list[ClusterError] = []
        self.recorder = EventRecorder(
            client,
            controller="prewarm.internal/agent",
            instance="agent-x",
            dropped=self._drop,
            failed=self.errors.append,
            clock=self.clock,
            admit=self._admit,
        )
        self.thread = threading.Thread(target=self.recorder.run, name="events")

    def record(self, note: str = "done", *, regarding: Regarding = NODE, reason: str = "PullImageSucceed") -> None:
        """Record an event."""
        self.recorder.record(regarding, kind="Normal", reason=reason, note=note, action="PullImage")

    def _drop(self) -> None:
        self.dropped += 1

    def _admit(self) -> float:
        self.asked += 1
        return self.waits.pop(0) if self.waits else 0.0


@pytest.fixture
def recording(client: HttpApi) -> Iterator[Recording]:
    """A recorder, which a test starts by `recording.thread.start()`."""
    recording = Recording(client)
    yield recording
    recording.recorder.stop()
    client.close()
    if recording.thread.is_alive():
        recording.thread.join(10)
    assert not recording.thread.is_alive()


def _sent(api: ScriptedApi) -> list[dict[str, object]]:
    return [msgspec.json.decode(request.body) for request in api.asked("create")]


def test_an_event_has_the_apis_form(api: ScriptedApi, recording: Recording) -> None:
    """All that events.k8s.io/v1 wants, with microseconds, in the namespace of what it is about."""
    recording.thread.start()

    recording.record("pulled", regarding=JOB)
    until(lambda: api.count("create") == 1, what="the event", timeout_seconds=20)

    sent = _sent(api)[0]
    metadata = sent.pop("metadata")
    assert isinstance(metadata, dict)
    assert "/apis/events.k8s.io/v1/namespaces/team/events" == api.asked("create")[0].path
    assert ("team", "job") == (metadata["namespace"], metadata["name"].partition(".")[0])
    assert {
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "eventTime": "2026-01-01T00:16:40.000000Z",
        "type": "Normal",
        "reason": "PullImageSucceed",
        "action": "PullImage",
        "note": "pulled",
        "reportingController": "prewarm.internal/agent",
        "reportingInstance": "agent-x",
        "regarding": {
            "apiVersion": "apps.kruise.io/v1beta1",
            "kind": "ImagePullJob",
            "namespace": "team",
            "name": "job",
            "uid": "u-2",
        },
    } == sent


def test_an_event_of_a_cluster_wide_object_lies_in_default(api: ScriptedApi, recording: Recording) -> None:
    """As the API demands; its name is cut where the object's is long, and is no other's."""
    recording.thread.start()
    long = msgspec.structs.replace(NODE, name="n" * 219 + "." + "m" * 33)

    recording.record("one", regarding=long)
    recording.record("two", regarding=long)
    until(lambda: api.count("create") == 2, what="the events", timeout_seconds=20)

    names = [each["metadata"]["name"] for each in _sent(api)]  # type: ignore[index]
    assert 2 == len(set(names))
    assert all(len(name) <= 253 and ".." not in name for name in names)
    assert {"/apis/events.k8s.io/v1/namespaces/default/events"} == {each.path for each in api.asked("create")}


def test_a_namespace_that_is_none_leads_nowhere_else(api: ScriptedApi, recording: Recording) -> None:
    """An owner's namespace is whatever a NodeImage says; it is one segment of the path, here and in the metrics."""
    recording.thread.start()

    recording.record(regarding=msgspec.structs.replace(JOB, namespace="../../v1/secrets?x=é"))
    until(lambda: api.count("create"), what="the event", timeout_seconds=20)

    expected = "/apis/events.k8s.io/v1/namespaces/..%2F..%2Fv1%2Fsecrets%3Fx%3D%C3%A9/events"
    assert [(expected, {})] == [(each.path, each.query) for each in api.asked("create")]
    assert "events" == target_of(expected).resource


def test_recording_never_waits(api: ScriptedApi, recording: Recording) -> None:
    """While the API server hangs, events queue up to a bound, and what is beyond it is dropped and counted."""
    api.script.always("create", Hang())
    recording.thread.start()
    began = time.monotonic()

    for number in range(QUEUED + 100):
        recording.record(f"note {number}", reason=f"Reason{number}")

    assert time.monotonic() - began < 5
    assert 99 <= recording.dropped <= 100


def test_an_event_that_fails_is_sent_again_a_few_times(api: ScriptedApi, recording: Recording) -> None:
    """A server that is busy gets it again after the pause that it asks for; nothing is told as failed."""
    api.script.add("create", refused(429, "TooManyRequests", Retry_After="1"))
    recording.thread.start()

    recording.record()
    until(lambda: api.count("create") == 2, what="the second attempt", timeout_seconds=20)

    first, second = api.asked("create")
    assert second.at_seconds - first.at_seconds >= 1
    assert ([], 0) == (recording.errors, recording.dropped)


def test_an_event_whose_answer_was_lost_is_stored_once(api: ScriptedApi, recording: Recording) -> None:
    """It keeps its name at each attempt, and a name that is taken is its own: it was stored."""
    api.script.add("create", Raw())
    api.script.add("create", refused(409, "AlreadyExists"))
    recording.thread.start()

    recording.record()
    recording.record("another")
    until(lambda: api.count("create") == 3, what="the next event", timeout_seconds=20)

    first, second, other = [each["metadata"]["name"] for each in _sent(api)]  # type: ignore[index]
    assert (True, False) == (first == second, first == other)
    assert ([], 0) == (recording.errors, recording.dropped)


def test_an_event_that_is_refused_is_dropped(api: ScriptedApi, recording: Recording) -> None:
    """Without the right to create events they are counted and told, and the next one is tried all the same."""
    api.script.add("create", refused(403, "Forbidden"))
    recording.thread.start()

    recording.record("one")
    recording.record("two")
    until(lambda: api.count("create") == 2, what="both events", timeout_seconds=20)

    assert [Denied] == [type(error) for error in recording.errors]
    assert 1 == recording.dropped


def test_what_is_queued_is_sent_at_the_end(api: ScriptedApi, recording: Recording) -> None:
    """A stop takes no more, and sends what was recorded before."""
    for number in range(5):
        recording.record(f"note {number}")

    recording.recorder.stop()
    recording.record("late")
    recording.thread.start()
    recording.thread.join(10)

    assert [f"note {number}" for number in range(5)] == [each["note"] for each in _sent(api)]
    assert 1 == recording.dropped


def test_a_stop_does_not_wait_long_for_a_server_that_hangs(api: ScriptedApi, recording: Recording) -> None:
    """After its time what is left is dropped, and the thread ends."""
    api.script.always("create", Hang())
    for number in range(5):
        recording.record(f"note {number}")
    began = time.monotonic()

    recording.recorder.stop(timeout_seconds=0.5)
    recording.thread.start()
    recording.thread.join(10)

    assert time.monotonic() - began < 3
    assert 5 == recording.dropped
    assert {Unreachable} == {type(error) for error in recording.errors}


def test_a_stop_ends_a_pause_between_attempts(api: ScriptedApi, recording: Recording) -> None:
    """A server that asked for a long pause does not hold up our end."""
    api.script.always("create", refused(429, "TooManyRequests", Retry_After="60"))
    recording.thread.start()
    recording.record()
    until(lambda: api.count("create") == 1, what="the attempt", timeout_seconds=20)
    began = time.monotonic()

    recording.recorder.stop()
    recording.thread.join(10)

    assert time.monotonic() - began < 3
    assert 1 == recording.dropped


def test_an_event_waits_until_it_is_admitted(api: ScriptedApi, recording: Recording) -> None:
    """More urgent writes come first: it is asked again after the pause that was named, and once for each request."""
    recording.waits = [0.05, 0.05, 0.0]
    recording.record("one")
    recording.record("two")
    began = time.monotonic()

    recording.thread.start()
    until(lambda: api.count("create") == 2, what="both events", timeout_seconds=20)

    assert api.asked("create")[0].at_seconds - began >= 0.1
    assert (4, 0) == (recording.asked, recording.dropped)


def test_another_attempt_takes_another_place(api: ScriptedApi, recording: Recording) -> None:
    """Each request counts against the budget, not each event."""
    api.script.add("create", refused(503, "ServiceUnavailable"), times=2)
    recording.record()

    recording.thread.start()
    until(lambda: api.count("create") == 3, what="the third attempt", timeout_seconds=20)

    assert 3 == recording.asked


def test_a_stop_does_not_wait_for_a_place(api: ScriptedApi, recording: Recording) -> None:
    """What is not admitted at once is dropped, and the thread ends."""
    recording.waits = [60.0] * 10
    for number in range(3):
        recording.record(f"note {number}")
    recording.thread.start()
    until(lambda: recording.asked == 1, what="the first to wait", timeout_seconds=20)
    began = time.monotonic()

    recording.recorder.stop()
    recording.thread.join(10)

    assert time.monotonic() - began < 3
    assert (3, 0) == (recording.dropped, api.count("create"))


def test_the_same_event_again_is_dropped_for_ten_minutes() -> None:
    """An image that fails each minute in the same words is one event; in other words, or later, it is another."""
    limits = EventLimits()

    actual = [
        limits.allows("u", "PullImageFailed", "denied", now_seconds=0),
        limits.allows("u", "PullImageFailed", "denied", now_seconds=599),
        limits.allows("u", "PullImageFailed", "not found", now_seconds=599),
        limits.allows("other", "PullImageFailed", "denied", now_seconds=599),
        limits.allows("u", "PullImageFailed", "denied", now_seconds=600),
    ]

    assert [True, False, True, True, True] == actual


def test_many_events_of_one_object_and_reason_are_limited() -> None:
    """25 at once, then one each ten seconds; another reason has a bucket of its own."""
    limits = EventLimits()

    at_once = [limits.allows("u", "Failed", f"{number}", now_seconds=0) for number in range(100)]
    later = [limits.allows("u", "Failed", f"later {number}", now_seconds=25) for number in range(100)]

    assert (25, 2) == (sum(at_once), sum(later))
    assert limits.allows("u", "Succeeded", "x", now_seconds=25)


@given(
    events=st.lists(
        st.tuples(st.floats(min_value=0, max_value=20), st.sampled_from("ab"), st.integers(0, 200)), max_size=300
    )
)
def test_no_order_of_events_passes_the_limits(events: list[tuple[float, str, int]]) -> None:
    """In any stretch of time a reason gets its burst and what came back meanwhile, and no repeat within ten minutes."""
    limits, now, sent = EventLimits(), 0.0, []
    for wait, reason, note in events:
        now += wait
        if limits.allows("u", reason, str(note), now_seconds=now):
            sent.append((now, reason, note))

    for index, (begin, reason, _) in enumerate(sent):
        same = [(at, note) for at, each, note in sent[index:] if each == reason]
        for count, (at, _) in enumerate(same, start=1):
            assert count <= BURST + (at - begin) / 10 + 1e-6
    last: dict[tuple[str, int], float] = {}
    for at, reason, note in sent:
        assert at - last.get((reason, note), -600.0) >= 600.0
        last[(reason, note)] = at


def test_what_is_remembered_is_bounded() -> None:
    """A node with endless different images does not grow."""
    limits = EventLimits()

    for number in range(REMEMBERED * 3):
        limits.allows(f"u{number}", "Failed", f"{number}", now_seconds=0)

    assert REMEMBERED == len(limits._sent._entries) == len(limits._buckets._entries)


@given(text=st.text(max_size=40), most_bytes=st.integers(min_value=3, max_value=60))
def test_a_note_is_cut_between_characters(text: str, most_bytes: int) -> None:
    """Never longer than the API takes, always text, and whole where it fits."""
    actual = cut(text, most_bytes=most_bytes)

    encoded = text.encode(errors="replace")
    assert len(actual.encode()) <= most_bytes
    assert actual == encoded.decode() or (len(encoded) > most_bytes and actual.endswith("..."))
    assert text.encode(errors="replace").decode().startswith(actual.removesuffix("..."))


def test_a_note_of_more_than_a_kibibyte_is_cut(api: ScriptedApi, recording: Recording) -> None:
    """1,024 bytes, also where characters take several; what is no text is replaced."""
    recording.thread.start()

    recording.record("\u00e9" * 2000 + "\ud800")
    until(lambda: api.count("create") == 1, what="the event", timeout_seconds=20)

    note = _sent(api)[0]["note"]
    assert isinstance(note, str)
    assert 1023 == len(note.encode())
