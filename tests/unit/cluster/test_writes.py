"""Each way to write is one request with the body, the type and the verb that the API server expects."""

import threading
from pathlib import Path

import msgspec
import pytest

from daemon.cluster.errors import ClusterError, Conflict, Unreachable
from daemon.cluster.interface import Operation, Write
from daemon.cluster.transport import HttpApi
from daemon.cluster.writes import creation, deletion, json_patch, merge_patch, replacement
from tests.servers.processes import until
from tests.servers.scripted_answers import Answer, Hang, refused
from tests.servers.scripted_api import ScriptedApi
from tests.unit.cluster.heard import Heard


OBJECT = "/apis/apps.kruise.io/v1beta1/nodeimages/a"
BODY = {"metadata": {"name": "a", "resourceVersion": "7"}, "spec": None}

WRITES = {
    "create": (creation("/apis/apps.kruise.io/v1beta1/nodeimages", BODY), "create", "application/json", BODY),
    "replace": (replacement(OBJECT, BODY), "update", "application/json", BODY),
    "merge": (merge_patch(f"{OBJECT}/status", BODY), "patch", "application/merge-patch+json", BODY),
    "json": (
        json_patch(OBJECT, [Operation(op="remove", path="/spec")]),
        "patch",
        "application/json-patch+json",
        [{"op": "remove", "path": "/spec"}],
    ),
    "delete": (
        deletion(OBJECT, uid="u"),
        "delete",
        "application/json",
        {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "preconditions": {"uid": "u"},
            "propagationPolicy": "Background",
        },
    ),
}


@pytest.mark.parametrize("name", list(WRITES))
def test_a_write_is_one_request_of_its_kind(name: str, api: ScriptedApi, client: HttpApi, heard: Heard) -> None:
    """Verb, path, type and body; a null is kept, since in a merge patch it removes. It is counted by its verb."""
    write, verb, content_type, body = WRITES[name]

    client.send(write, timeout_seconds=10)

    (request,) = api.requests
    assert (verb, write.path, content_type) == (request.verb, request.path, request.headers["content-type"])
    assert body == msgspec.json.decode(request.body)
    assert [verb] == [counted for counted, _, _ in heard.requests]
    assert {"200"} == {code for _, _, code in heard.requests}


def test_the_answer_comes_as_it_was_sent(api: ScriptedApi, client: HttpApi) -> None:
    """Who sent it decodes what it needs of it."""
    api.script.add("update", Answer(body=b'{"metadata" : {"resourceVersion":"8"}}'))

    assert b'{"metadata" : {"resourceVersion":"8"}}' == client.send(replacement(OBJECT, BODY), timeout_seconds=10)


@pytest.mark.parametrize("name", list(WRITES))
def test_a_refused_write_is_sent_once_and_says_what_it_was(name: str, api: ScriptedApi, client: HttpApi) -> None:
    """Whether another attempt is worth it is for who knows what it was for."""
    write, verb, _, _ = WRITES[name]
    api.script.always(verb, refused(409, "Conflict", "the object has been modified"))

    error = _failure(client, write)

    assert isinstance(error, Conflict)
    assert f"{verb} {write.path}: HTTP 409: the object has been modified" == error.message
    assert 1 == len(api.requests)


def test_a_write_without_an_answer_in_time_is_unreachable(api: ScriptedApi, client: HttpApi) -> None:
    """It may have been done: the message says which it was."""
    api.script.add("delete", Hang())

    error = _failure(client, deletion(OBJECT, uid="u"), timeout_seconds=0.2)

    assert isinstance(error, Unreachable)
    assert error.message.startswith(f"delete {OBJECT}: ")


def _failure(client: HttpApi, write: Write, *, timeout_seconds: float = 10) -> ClusterError:
    with pytest.raises(ClusterError) as caught:
        client.send(write, timeout_seconds=timeout_seconds)
    return caught.value


@pytest.mark.parametrize("kept", [2, 16])
def test_as_many_connections_are_kept_as_was_asked_for(kept: int, api: ScriptedApi, tmp_path: Path) -> None:
    """Sixteen senders that ask at once, twice, need sixteen connections in all where so many are kept."""
    client = HttpApi(api.access(tmp_path), user_agent="t", kept_connections=kept)

    for _ in range(2):
        _send_at_once(api, client, count=16)
    client.close()

    assert (16 if kept == 16 else 30) == api.connections


def _send_at_once(api: ScriptedApi, client: HttpApi, *, count: int) -> None:
    """Have so many requests under way together: none is answered before all have come."""
    before = len(api.requests)
    api.stall()
    threads = [
        threading.Thread(target=client.send, args=(deletion(OBJECT, uid="u"),), kwargs={"timeout_seconds": 20})
        for _ in range(count)
    ]
    for thread in threads:
        thread.start()
    until(lambda: len(api.requests) == before + count, what="all requests", timeout_seconds=20)
    api.stall(is_stalled=False)
    for thread in threads:
        thread.join(20)
