import base64
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.api.credential import Credential
from daemon.runtime.redact import HIDDEN, WORDS_LENGTH, redact


ALPHABET = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
secrets = st.text(ALPHABET + "-._~+/=", min_size=12, max_size=60).map(lambda text: f"S3{text}")
bare_secrets = st.text(ALPHABET, min_size=12, max_size=60).map(lambda text: f"S3{text}")

# Where a secret stands in what runtimes, registries and storage back ends say.
PLACES = (
    'failed to do request: Head "https://anna:{}@registry.example/v2/app/manifests/v1": EOF',
    "https://{}@registry.example: 401 Unauthorized",
    "proxyconnect tcp: dial http://anna:{}@proxy.example:3128: refused",
    "request header Authorization: Bearer {}",
    "request header Authorization: Basic {}",
    "Authorization: {}",
    '{{"Authorization":["Bearer {}"]}}',
    "got Bearer {} from the token server",
    "GET https://s3.example/blob?X-Amz-Algorithm=AWS4&X-Amz-Signature={}&x=1: 403 Forbidden",
    "GET https://storage.example/blob?sig={}: 403",
    "GET https://auth.example/token?service=registry&account=anna&client_secret={}: 500",
    'Get "https://cdn.example/x?expires=1\\u0026signature={}": EOF',
    'body: {{"access_token":"{}","expires_in":300}}',
    'body: "{{\\"token\\":\\"{}\\"}}"',
    "X-Registry-Auth: {}",
    "password={} user=anna",
    "Set-Cookie: session={}",
)


@given(secret=bare_secrets, place=st.sampled_from(PLACES))
def test_a_secret_is_taken_out_wherever_it_stands(secret: str, place: str) -> None:
    """A credential, a token or a signature does not outlive any place that is known to carry one."""
    assert secret not in redact(place.format(secret))


@given(username=bare_secrets, password=secrets, token=secrets)
def test_what_the_pull_was_made_with_is_never_repeated(username: str, password: str, token: str) -> None:
    """The call's own password, identity token and basic value are taken out even of words of no known form."""
    credential = Credential(username=username, password=password, identity_token=token)
    basic = base64.b64encode(f"{username}:{password}".encode()).decode()

    words = redact(f"it said <{password}> and <{token}> and <{basic}>", credential=credential)

    assert f"it said <{HIDDEN}> and <{HIDDEN}> and <{HIDDEN}>" == words


QUOTED = {
    "in a form": ("a b/c&d", "asked with code a+b%2Fc%26d there"),
    "in a URL": ("a b/c&d", "for a%20b%2Fc%26d there"),
    "in JSON": ('two"words', r"said two\"words there"),
    "as it is": ("a b/c&d", "said a b/c&d there"),
}


@pytest.mark.parametrize(("password", "words"), QUOTED.values(), ids=QUOTED)
def test_a_quoted_password_is_the_same_password(password: str, words: str) -> None:
    """What is quoted on its way into a URL, a form or JSON is as secret, also behind a quoted character."""
    credential = Credential(username="anna", password=password)

    line = redact(words, credential=credential)

    assert line.endswith(f" {HIDDEN} there")


def test_a_token_with_escaped_slashes_is_taken_out_whole() -> None:
    """JSON may write a slash of base64 with a backslash before it."""
    assert f'body: {{"token":"{HIDDEN}"}}' == redact(r'body: {"token":"abc\/def\/ghi"}')


def test_a_json_web_token_is_taken_out_anywhere() -> None:
    """A token of three base64 parts is known by its look."""
    token = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhbm5hIn0.c2lnbmF0dXJl"

    assert f"the server said {HIDDEN} to us" == redact(f"the server said {token} to us")


@given(words=st.text(max_size=5000))
def test_words_are_one_bounded_line(words: str) -> None:
    """Whatever a runtime says fits into a status."""
    line = redact(words)

    assert len(line) <= WORDS_LENGTH
    assert " ".join(words.split()) == line or len(line.splitlines()) <= 1


def test_long_words_keep_the_beginning_and_the_cause() -> None:
    """What was tried comes first and what went wrong last: the middle goes."""
    line = redact(f"failed to pull: {'x' * 5000}: no space left on device")

    assert WORDS_LENGTH == len(line)
    assert line.startswith("failed to pull: ")
    assert line.endswith(": no space left on device")


@pytest.mark.parametrize("file", sorted(Path(__file__).parent.glob("containerd-*.json")), ids=lambda file: file.stem)
def test_what_a_person_needs_stays(file: Path) -> None:
    """Of what real containerds say nothing is lost but values in URL queries."""
    messages = {case: words for case, (_, words) in json.loads(file.read_text()).items() if "X-Amz" not in words}

    lost = {case for case, words in messages.items() if HIDDEN in redact(words) and "?ns=" not in words}

    assert set() == lost


def test_a_challenge_stays_readable() -> None:
    """Whom to ask for a token is no secret."""
    words = (
        'Www-Authenticate: Bearer realm="https://auth.example/token?service=r&scope=repository:app:pull",service="r"'
    )

    assert words == redact(words)


def test_words_hold_nothing_that_a_terminal_would_act_on() -> None:
    """A registry's words reach logs, events and statuses, which people look at with kubectl and curl."""
    words = "403 Forbidden: \x1b[2J\x1b]0;title\x07 and \u202eeno rehto\x00\r\nno more"

    assert "403 Forbidden: [2J ]0;title and eno rehto no more" == redact(words)


def test_a_secret_that_does_not_print_is_taken_out_all_the_same() -> None:
    """Also one with white space of which one line keeps less."""
    credential = Credential(username="ann", password="pass\x1b  word\ttabbed", source="team/regcred")

    shown = redact(f"wrong: {credential.password}", credential=credential)

    assert f"wrong: {HIDDEN}" == shown
