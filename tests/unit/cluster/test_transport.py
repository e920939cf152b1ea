"""What a request sends, and what each kind of answer becomes."""

import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
import trustme

from daemon.cluster.access import NoAccess
from daemon.cluster.errors import (
    ClusterError,
    Conflict,
    Denied,
    Expired,
    Invalid,
    NotFound,
    Oversized,
    ServerFailed,
    Throttled,
    Unauthenticated,
    Unreachable,
)
from daemon.cluster.interface import Operation
from daemon.cluster.transport import HttpApi
from tests.servers.processes import until
from tests.servers.scripted_answers import Answer, Hang, Lines, Raw, Reply, refused
from tests.servers.scripted_api import ScriptedApi
from tests.unit.cluster.heard import Heard


OBJECT = "/apis/apps.kruise.io/v1beta1/nodeimages/a"
# Without it the connection would be taken for the next request, in a race with its end.
LAST = b"Connection: close\r\n"
SECRETS = "/api/v1/namespaces/prewarm-system/secrets"


def _failure(call: Callable[[], object]) -> ClusterError:
    """Return the error that a call raises."""
    with pytest.raises(ClusterError) as caught:
        call()
    return caught.value


def _get(client: HttpApi, *, timeout_seconds: float = 10) -> object:
    return client.get(OBJECT, timeout_seconds=timeout_seconds)


def test_a_request_says_who_asks_and_what_it_takes(api: ScriptedApi, client: HttpApi) -> None:
    """The token, the user agent and JSON; nothing compressed."""
    client.get(OBJECT, query={"fieldSelector": "metadata.name=a b"}, timeout_seconds=10)

    request = api.requests[0]
    expected = {"authorization": "Bearer token-of-the-test", "user-agent": "prewarm-test", "accept": "application/json"}
    assert expected.items() <= request.headers.items()
    assert "gzip" not in request.headers.get("accept-encoding", "")
    assert {"fieldSelector": "metadata.name=a b"} == request.query


def test_a_patch_is_a_json_patch_whose_null_is_a_value(api: ScriptedApi, client: HttpApi) -> None:
    """`remove` has no value, a value of None is null, and operations keep their order."""
    operations = (
        Operation(op="test", path="/metadata/uid", value="u"),
        Operation(op="add", path="/status/x", value=None),
        Operation(op="remove", path="/status/y"),
    )

    client.patch(f"{OBJECT}/status", operations, timeout_seconds=10)

    request = api.requests[0]
    assert "application/json-patch+json" == request.headers["content-type"]
    assert [
        {"op": "test", "path": "/metadata/uid", "value": "u"},
        {"op": "add", "path": "/status/x", "value": None},
        {"op": "remove", "path": "/status/y"},
    ] == msgspec.json.decode(request.body)


def test_an_object_is_created_as_json(api: ScriptedApi, client: HttpApi) -> None:
    """The body is what was given, and the answer is decoded."""
    created = client.create(api.path, {"metadata": {"name": "a"}}, timeout_seconds=10)

    assert {"metadata": {"name": "a"}} == created
    assert ("create", "application/json") == (api.requests[0].verb, api.requests[0].headers["content-type"])


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (302, ServerFailed),
        (400, Invalid),
        (401, Unauthenticated),
        (403, Denied),
        (404, NotFound),
        (405, ServerFailed),
        (409, Conflict),
        (410, Expired),
        (413, Invalid),
        (422, Invalid),
        (429, Throttled),
        (500, ServerFailed),
        (503, ServerFailed),
        (504, ServerFailed),
    ],
)
def test_each_refusal_is_an_error_with_the_servers_words(
    api: ScriptedApi, client: HttpApi, code: int, expected: type[ClusterError]
) -> None:
    """The class tells what to do; the message says what was asked, the status, and what the server said."""
    api.script.always("get", refused(code, "Some", "because of this\nand that"))

    error = _failure(lambda: _get(client))

    assert (expected, code) == (type(error), error.code)
    assert f"get {OBJECT}: HTTP {code}: because of this and that" == error.message


def test_a_long_message_is_cut(api: ScriptedApi, client: HttpApi) -> None:
    """At most some 512 characters of the server's words are kept."""
    api.script.add("get", refused(403, "Forbidden", "x" * 10_000))

    error = _failure(lambda: _get(client))

    assert len(error.message) < 600
    assert error.message.endswith("x [...]")


