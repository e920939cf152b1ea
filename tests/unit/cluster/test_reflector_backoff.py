"""A server that fails is left alone longer and longer, whatever its way to fail, and is heard again when it is back."""

import itertools
import time

import pytest

from daemon.cluster.reflector import Timing
from tests.servers.processes import until
from tests.servers.scripted_answers import Answer, Lines, Raw, Reply, event, refused, status
from tests.servers.scripted_api import ScriptedApi
from tests.unit.cluster.conftest import TIMING, Reflect
from tests.unit.cluster.heard import Heard


# A tenth of the real pauses: in half a second a handful of requests, where no pause would make a hundred.
TENTH = Timing(request_seconds=5, first_seconds=0.05, most_seconds=3.0)
OBSERVED_SECONDS = 0.5
MOST_REQUESTS = 14

GONE = b'{"type":"ERROR","object":' + status(410, "Expired", "too old resource version") + b"}\n"
BROKEN = b'{"type":"ERROR","object":' + status(500, "InternalError", "etcd is away") + b"}\n"
BOOKMARK = event("BOOKMARK", {"metadata": {"resourceVersion": "101"}})


@pytest.mark.parametrize(
    ("verb", "reply"),
    [
        ("list", refused(403, "Forbidden")),
        ("list", refused(404, "NotFound")),
        ("list", refused(500, "InternalError")),
        ("list", refused(410, "Expired")),
        ("list", refused(401, "Unauthorized")),
        ("list", Raw()),
        ("list", Answer(body=b"<html>")),
        ("list", Answer(body=b'{"items": [{"no": "metadata"}]}')),
        ("list", Answer(body=b'{"items": [{"metadata": {}}]}')),
        ("watch", refused(403, "Forbidden")),
        ("watch", refused(500, "InternalError")),
        ("watch", refused(429, "TooManyRequests")),
        ("watch", refused(410, "Expired")),
        ("watch", Lines(chunks=(GONE,))),
        ("watch", Lines(chunks=(BROKEN,))),
        ("watch", Lines()),
        ("watch", Lines(then="cut")),
        ("watch", Lines(chunks=(BOOKMARK,))),
        ("watch", Lines(chunks=(b"no JSON\n",))),
        ("watch", Lines(chunks=(b'{"type":"ADDED","object":{}}\n',))),
        ("watch", Raw()),
    ],
)
def test_a_server_that_fails_gets_few_requests(
    verb: str, reply: Reply, api: ScriptedApi, heard: Heard, reflect: Reflect
) -> None:
    """Every failure, also a watch that ends at once with or without an event, is followed by a growing pause."""
    api.script.always(verb, reply)
    reflect(TENTH)
    until(lambda: api.count(verb) >= 2, what="a second attempt", timeout_seconds=20)
    _let_pass(OBSERVED_SECONDS)

    count = api.count(verb)
    api.script.clear()

    assert count <= MOST_REQUESTS


def test_a_server_that_is_away_gets_few_attempts(api: ScriptedApi, heard: Heard, reflect: Reflect) -> None:
    """Refused connections too are paused after; without a pause they cost a whole core."""
    reflect(TENTH)
    until(lambda: api.count("watch") == 1, what="the watch", timeout_seconds=20)

    api.close()
    _let_pass(OBSERVED_SECONDS)

    assert 1 <= len([code for _, _, code in heard.requests if code == "none"]) <= MOST_REQUESTS


@pytest.mark.parametrize("code", [429, 503])
def test_the_pause_that_the_server_asks_for_is_kept(
    code: int, api: ScriptedApi, heard: Heard, reflect: Reflect
) -> None:
    """Retry-After is the least; jitter comes on top, so that a thousand nodes do not come back together."""
    api.script.add("list", refused(code, "Busy", Retry_After="1"))

    reflect(TIMING)
    until(lambda: api.count("watch") == 1, what="the watch", timeout_seconds=20)

    times = [request.at_seconds for request in api.asked("list")]
    assert [True] == [after - before >= 1 for before, after in itertools.pairwise(times)]


