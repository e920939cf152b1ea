"""However a request fails, no error says the token or a Secret's content, nor does anything that it is chained to."""

import base64
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from daemon.cluster.errors import ClusterError
from daemon.cluster.interface import Operation
from daemon.cluster.sightings import sighting_of
from daemon.cluster.transport import HttpApi
from daemon.cluster.writes import replacement
from tests.servers.scripted_answers import Answer, Hang, Lines, Raw, Reply, event, refused, status
from tests.servers.scripted_api import ScriptedApi


TOKEN = "s3cr3t-t0k3n"
CONTENT = base64.b64encode(b"s3cr3t-c0nt3nt").decode()
HEADER = f"Authorization: Bearer {TOKEN}".encode()
SECRET = "/api/v1/namespaces/prewarm-system/secrets"

Call = Callable[[HttpApi], object]


def _watch(client: HttpApi) -> object:
    with client.stream(SECRET, query={"watch": "1"}, timeout_seconds=1, silence_seconds=1) as lines:
        return [sighting_of(line, path=SECRET) for line in lines]


CALLS: dict[str, Call] = {
    "get": lambda client: client.get(f"{SECRET}/a", timeout_seconds=1),
    "create": lambda client: client.create(SECRET, {"data": {"password": CONTENT}}, timeout_seconds=1),
    "patch": lambda client: client.patch(
        f"{SECRET}/a", [Operation(op="add", path="/data", value={"password": CONTENT})], timeout_seconds=1
    ),
    "update": lambda client: client.send(
        replacement(f"{SECRET}/a", {"data": {"password": CONTENT}}), timeout_seconds=1
    ),
    "watch": _watch,
}

# What a server can know, and so can send back: our header and, where one was sent, our content.
ECHO = f"{TOKEN} Bearer {TOKEN} {CONTENT}"
HEADER_ECHO = f"Authorization: Bearer {TOKEN}"
REPLIES: list[Reply] = [
    *(refused(code, "Reason", ECHO) for code in (400, 413, 422, 500, 503)),
    *(refused(code, "Reason", f"{HEADER_ECHO} {TOKEN}") for code in (301, 401, 403, 404, 409, 410, 429)),
    refused(403, "Forbidden", "x" * 500 + HEADER_ECHO),
    refused(400, HEADER_ECHO, ""),
    Answer(code=200, body=b"[" + HEADER + CONTENT.encode()),
    Answer(code=200, body=msgspec.json.encode([ECHO])),
    Answer(code=200, body=msgspec.json.encode({"a": ECHO}) + b"\xff"),
    Answer(code=500, headers={"Retry-After": TOKEN, "Location": TOKEN}, body=ECHO.encode()),
    Lines(chunks=(HEADER + CONTENT.encode() + b"\n",)),
    Lines(chunks=(HEADER + CONTENT.encode(),), then="cut"),
    Lines(chunks=(event("ADDED", {"metadata": {"name": ECHO}}),)),
    Lines(chunks=(event("ADDED", ECHO),)),
    Lines(chunks=(event("ERROR", msgspec.Raw(status(410, "Expired", HEADER_ECHO))),)),
    Raw(),
    Raw(content=HEADER + b"\r\n\r\n"),
    Raw(content=b"HTTP/1.1 " + HEADER + b"\r\n\r\n"),
    Raw(content=b"HTTP/1.1 200 OK\r\n" + HEADER + b"\r\nbroken header " + HEADER + b"\r\n\r\n["),
    Raw(content=b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + HEADER + b"\r\n"),
    Raw(content=b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n" + HEADER),
    Hang(),
]


@pytest.fixture
def client(api: ScriptedApi, tmp_path: Path) -> Iterator[HttpApi]:
    """A client with the token."""
    http = HttpApi(api.access(tmp_path, token=TOKEN), user_agent="t")
    yield http
    http.close()


@pytest.mark.parametrize("verb", list(CALLS))
@pytest.mark.parametrize("reply", REPLIES, ids=range(len(REPLIES)))
def test_no_failure_says_a_secret(verb: str, reply: Reply, api: ScriptedApi, client: HttpApi) -> None:
    """Also where a server, or whatever answers in its place, repeats what it was sent."""
    api.script.always(verb, reply)

    said = ""
    try:
        CALLS[verb](client)
    except ClusterError as error:
        said = _all_of(error)

    assert TOKEN not in said
    assert CONTENT not in said


def test_no_failure_to_connect_says_a_secret(api: ScriptedApi, client: HttpApi) -> None:
    """A server that is away, one that cannot be trusted, and a client that is closed."""
    strangers = HttpApi(msgspec.structs.replace(client._access, ca_file=None), user_agent="t")
    said = _failure_of(strangers)
    api.close()
    said += _failure_of(client)
    client.close()
    said += _failure_of(client)
    strangers.close()

    assert 3 == said.count("END")
    assert TOKEN not in said


@pytest.mark.parametrize(
    "token", [f"{TOKEN}\0", f"{TOKEN}\nX: y", f"{TOKEN} {TOKEN}", f"{TOKEN}\u00e9", f"\u2028{TOKEN}"]
)
def test_no_bad_token_is_said(token: str, api: ScriptedApi, tmp_path: Path) -> None:
    """What cannot stand in a header never comes to where a header's error would quote it."""
    client = HttpApi(api.access(tmp_path, token=token), user_agent="t")

    said = _failure_of(client)
    client.close()

    assert "END" in said
    assert TOKEN not in said
    assert [] == api.requests


def test_a_write_does_not_show_its_body() -> None:
    """Whoever logs what is sent logs where to."""
    write = replacement(f"{SECRET}/a", {"data": {"password": CONTENT}})

    assert f"Write(update {SECRET}/a)" == repr(write)


def _failure_of(client: HttpApi) -> str:
    try:
        CALLS["create"](client)
    except ClusterError as error:
        return _all_of(error) + "END"
    return ""


def _all_of(error: BaseException) -> str:
    """Return all that can be found by following an error."""
    found = "".join(traceback.format_exception(error))
    seen: set[int] = set()
    left: list[object] = [error]
    while left:
        each = left.pop()
        if id(each) in seen:
            continue
        seen.add(id(each))
        found += repr(each)
        if isinstance(each, BaseException):
            left += [each.__cause__, each.__context__, *each.args, *vars(each).values()]
    return found
