"""A kubeconfig becomes the same Access as a Pod's files; its plugins give the token; a bad one is told in one line."""

import base64
import json
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from daemon.cluster.access import NoAccess
from daemon.cluster.errors import Unauthenticated
from daemon.cluster.kubeconfig import read_kubeconfig
from daemon.cluster.transport import HttpApi
from tests.servers.scripted_api import ScriptedApi, authority


OBJECT = "/apis/apps.kruise.io/v1beta1/nodeimages/a"
SENTINEL = "s3cr3t-s3ntin3l"

Json = dict[str, object]
Write = Callable[..., Path]


@pytest.fixture
def write(api: ScriptedApi, tmp_path: Path) -> Write:
    """Write a kubeconfig with one context for the scripted server."""

    def kubeconfig(user: Json, *, cluster: Json | None = None) -> Path:
        ca = base64.b64encode(authority().cert_pem.bytes()).decode()
        given = {"server": api.url, "certificate-authority-data": ca, **(cluster or {})}
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "c", "cluster": {key: value for key, value in given.items() if value is not None}}],
            "users": [{"name": "u", "user": user}],
            "contexts": [{"name": "one", "context": {"cluster": "c", "user": "u"}}],
            "current-context": "one",
        }
        path = tmp_path / "kubeconfig"
        path.write_text(json.dumps(config))
        return path

    return kubeconfig


@pytest.fixture
def plugin(tmp_path: Path) -> Callable[[datetime], Json]:
    """Make an exec plugin that gives token-1, token-2 and so on, each until a time."""

    def user(expires: datetime) -> Json:
        script = tmp_path / "plugin"
        script.write_text(
            f"#!{sys.executable}\n"
            "import json, pathlib\n"
            f"count = pathlib.Path({str(tmp_path / 'count')!r})\n"
            "number = int(count.read_text()) + 1 if count.exists() else 1\n"
            "count.write_text(str(number))\n"
            f"status = {{'token': f'token-{{number}}', 'expirationTimestamp': '{expires:%Y-%m-%dT%H:%M:%SZ}'}}\n"
            "print(json.dumps({'apiVersion': 'client.authentication.k8s.io/v1', 'kind': 'ExecCredential',"
            " 'status': status}))\n"
        )
        script.chmod(0o755)
        return {
            "exec": {
                "apiVersion": "client.authentication.k8s.io/v1",
                "command": str(script),
                "interactiveMode": "Never",
            }
        }

    return user


def _ask(path: Path) -> None:
    client = HttpApi(read_kubeconfig(path), user_agent="t")
    try:
        client.get(OBJECT, timeout_seconds=10)
    finally:
        client.close()


def test_a_token_and_a_ca_in_the_file_are_used(api: ScriptedApi, write: Write) -> None:
    """The token goes with each request, and the CA inside the file is trusted."""
    _ask(write({"token": SENTINEL}))

    assert [SENTINEL] == [request.token for request in api.requests]


def test_a_token_file_is_read_again_when_refused(api: ScriptedApi, write: Write, tmp_path: Path) -> None:
    """TokenFile is followed over its rotation."""
    file = tmp_path / "its-token"
    file.write_text("first\n")
    client = HttpApi(read_kubeconfig(write({"tokenFile": str(file)})), user_agent="t")
    file.write_text("second\n")
    api.accepts = lambda request: request.token == "second"

    client.get(OBJECT, timeout_seconds=10)
    client.close()

    assert ["first", "second"] == [request.token for request in api.requests]


def test_a_plugins_token_is_kept_until_it_expires(
    api: ScriptedApi, write: Write, plugin: Callable[[datetime], Json]
) -> None:
    """A plugin is not run for each request, and is run again near the end of its token."""
    soon, later = datetime.now(UTC) + timedelta(minutes=1), datetime.now(UTC) + timedelta(hours=1)
    for expires in (later, soon):
        client = HttpApi(read_kubeconfig(write(plugin(expires))), user_agent="t")
        client.get(OBJECT, timeout_seconds=10)
        client.get(OBJECT, timeout_seconds=10)
        client.close()

    assert ["token-1", "token-1", "token-3", "token-4"] == [request.token for request in api.requests]


def test_a_refused_plugin_token_runs_the_plugin_again(
    api: ScriptedApi, write: Write, plugin: Callable[[datetime], Json]
) -> None:
    """After a 401 the plugin is asked at once, whatever its token's end."""
    api.accepts = lambda request: request.token == "token-2"

    _ask(write(plugin(datetime.now(UTC) + timedelta(hours=1))))

    assert ["token-1", "token-2"] == [request.token for request in api.requests]


