"""A list is complete and of one moment, however many pages it takes."""

import tracemalloc
from pathlib import Path

import pytest

from daemon.cluster.errors import Expired, Oversized, ServerFailed, Unreachable
from daemon.cluster.metadata import Identity
from daemon.cluster.pages import Pages
from daemon.cluster.transport import HttpApi
from tests.servers.processes import until
from tests.servers.scripted_answers import Answer, refused
from tests.servers.scripted_api import ScriptedApi
from tests.unit.cluster.conftest import Reflect
from tests.unit.cluster.heard import Heard


NO_LISTS = [
    b"{}",
    b"[]",
    b"{",
    b'{"items": 1}',
    b'{"items": [1]}',
    b'{"items": {"a": 1}}',
    b'{"items": [{"metadata": {}}]}',
]


def _pages(api: ScriptedApi, client: HttpApi, *, is_stopped: bool = False, page_objects: int = 500) -> Pages:
    return Pages(
        client,
        api.path,
        query={},
        timeout_seconds=10,
        is_stopped=lambda: is_stopped,
        page_objects=page_objects,
    )


def _ignore(identity: Identity, content: bytes) -> None:
    del identity, content


def test_a_page_that_is_too_large_is_asked_for_smaller(api: ScriptedApi, tmp_path: Path) -> None:
    """Objects larger than expected make pages smaller, for good, instead of filling the memory."""
    client = HttpApi(api.access(tmp_path), user_agent="t", answer_bytes=20_000)
    for number in range(20):
        api.put(f"n{number:02}", {"spec": "x" * 2000})
    pages = _pages(api, client)
    seen: list[str] = []

    first, second = (pages.list(lambda identity, _content: seen.append(identity.name)) for _ in range(2))
    client.close()

    assert [f"n{number:02}" for number in range(20)] * 2 == seen
    assert {("", name) for name in seen} == first.keys
    assert first == second
    assert ["500", "62", "7", "7", "7", "7", "7", "7"] == [request.query["limit"] for request in api.asked("list")]


def test_an_object_that_is_too_large_alone_is_oversized(api: ScriptedApi, tmp_path: Path) -> None:
    """There is no smaller page than one object; the caller hears so and lives."""
    client = HttpApi(api.access(tmp_path), user_agent="t", answer_bytes=1000)
    api.put("a", {"spec": "x" * 2000})

    with pytest.raises(Oversized):
        _pages(api, client).list(_ignore)
    client.close()


def test_a_list_that_goes_stale_is_begun_anew(api: ScriptedApi, heard: Heard, reflect: Reflect) -> None:
    """410 between two pages: the listener hears of one list, with everything."""
    for number in range(600):
        api.put(f"n{number}")
    api.script.add("list", None)
    api.script.add("list", refused(410, "Expired"))

    reflector = reflect()
    until(lambda: reflector.last_sync is not None, what="the list", timeout_seconds=20)

    assert ["", "500", "", "500"] == [request.query.get("continue", "") for request in api.asked("list")]
    assert 1 == len([word for word in heard.words if word.startswith("listed")])
    assert [Expired] == [type(error) for error in heard.errors]
    assert 600 == len(reflector.known.identities())


def test_a_stop_ends_a_list_between_pages(api: ScriptedApi, client: HttpApi) -> None:
    """Nobody waits for ten more pages."""
    for number in range(501):
        api.put(f"n{number}")

    with pytest.raises(Unreachable, match="stopped"):
        _pages(api, client, is_stopped=True).list(_ignore)


@pytest.mark.parametrize("body", NO_LISTS)
def test_what_is_no_list_is_the_servers_failure(api: ScriptedApi, client: HttpApi, body: bytes) -> None:
    """An answer without items would otherwise look like a cluster without objects."""
    api.script.add("list", Answer(body=body))

    with pytest.raises(ServerFailed):
        _pages(api, client).list(_ignore)


def test_an_empty_list_may_be_null(api: ScriptedApi, client: HttpApi) -> None:
    """Go writes no items as null."""
    api.script.add("list", Answer(body=b'{"metadata": {"resourceVersion": "7"}, "items": null}'))

    listed = _pages(api, client).list(_ignore)

    assert (set(), "7") == (listed.keys, listed.version)


def test_a_page_may_be_smaller_from_the_start(api: ScriptedApi, client: HttpApi) -> None:
    """Where objects are known to be large: each page's bytes are in memory at once."""
    for number in range(5):
        api.put(f"n{number}")

    listed = _pages(api, client, page_objects=2).list(_ignore)

    assert 5 == len(listed.keys)
    assert ["2", "2", "2"] == [request.query["limit"] for request in api.asked("list")]


def test_a_list_is_never_in_memory_as_a_whole(api: ScriptedApi, client: HttpApi) -> None:
    """Objects are handed on one by one and forgotten: twenty pages cost no more than a few, the server's included."""
    page_bytes = 20 * 10_000
    for number in range(400):
        api.put(f"n{number:03}", {"spec": "x" * 10_000})

    tracemalloc.start()
    listed = _pages(api, client, page_objects=20).list(_ignore)
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert 400 == len(listed.keys)
    assert peak_bytes < 8 * page_bytes
