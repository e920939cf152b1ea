import base64
import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.api.credential import Credential
from daemon.api.secret import PullSecret
from daemon.credentials.dockerconfig import DockerConfig, parse_config_file, parse_secret


def encoded(text: str | bytes) -> str:
    """Text or bytes in base64."""
    return base64.b64encode(text.encode() if isinstance(text, str) else text).decode()


def secret(content: object, *, name: str = "regcred") -> PullSecret:
    """A dockerconfigjson secret with this content, as JSON unless it is bytes already."""
    raw = content if isinstance(content, bytes) else json.dumps(content).encode()
    return PullSecret(
        namespace="shop", name=name, type="kubernetes.io/dockerconfigjson", data={".dockerconfigjson": raw}
    )


def messages(config: DockerConfig) -> list[str]:
    """The problems as lines."""
    return [str(problem) for problem in config.problems]


def credential(config: DockerConfig) -> Credential:
    """The credential of the only entry."""
    (entry,) = config.entries
    return entry.credential


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"username": "u", "password": "p"}, ("u", "p", "")),
        ({"Username": "u", "PASSWORD": "p"}, ("u", "p", "")),
        ({"auth": encoded("u:p")}, ("u", "p", "")),
        ({"auth": encoded("u:p"), "username": "old", "password": "old"}, ("u", "p", "")),
        ({"auth": encoded("u:a:b:c")}, ("u", "a:b:c", "")),
        ({"auth": encoded("u:pä")}, ("u", "pä", "")),
        ({"auth": encoded("u:")}, ("u", "", "")),
        ({"auth": encoded(":p")}, ("", "p", "")),
        ({"auth": encoded("user:p").rstrip("=")}, ("user", "p", "")),
        ({"auth": encoded("user:pw").rstrip("=") + "===="}, ("user", "pw", "")),
        ({"auth": f" {encoded('user:pw')[:4]}\r\n{encoded('user:pw')[4:]}\n"}, ("user", "pw", "")),
        ({"auth": encoded("u:p\0\0")}, ("u", "p", "")),
        ({"auth": "", "username": "u", "password": "p"}, ("u", "p", "")),
        ({"auth": None, "username": "u", "password": "p"}, ("u", "p", "")),
        ({"identitytoken": "t"}, ("", "", "t")),
        ({"auth": encoded("0000:"), "identitytoken": "t"}, ("0000", "", "t")),
        ({"username": "u", "password": "p", "email": "u@shop.example", "unknown": [1]}, ("u", "p", "")),
    ],
)
def test_entry_gives_its_credential(fields: dict[str, object], expected: tuple[str, str, str]) -> None:
    """`auth` overrides user name and password, whatever its padding; an identity token goes along."""
    found = credential(parse_secret(secret({"auths": {"quay.io": fields}})))

    assert expected == (found.username, found.password, found.identity_token)
    assert found.source == "secret shop/regcred"


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({}, "has neither auth, nor username and password, nor identitytoken"),
        ("text", "must be an object"),
        (None, "must be an object"),
        ({"username": 7}, "has a username that is not text"),
        ({"auth": {"a": 1}}, "has a auth that is not text"),
        ({"auth": "%%%"}, "has an auth that is not base64 of user:password"),
        ({"auth": "a"}, "has an auth that is not base64 of user:password"),
        ({"auth": encoded(b"\xff\xfe:x")}, "has an auth that is not base64 of user:password"),
        ({"auth": encoded("nocolon")}, "has an auth without a colon between user and password"),
        ({"auth": "é:é"}, "has an auth that is not base64 of user:password"),
    ],
)
def test_malformed_entry_is_a_problem_and_costs_itself_alone(fields: object, words: str) -> None:
    """The entry's host and field are named, and the entry beside it is used."""
    config = parse_secret(secret({"auths": {"bad.example": fields, "quay.io": {"username": "u", "password": "p"}}}))

    assert credential(config).username == "u"
    assert [f'secret shop/regcred: .dockerconfigjson: entry 1 ("bad.example") {words}'] == messages(config)


def test_malformed_key_is_named_by_its_number() -> None:
    """A key that is no host may hold a password, so it is never shown."""
    config = parse_secret(secret({"auths": {"https://user:hunter2@quay.io": {"username": "u", "password": "p"}}}))

    (message,) = messages(config)
    assert "entry 1 has a key that is not a host" in message
    assert "hunter2" not in message


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"{", ".dockerconfigjson is not valid JSON"),
        (b"\xff\xfe", ".dockerconfigjson is not valid JSON"),
        (b"[" * 100_000, ".dockerconfigjson is not valid JSON"),
        (b'{"auths": {"quay.io": {"username": "\\ud800"}}}', ".dockerconfigjson is not valid JSON"),
        (b"[]", ".dockerconfigjson must be a JSON object"),
        (b"{}", '.dockerconfigjson must have an object "auths"'),
        (b'{"auths": []}', '.dockerconfigjson must have an object "auths"'),
        (b"", "has no data under .dockerconfigjson"),
    ],
)
def test_malformed_secret_is_a_problem(content: bytes, words: str) -> None:
    """A secret that can't be read gives no entry and one problem, which names it."""
    config = parse_secret(secret(content))

    assert config.entries == ()
    assert [f"secret shop/regcred: {words}"] == messages(config)