def test_a_client_certificate_is_shown(api: ScriptedApi, write: Write, tmp_path: Path) -> None:
    """Certificate and key, from the file itself, prove who we are without a token."""
    issued = authority().issue_cert("user@example.test")
    certificate = base64.b64encode(issued.cert_chain_pems[0].bytes()).decode()
    key = base64.b64encode(issued.private_key_pem.bytes()).decode()

    _ask(write({"client-certificate-data": certificate, "client-key-data": key}))

    assert [("", "user@example.test")] == [(request.token, request.client) for request in api.requests]


def test_another_context_can_be_named(api: ScriptedApi, write: Write) -> None:
    """The named one is taken, not the current one."""
    path = write({"token": "first"})
    config = json.loads(path.read_text())
    config["contexts"].append({"name": "two", "context": {"cluster": "c", "user": "v"}})
    config["users"].append({"name": "v", "user": {"token": "second"}})
    path.write_text(json.dumps(config))

    access = read_kubeconfig(path, context="two")

    assert access.token is not None
    assert "second" == access.token(anew=False)


def test_a_server_name_and_an_insecure_cluster_are_obeyed(write: Write) -> None:
    """tls-server-name and insecure-skip-tls-verify say what they say to kubectl."""
    path = write({"token": "first"}, cluster={"tls-server-name": "other", "insecure-skip-tls-verify": True})

    access = read_kubeconfig(path)

    assert ("other", True) == (access.server_name, access.is_insecure)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "No such file"),
        ("", "is of no use"),
        ("[1]", "is of no use"),
        ("{", "is of no use"),
        ("\0", "is of no use"),
        (f"users: [{{name: u, user: {{token: {SENTINEL}}}}}]\ncurrent-context: x\ncontexts: []", "is of no use"),
        (f"users: [{{user: {{token: {SENTINEL}}}}}]\ncurrent-context: x\ncontexts: {{}}", "is of no use"),
    ],
)
def test_a_bad_file_is_one_clear_line(content: str | None, words: str, tmp_path: Path) -> None:
    """It is named with what to look at, and nothing in it is repeated."""
    path = tmp_path / "kubeconfig"
    if content is not None:
        path.write_text(content)

    with pytest.raises(NoAccess, match=words) as caught:
        read_kubeconfig(path)

    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert SENTINEL not in repr(caught.value)


def test_an_unknown_context_is_named(write: Write) -> None:
    """The message says which one was asked for."""
    with pytest.raises(NoAccess, match="context 'other' is of no use"):
        read_kubeconfig(write({"token": "first"}), context="other")


@pytest.mark.parametrize(
    ("user", "cluster", "words"),
    [
        ({}, {}, "neither token nor certificate"),
        ({"token": "t"}, {"server": "http://127.0.0.1:1"}, "must be https://"),
        ({"token": "t"}, {"proxy-url": "http://proxy:3128"}, "proxy-url is not supported"),
        ({"token": "t"}, {"certificate-authority-data": None, "certificate-authority": "/absent"}, "is of no use"),
        ({"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": "/absent"}}, {}, "neither token nor"),
        ({"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": "false"}}, {}, "neither token nor"),
        ({"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": "true"}}, {}, "neither token nor"),
        ({"username": "u", "password": SENTINEL}, {}, "neither token nor"),
        ({"client-certificate": "/absent", "client-key": "/absent"}, {}, "is of no use"),
    ],
)
def test_what_can_not_be_used_is_refused_at_the_start(write: Write, user: Json, cluster: Json, words: str) -> None:
    """Before anything is asked, with the reason."""
    with pytest.raises(NoAccess, match=words):
        read_kubeconfig(write(user, cluster=cluster))


def test_a_proxy_of_the_shell_is_not_used(api: ScriptedApi, write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    """HTTPS_PROXY in the environment changes nothing."""
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")

    _ask(write({"token": "first"}))

    assert 1 == len(api.requests)


def test_a_token_that_is_none_is_refused_without_being_repeated(write: Write) -> None:
    """As from a file in a Pod."""
    access = read_kubeconfig(write({"token": f"{SENTINEL}\nX: y"}))
    assert access.token is not None

    with pytest.raises(Unauthenticated) as caught:
        access.token(anew=False)

    assert SENTINEL not in caught.value.message


def test_without_the_official_client_the_message_says_how_to_get_it(write: Write, tmp_path: Path) -> None:
    """The extra that brings it is named; nothing else of us needs it."""
    (tmp_path / "kubernetes.py").write_text("raise ImportError('not installed')")
    imports = "from pathlib import Path; from daemon.cluster.kubeconfig import read_kubeconfig"
    code = f"{imports}; read_kubeconfig(Path({str(write({}))!r}))"

    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert "pip install prewarm[kubeconfig]" in done.stderr
