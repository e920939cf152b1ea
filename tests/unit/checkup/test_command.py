"""What `prewarm check` says where it can't even ask: bad kubeconfigs of every kind, and a server that is away."""

import json
import socket
from pathlib import Path
from typing import Any

import pytest

from daemon.cli import main


SENTINEL = "s3cr3t-s3ntin3l"
Json = dict[str, Any]


def kubeconfig(*, current: str = "x", cluster: Json | None = None, user: Json | None = None, **others: Any) -> str:  # noqa: ANN401 - JSON
    """Return a kubeconfig's text."""
    whole: Json = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": {"server": "https://127.0.0.1:1", **(cluster or {})}}],
        "users": [{"name": "u", "user": {"token": SENTINEL} if user is None else user}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "current-context": current,
    }
    return json.dumps({**whole, **others})


BAD: dict[str, tuple[str | bytes, str]] = {
    "empty": ("", "no current context"),
    "no YAML": (f"token: {SENTINEL}\n\t- broken", "no YAML of a kubeconfig"),
    "a list": (f"- {SENTINEL}", "no YAML of a kubeconfig"),
    "a text": (SENTINEL, "no YAML of a kubeconfig"),
    "bytes": (b"\xff\xfe\x00", "no YAML of a kubeconfig"),
    "contexts are none": (kubeconfig(contexts=SENTINEL), "no context 'x' (it has none)"),
    "no current context": (kubeconfig(current=""), "no current context; give --context (it has x)"),
    "a current context that is not there": (kubeconfig(current="y"), "no context 'y' (it has x)"),
    "no such user": (kubeconfig(users=[]), "neither token nor certificate"),
    "no such cluster": (kubeconfig(clusters=[]), "of no use"),
    "a user without proof": (kubeconfig(user={}), "neither token nor certificate"),
    "a CA that is not there": (
        kubeconfig(cluster={"certificate-authority": "/nonexistent"}),
        "context 'x' is of no use",
    ),
    "a CA that is none": (kubeconfig(cluster={"certificate-authority-data": "bm9uZQ=="}), "CA"),
    "a server that is no address": (kubeconfig(cluster={"server": "nonsense"}), "nonsense"),
    "a server without TLS": (kubeconfig(cluster={"server": "http://127.0.0.1:1"}), "http"),
    "a proxy": (kubeconfig(cluster={"proxy-url": "http://127.0.0.1:1"}), "proxy-url is not supported"),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_kubeconfig_is_one_line_without_what_is_in_it(
    kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Code 2, and what is wrong; it may be somebody's secrets."""
    text, words = BAD[kind]
    path = tmp_path / "config"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())

    code = main(["check", "--kubeconfig", str(path)])

    said = capsys.readouterr()
    assert (2, "", 1) == (code, said.out, len(said.err.splitlines())), said.err
    assert said.err.startswith("prewarm: ")
    assert words in said.err
    assert SENTINEL not in said.err


@pytest.mark.parametrize("name", ["absent", "."])
def test_a_kubeconfig_that_is_no_file_is_told(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One that is not there, and a folder."""
    code = main(["check", "--kubeconfig", str(tmp_path / name)])

    assert 2 == code
    assert f"kubeconfig {tmp_path / name}: " in capsys.readouterr().err


def test_without_a_kubeconfig_it_says_where_it_has_looked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """And what to give."""
    for name in ("KUBECONFIG", "KUBERNETES_SERVICE_HOST", "PREWARM_KUBECONFIG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))

    code = main(["check"])

    assert 2 == code
    assert f"{tmp_path}/.kube/config does not exist; give --kubeconfig" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["-o", "wide"], ["name"], ["-n", "team"], ["--nope"]])
def test_what_it_does_not_take_is_bad_input(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """It is about a cluster: there is nothing to name."""
    with pytest.raises(SystemExit) as ended:
        main(["check", *arguments])

    assert 2 == ended.value.code
    assert "usage: prewarm check" in capsys.readouterr().err


def test_a_server_that_is_away_is_its_own_code(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Which a script may take for another reason to wait than that something is to be done."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    path = tmp_path / "config"
    path.write_text(kubeconfig(cluster={"server": f"https://127.0.0.1:{port}"}))

    code = main(["check", "--kubeconfig", str(path), "-o", "json"])

    said = capsys.readouterr()
    assert (3, "", 1) == (code, said.out, len(said.err.splitlines()))
    assert "Connection refused; is it up" in said.err