def test_a_missing_resource_is_told_and_found_when_it_comes(api: ScriptedApi, heard: Heard, reflect: Reflect) -> None:
    """Without the CRD the listener hears NotFound; once it is there, the list."""
    api.script.add("list", refused(404, "NotFound"), times=2)
    api.put("a")

    reflector = reflect()
    until(lambda: heard.has("listed a"), what="the list", timeout_seconds=20)

    assert ["missed NotFound", "missed NotFound", "applied a", "listed a"] == heard.words
    assert reflector.last_sync is not None


def test_what_was_heard_stands_while_the_server_fails(api: ScriptedApi, heard: Heard, reflect: Reflect) -> None:
    """A list that fails takes nothing away from the cache."""
    api.put("a")
    reflector = reflect()
    until(lambda: api.count("watch") == 1, what="the watch", timeout_seconds=20)

    api.script.always("watch", refused(403, "Forbidden"))
    api.script.always("list", refused(404, "NotFound"))
    api.cut()
    until(lambda: heard.has("missed NotFound"), what="the failure", timeout_seconds=20)

    assert 1 == len(reflector.known.identities())
    assert not [word for word in heard.words if word.startswith("deleted")]


def test_a_long_watch_makes_earlier_failures_forgotten(api: ScriptedApi, heard: Heard, reflect: Reflect) -> None:
    """After a steady watch the pauses begin from the shortest again."""
    timing = Timing(request_seconds=5, first_seconds=0.001, most_seconds=0.001, steady_seconds=1e-6)
    api.script.add("list", refused(500, "InternalError"), times=5)
    reflector = reflect(timing)
    until(lambda: api.count("watch") == 1, what="the watch", timeout_seconds=20)
    before = reflector._failures

    api.cut()
    until(lambda: api.count("watch") == 2, what="the next watch", timeout_seconds=20)

    assert (5, 1) == (before, reflector._failures)


def test_an_outage_that_outlived_the_servers_memory_is_over_with_its_answer(
    api: ScriptedApi, heard: Heard, reflect: Reflect
) -> None:
    """A version that is gone is another failure than those before it: its pause is the shortest one again."""
    timing = Timing(request_seconds=5, first_seconds=0.001, most_seconds=0.001)
    api.script.add("watch", refused(500, "InternalError"), times=5)
    api.script.add("watch", Lines(chunks=(GONE,)))
    reflector = reflect(timing)

    until(lambda: api.count("watch") == 7, what="the watch after the new list", timeout_seconds=20)

    assert 1 == reflector._failures
    assert heard.has("missed Expired")


def test_a_version_that_is_gone_again_and_again_is_paused_after_longer_and_longer(
    api: ScriptedApi, heard: Heard, reflect: Reflect
) -> None:
    """A server that forgets each version at once must not be listed in a rush."""
    timing = Timing(request_seconds=5, first_seconds=0.001, most_seconds=0.001)
    api.script.add("watch", Lines(chunks=(GONE,)), times=4)
    reflector = reflect(timing)

    until(lambda: api.count("watch") == 5, what="the watch that holds", timeout_seconds=20)

    assert 4 == reflector._failures


def test_the_times_of_syncs_are_readable(api: ScriptedApi, heard: Heard, reflect: Reflect) -> None:
    """Not synced before the first list; afterwards the time moves with everything that is heard."""
    api.script.always("list", refused(500, "InternalError"))
    reflector = reflect()
    until(lambda: heard.has("missed ServerFailed"), what="the failure", timeout_seconds=20)
    assert reflector.last_sync is None

    api.script.clear()
    until(lambda: reflector.last_sync is not None, what="the list", timeout_seconds=20)
    until(lambda: api.count("watch") == 1, what="the watch", timeout_seconds=20)
    first = reflector.last_sync
    api.bookmark()
    until(lambda: reflector._version == str(api.version), what="the bookmark", timeout_seconds=20)

    assert first is not None
    assert reflector.last_sync is not None
    assert reflector.last_sync.seconds > first.seconds


def _let_pass(seconds: float) -> None:
    end = time.monotonic() + seconds
    until(lambda: time.monotonic() >= end, what="the time to pass", timeout_seconds=seconds + 10)
