"""A request is sent only while its coordinator leads, and its outcome always comes back."""

from collections.abc import Mapping

import msgspec
import pytest

from daemon.cluster.errors import ClusterError, Denied, ServerFailed, Unreachable
from daemon.cluster.interface import Write
from daemon.cluster.writes import deletion, json_patch
from daemon.coordinator.requests import About, Outcome, Request, Urgency
from daemon.coordinator.seen import SeenNodeImage
from daemon.coordinator.sending import SENDERS, TIMEOUT_SECONDS, Senders


PATH = "/apis/apps.kruise.io/v1beta1/nodeimages/node-a"
NODE_IMAGE = msgspec.json.encode({"metadata": {"name": "node-a", "uid": "i1", "resourceVersion": "7"}})
WRITE = json_patch(PATH, [])
GRANT = Request(urgency=Urgency.GRANT, about=About.NODE_IMAGE, subject="node-a", path=PATH, write=WRITE)
READ = Request(urgency=Urgency.READ, about=About.NODE_IMAGE, subject="node-a", path=PATH)
REMOVAL = Request(
    urgency=Urgency.UPKEEP,
    about=About.NODE_IMAGE,
    subject="node-a",
    path=PATH,
    write=deletion(PATH, uid="i1"),
    is_removal=True,
)


class Api:
    """Answers each request alike, and keeps what was asked."""

    def __init__(self, answer: bytes | ClusterError) -> None:
        self.answer = answer
        self.asked: list[tuple[str, float]] = []

    def fetch(self, path: str, *, query: Mapping[str, str] | None = None, timeout_seconds: float) -> bytes:
        """Read."""
        assert query is None
        return self._take(f"get {path}", timeout_seconds)

    def send(self, write: Write, *, timeout_seconds: float) -> bytes:
        """Write."""
        return self._take(f"{write.verb} {write.path}", timeout_seconds)

    def _take(self, words: str, timeout_seconds: float) -> bytes:
        self.asked.append((words, timeout_seconds))
        if isinstance(self.answer, ClusterError):
            raise self.answer
        return self.answer


def _outcomes(api: Api, *requests: Request, leads: bool = True) -> list[Outcome]:
    """Send requests with one sender until it is told to stop."""
    outcomes: list[Outcome] = []
    senders = Senders(api, may_send=lambda: leads, done=outcomes.append)
    for request in requests:
        senders.send(request)
    senders.stop()
    senders.run()
    return outcomes


@pytest.mark.parametrize("request_", [GRANT, READ, REMOVAL])
def test_who_does_not_lead_sends_nothing(request_: Request) -> None:
    """Whatever was decided before: a new leader may have begun."""
    api = Api(NODE_IMAGE)

    (outcome,) = _outcomes(api, request_, leads=False)

    assert [] == api.asked
    assert (False, None, None) == (outcome.was_sent, outcome.seen, outcome.error)


def test_a_request_ends_before_another_can_lead() -> None:
    """Ten seconds after a renewal the Lease may be lost; six later nothing is begun, and four a request lasts."""
    api = Api(NODE_IMAGE)

    _outcomes(api, GRANT, READ)

    assert [(f"patch {PATH}", TIMEOUT_SECONDS), (f"get {PATH}", TIMEOUT_SECONDS)] == api.asked
    assert 4.0 == TIMEOUT_SECONDS


def test_an_answer_is_what_was_seen() -> None:
    """Whatever answers says how the object stands now."""
    (outcome,) = _outcomes(Api(NODE_IMAGE), GRANT)

    assert isinstance(outcome.seen, SeenNodeImage)
    assert ("i1", 7) == (outcome.seen.uid, outcome.seen.version)


@pytest.mark.parametrize("error", [Unreachable("no answer"), Denied("forbidden", code=403)])
def test_a_failure_comes_back_with_its_request(error: ClusterError) -> None:
    """The loop has to know whose it is."""
    (outcome,) = _outcomes(Api(error), GRANT)

    assert (GRANT, error, True) == (outcome.request, outcome.error, outcome.was_sent)


@pytest.mark.parametrize("answer", [b"", b"[]", b'{"metadata": {"name": "", "password": "hunter2"}}'])
def test_an_answer_that_is_no_object_may_have_been_done(answer: bytes) -> None:
    """It counts as a failure of the server's whose outcome is not known, and nothing of it is quoted."""
    (outcome,) = _outcomes(Api(answer), GRANT)

    assert isinstance(outcome.error, ServerFailed)
    assert "hunter2" not in str(outcome.error)
    assert None is outcome.error.__context__


def test_what_was_removed_is_not_read() -> None:
    """The answer to a deletion is the object, or a Status."""
    (outcome,) = _outcomes(Api(b"{}"), REMOVAL)

    assert (None, None, True) == (outcome.error, outcome.seen, outcome.was_sent)


def test_a_stop_ends_each_sender_behind_what_was_asked() -> None:
    """What was asked for is answered first, so that the loop waits for nothing that never comes."""
    outcomes: list[Outcome] = []
    senders = Senders(Api(NODE_IMAGE), may_send=lambda: True, done=outcomes.append)

    senders.send(GRANT)
    senders.stop()
    for _ in range(SENDERS):
        senders.run()

    assert [GRANT] == [outcome.request for outcome in outcomes]