def test_a_redirect_is_not_followed(api: ScriptedApi, client: HttpApi) -> None:
    """A token never goes where an answer points to."""
    api.script.add("get", Answer(code=302, headers={"Location": f"{api.url}/elsewhere"}))

    error = _failure(lambda: _get(client))

    assert isinstance(error, ServerFailed)
    assert [OBJECT] == [request.path for request in api.requests]


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (refused(429, "TooManyRequests", Retry_After="7"), 7.0),
        (refused(503, "ServiceUnavailable", Retry_After="1"), 1.0),
        (refused(429, "TooManyRequests", Retry_After="Wed, 21 Oct 2015 07:28:00 GMT"), None),
        (refused(429, "TooManyRequests", Retry_After="-3"), None),
        (refused(429, "TooManyRequests"), None),
        (Answer(code=429, body=b'{"details":{"retryAfterSeconds":3}}'), 3.0),
        (Answer(code=429, body=b'{"details":{"retryAfterSeconds":-3}}'), None),
    ],
)
def test_the_pause_that_the_server_asks_for_is_told(
    api: ScriptedApi, client: HttpApi, answer: Answer, expected: float | None
) -> None:
    """Retry-After in seconds, or the Status's own field; anything else is no pause."""
    api.script.add("get", answer)

    assert expected == _failure(lambda: _get(client)).retry_after_seconds


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (Answer(body=b"<html>"), ServerFailed),
        (Answer(body=b""), ServerFailed),
        (Answer(body=b"[1]"), ServerFailed),
        (Answer(body=b'{"a": "\xff"}'), ServerFailed),
        (Answer(body=b"[" * 200_000), ServerFailed),
        (Answer(body=b"x" * 2_000_000), Oversized),
        (Answer(code=500, body=b"x" * 2_000_000), ServerFailed),
        (Answer(headers={"Content-Length": "100"}, body=b"{}"), Unreachable),
        (Lines(chunks=(b'{"a":',), then="cut"), Unreachable),
        (Raw(), Unreachable),
        (Raw(content=b"SSH-2.0-OpenSSH\r\n"), Unreachable),
        (Raw(content=b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\n"), Unreachable),
        (Raw(content=b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"), Unreachable),
        (Raw(content=b"HTTP/1.1 200 OK\r\nContent-Length: minus\r\n\r\n{}"), None),
        (Raw(content=b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n" + LAST + b"Content-Length: 2\r\n\r\n{}"), None),
    ],
)
def test_what_is_no_answer_of_an_api_server_is_an_error_of_ours(
    api: ScriptedApi, heard: Heard, tmp_path: Path, reply: Reply, expected: type[ClusterError] | None
) -> None:
    """Whatever comes back, it is decoded or it is a ClusterError, and the next request is answered."""
    client = HttpApi(api.access(tmp_path), user_agent="t", telemetry=heard.telemetry, answer_bytes=1_000_000)
    api.script.add("get", reply)

    if expected is None:
        assert {} == _get(client, timeout_seconds=2)
    else:
        assert expected is type(_failure(lambda: _get(client, timeout_seconds=2)))
    assert {} == _get(client)
    client.close()


def test_a_server_that_does_not_answer_is_unreachable_in_time(api: ScriptedApi, client: HttpApi) -> None:
    """A request ends after its timeout, and says so."""
    api.script.add("get", Hang())
    began = time.monotonic()

    error = _failure(lambda: _get(client, timeout_seconds=0.5))

    assert f"get {OBJECT}: no answer in time" == error.message
    assert time.monotonic() - began < 5


def test_an_answer_that_trickles_is_unreachable_in_time(api: ScriptedApi, client: HttpApi) -> None:
    """The timeout is the whole answer's, not each read's."""
    api.script.add("get", Lines(chunks=(b" ",) * 1000, gap_seconds=0.1))

    error = _failure(lambda: _get(client, timeout_seconds=1))

    assert isinstance(error, Unreachable)
    assert error.message.endswith("not answered whole in 1 s")


def test_a_server_that_is_away_is_unreachable(api: ScriptedApi, client: HttpApi) -> None:
    """Refused connections are told in plain words."""
    api.close()

    error = _failure(lambda: _get(client))

    assert (Unreachable, f"get {OBJECT}: Connection refused") == (type(error), error.message)


def test_a_certificate_of_another_ca_is_not_trusted(api: ScriptedApi, tmp_path: Path) -> None:
    """Only the CA that came with the token counts, and nothing was sent to the stranger."""
    access = api.access(tmp_path)
    access = msgspec.structs.replace(access, ca_file=None)
    client = HttpApi(access, user_agent="t")

    error = _failure(lambda: _get(client))

    assert isinstance(error, Unreachable)
    assert "its certificate is not trusted" in error.message
    assert [] == api.requests
    client.close()


def test_a_new_ca_in_the_file_is_trusted(api: ScriptedApi, tmp_path: Path) -> None:
    """A cluster that changes its CA puts it into the Pod's file; the request after the first refusal goes through."""
    access = api.access(tmp_path)
    assert access.ca_file is not None
    right = access.ca_file.read_bytes()
    trustme.CA().cert_pem.write_to_path(str(access.ca_file))
    client = HttpApi(access, user_agent="t")
    for _ in range(2):
        assert "its certificate is not trusted" in _failure(lambda: _get(client)).message

    access.ca_file.write_bytes(right)
    _failure(lambda: _get(client))

    assert {} == _get(client)
    client.close()


def test_a_certificate_for_another_name_is_not_trusted(api: ScriptedApi, tmp_path: Path) -> None:
    """The host, or the name that a kubeconfig gives, has to stand in the certificate."""
    access = msgspec.structs.replace(api.access(tmp_path), server_name="other.example")
    client = HttpApi(access, user_agent="t")

    error = _failure(lambda: _get(client))

    assert "its certificate is not trusted" in error.message
    client.close()


def test_an_insecure_access_takes_any_certificate(api: ScriptedApi, tmp_path: Path) -> None:
    """A kubeconfig that says insecure-skip-tls-verify is obeyed, without a warning each time."""
    access = msgspec.structs.replace(api.access(tmp_path), ca_file=None, is_insecure=True)
    client = HttpApi(access, user_agent="t")

    assert {} == _get(client)
    client.close()


def test_an_ipv6_address_works(tmp_path: Path) -> None:
    """A server at [::1] is asked there, and its certificate holds for the address."""
    with ScriptedApi(host="::1") as api:
        client = HttpApi(api.access(tmp_path), user_agent="t")

        client.get(OBJECT, timeout_seconds=10)
        client.close()

    assert f"[::1]:{api.port}" == api.requests[0].headers["host"]


def test_a_path_of_the_server_goes_before_every_other(api: ScriptedApi, tmp_path: Path) -> None:
    """An API server behind a prefix (https://host/clusters/one) is asked below it."""
    access = msgspec.structs.replace(api.access(tmp_path), server=f"{api.url}/clusters/one/")
    client = HttpApi(access, user_agent="t")

    client.get("/api/v1/namespaces/x", timeout_seconds=10)
    client.close()

    assert "/clusters/one/api/v1/namespaces/x" == api.requests[0].path


@pytest.mark.parametrize(
    "server",
    ["http://host", "host:6443", "", "https://", "https://u:hidden@host", "https://host:x", "https://h?a=hidden"],
)
def test_an_address_that_is_none_is_refused(server: str, api: ScriptedApi, tmp_path: Path) -> None:
    """Only https, and nothing in it that may be a secret is repeated."""
    access = msgspec.structs.replace(api.access(tmp_path), server=server)

    with pytest.raises(NoAccess) as caught:
        HttpApi(access, user_agent="t")

    assert "must be https://" in str(caught.value)
    assert "hidden" not in str(caught.value)


@pytest.mark.parametrize("content", [None, b"", b"no certificate"])
def test_a_ca_that_is_none_is_refused_at_the_start(content: bytes | None, api: ScriptedApi, tmp_path: Path) -> None:
    """A missing or broken CA file is named, before anything is asked."""
    access = api.access(tmp_path)
    ca_file = tmp_path / "other.crt"
    if content is not None:
        ca_file.write_bytes(content)

    with pytest.raises(NoAccess, match=str(ca_file)):
        HttpApi(msgspec.structs.replace(access, ca_file=ca_file), user_agent="t")


def test_a_dead_peer_is_found_by_the_kernel(client: HttpApi) -> None:
    """Nothing is held back, silence is probed after 15 s, and 30 s without an answer end a connection."""
    _get(client)

    used = next(iter(client._exchange._sockets._open))
    tcp = ("TCP_NODELAY", "TCP_KEEPIDLE", "TCP_KEEPINTVL", "TCP_KEEPCNT", "TCP_USER_TIMEOUT")

    assert 1 == used.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
    assert [1, 15, 5, 3, 30_000] == [used.getsockopt(socket.IPPROTO_TCP, getattr(socket, name)) for name in tcp]


def test_connections_are_used_again(api: ScriptedApi, client: HttpApi) -> None:
    """Ten requests, also refused ones, go over one connection."""
    api.script.add("get", refused(404, "NotFound"), times=5)

    for _ in range(5):
        _failure(lambda: _get(client))
    for _ in range(5):
        _get(client)

    assert 1 == api.connections


def test_requests_are_counted_by_verb_resource_and_status(api: ScriptedApi, client: HttpApi, heard: Heard) -> None:
    """Each attempt counts, with "none" where nobody answered; names of objects are in no label."""
    client.get(api.path, timeout_seconds=10)
    client.patch(f"{OBJECT}/status", (), timeout_seconds=10)
    api.script.add("create", refused(403, "Forbidden"))
    _failure(lambda: client.create(SECRETS, {}, timeout_seconds=10))
    client.get("/apis/apps.kruise.io", timeout_seconds=10)
    api.close()
    _failure(lambda: _get(client))

    assert [
        ("list", "nodeimages", "200"),
        ("patch", "nodeimages/status", "200"),
        ("create", "secrets", "403"),
        ("get", "discovery", "200"),
        ("get", "nodeimages", "none"),
    ] == [(each[0], each[1], each[2]) for each in heard.requests]


def test_a_refused_token_is_read_anew_once(api: ScriptedApi, client: HttpApi, tmp_path: Path) -> None:
    """After a 401 the file is read at once, and the request goes again with what is new in it."""
    api.accepts = lambda request: request.token == "second"
    (tmp_path / "token").write_text("first")
    _failure(lambda: _get(client))
    (tmp_path / "token").write_text("second\n")

    answer = _get(client)

    assert {} == answer
    assert ["first", "first", "second"] == [request.token for request in api.requests]


def test_a_token_that_stays_refused_is_unauthenticated(api: ScriptedApi, client: HttpApi) -> None:
    """The same token is not tried twice."""
    api.accepts = lambda _: False

    error = _failure(lambda: _get(client))

    assert isinstance(error, Unauthenticated)
    assert 1 == len(api.requests)


def test_close_cuts_what_is_under_way(api: ScriptedApi, client: HttpApi) -> None:
    """A request that waits ends at once when another thread closes; later ones are Unreachable."""
    api.script.add("get", Hang())
    errors: list[ClusterError] = []
    thread = threading.Thread(target=lambda: errors.append(_failure(lambda: _get(client, timeout_seconds=60))))
    thread.start()
    until(lambda: api.count("get") == 1, what="the request", timeout_seconds=10)

    client.close()
    thread.join(2)

    assert not thread.is_alive()
    assert [Unreachable, Unreachable] == [type(errors[0]), type(_failure(lambda: _get(client)))]


def test_separate_connections_are_closed_apart(api: ScriptedApi, client: HttpApi) -> None:
    """What one closes goes on for the other."""
    other = client.separate()
    other.get(OBJECT, timeout_seconds=10)

    other.close()

    assert {} == _get(client)
    assert isinstance(_failure(lambda: _get(other)), Unreachable)


@pytest.mark.parametrize(("code", "is_kept"), [(403, True), (409, True), (400, False), (422, False), (500, False)])
def test_what_a_server_says_of_a_secrets_content_is_left_out(
    api: ScriptedApi, client: HttpApi, code: int, *, is_kept: bool
) -> None:
    """An API server quotes what it could not read; of a Secret that is not repeated, a refusal of the right is."""
    api.script.add("create", refused(code, "Reason", "found in aHVzaA=="))

    error = _failure(lambda: client.create(SECRETS, {"data": {"a": "aHVzaA=="}}, timeout_seconds=10))

    assert is_kept == ("aHVzaA==" in error.message)
    assert is_kept or "Reason" in error.message


@pytest.mark.parametrize(
    "who", ['admission webhook "w.example.org" denied the request', "ValidatingAdmissionPolicy 'p' denied request"]
)
def test_what_admission_says_of_a_secrets_content_is_left_out(api: ScriptedApi, client: HttpApi, who: str) -> None:
    """Whoever wrote the policy may have it quote the object; who refused it is told."""
    api.script.add("create", refused(403, "Forbidden", f"secrets x is forbidden: {who}: \n\ndata a is aHVzaA=="))

    error = _failure(lambda: client.create(SECRETS, {"data": {"a": "aHVzaA=="}}, timeout_seconds=10))

    assert error.message.endswith(f"{who}: [redacted]")