def test_secret_of_the_older_type_has_its_entries_at_the_top() -> None:
    """kubernetes.io/dockercfg has no "auths" around the entries."""
    older = PullSecret(
        name="old",
        type="kubernetes.io/dockercfg",
        data={".dockercfg": b'{"quay.io": {"username": "u", "password": "p"}}'},
    )

    assert credential(parse_secret(older)) == Credential(username="u", password="p", source="secret old")


def test_data_of_the_api_server_is_base64() -> None:
    """Text is what the API server sends, in base64; bytes are decoded already."""
    raw = '{"auths": {"quay.io": {"username": "u", "password": "p"}}}'
    sent = PullSecret(name="s", type="kubernetes.io/dockerconfigjson", data={".dockerconfigjson": encoded(raw)})

    assert credential(parse_secret(sent)).username == "u"


@pytest.mark.parametrize(
    ("kind", "data", "words"),
    [
        ("Opaque", {"password": b"x"}, "its type must be kubernetes.io/dockerconfigjson or kubernetes.io/dockercfg"),
        ("", {}, "its type must be"),
        ("kubernetes.io/dockercfg", {".dockerconfigjson": b"{}"}, "has no data under .dockercfg"),
        ("kubernetes.io/dockerconfigjson", {".dockerconfigjson": "%%"}, ".dockerconfigjson is not base64"),
        ("kubernetes.io/dockerconfigjson", {".dockerconfigjson": "é"}, ".dockerconfigjson is not base64"),
    ],
)
def test_secret_of_another_shape_is_a_problem(kind: str, data: dict[str, str | bytes], words: str) -> None:
    """A wrong type, a missing field and broken base64 each say so."""
    config = parse_secret(PullSecret(name="s", type=kind, data=data))

    assert config.entries == ()
    assert [words] == [words for message in messages(config) if words in message]


@pytest.mark.parametrize("content", [b"{}", b'{"credsStore": "desktop"}', b'{"auths": {}}'])
def test_config_file_without_entries_is_no_problem(content: bytes) -> None:
    """A docker config.json that only names a credential store is as good as none."""
    assert DockerConfig() == parse_config_file(content, source="file config.json")


@pytest.mark.parametrize("content", [b"", b"nonsense", b"[]", b'{"auths": 1}'])
def test_malformed_config_file_is_a_problem(content: bytes) -> None:
    """A broken config.json is named, and nothing is raised."""
    config = parse_config_file(content, source="file config.json")

    assert len(config.problems) == 1
    assert config.problems[0].source == "file config.json"


PASSWORDS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=8, max_size=30)


@given(password=PASSWORDS)
def test_password_comes_back_as_it_was_written(password: str) -> None:
    """Any password survives the way through `auth`."""
    found = credential(parse_secret(secret({"auths": {"quay.io": {"auth": encoded(f"u:{password}")}}})))

    assert password == found.password


@given(password=st.text("0123456789abcdef", min_size=12, max_size=30), where=st.integers(0, 7))
def test_password_never_shows(password: str, where: int) -> None:
    """No repr, text or problem of anything made from a secret holds its password, be the secret well formed or not."""
    entries: list[object] = [
        {"username": "u", "password": password},
        {"auth": encoded(f"u:{password}")},
        {"auth": password},
        {"auth": encoded(password)},
        {"identitytoken": password},
        {"username": [password]},
        password,
        {password: password},
    ]
    given_secret = secret({"auths": {"quay.io": entries[where], f"https://u:{password}@x": {"username": password}}})
    broken = secret(f'{{"auths": {{"quay.io": "{password}'.encode())

    shown = [
        rendered(value)
        for made in (given_secret, broken)
        for value in (made, parse_secret(made), *parse_secret(made).entries, *parse_secret(made).problems)
    ]

    assert [text for text in shown if password in text] == []


def rendered(value: msgspec.Struct) -> str:
    """Every way in which a log, a traceback or a terminal may render a value."""
    return f"{value} {value!r} {[value]} {value.__rich_repr__()}"


def test_credential_names_only_its_source() -> None:
    """str, repr, rich and structlog see where a credential is from, and nothing of it."""
    found = Credential(username="u", password="hunter2", identity_token="hunter2", source="secret shop/regcred")

    assert {"Credential(source='secret shop/regcred')"} == {str(found), repr(found), found.__structlog__()}
    assert found.__rich_repr__() == [("source", "secret shop/regcred")]
