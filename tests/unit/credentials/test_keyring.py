import time
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.api.credential import Credential
from daemon.credentials.keyring import Entry, Keyring, matches, parse_key, parse_pattern
from daemon.images import parse_reference


def keyring(*keys: str) -> Keyring:
    """A keyring whose credentials have their keys as user names."""
    return Keyring(entry(key) for key in keys)


def entry(key: str, *, username: str = "", password: str = "word") -> Entry:
    """An entry with this key."""
    pattern = parse_key(key)
    assert pattern is not None
    return Entry(pattern=pattern, credential=Credential(username=username or key, password=password))


def usernames(ring: Keyring, image: str) -> list[str]:
    """The user names of the candidates for an image, in order."""
    return [credential.username for credential in ring.lookup(parse_reference(image))]


@pytest.mark.parametrize(
    ("key", "image"),
    [
        ("quay.io", "quay.io/team/app"),
        ("https://quay.io", "quay.io/team/app"),
        ("http://quay.io", "quay.io/team/app"),
        ("https://quay.io/", "quay.io/team/app"),
        ("https://quay.io/v1/", "quay.io/team/app"),
        ("https://quay.io/v2/", "quay.io/team/app"),
        ("quay.io/v2/team", "quay.io/team/app"),
        ("quay.io/team", "quay.io/team/app"),
        ("quay.io/team/app", "quay.io/team/app:1"),
        ("quay.io/te", "quay.io/team/app"),
        ("quay.io/team/app", "quay.io/team/app-two"),
        ("registry:5000", "registry:5000/app"),
        ("localhost", "localhost/app"),
        ("[::1]", "[::1]/app"),
        ("[::1]:5000", "[::1]:5000/app"),
        ("*.example.com", "eu.example.com/app"),
        ("*.*.example.com", "a.eu.example.com/app"),
        ("registry-*.example.com", "registry-eu.example.com/app"),
        ("*.dkr.ecr.*.amazonaws.com", "1234.dkr.ecr.eu-west-1.amazonaws.com/app"),
        ("r[0-9].example.com", "r7.example.com/app"),
        ("r[^0-9].example.com", "rx.example.com/app"),
        ("*.example.com:5000/team", "eu.example.com:5000/team/app"),
        ("docker.io", "nginx"),
        ("docker.io/library", "nginx"),
        ("index.docker.io", "nginx"),
        ("https://index.docker.io/v1/", "nginx"),
        ("https://index.docker.io/v1/", "team/app"),
        ("https://index.docker.io/v2/", "index.docker.io/team/app"),
    ],
)
def test_key_serves_image(key: str, image: str) -> None:
    """The kubelet's rules: scheme and API version ignored, globs in each label of the host, path as string prefix."""
    assert [key] == usernames(keyring(key), image)


@pytest.mark.parametrize(
    ("key", "image"),
    [
        ("quay.io", "docker.io/team/app"),
        ("quay.io", "eu.quay.io/team/app"),
        ("quay.io:443", "quay.io/team/app"),
        ("quay.io", "quay.io:443/team/app"),
        ("quay.io/other", "quay.io/team/app"),
        ("quay.io/team/", "quay.io/team"),
        ("quay.io/v2", "quay.io/team/app"),
        ("registry:*", "registry:5000/app"),
        ("quay.io/*/app", "quay.io/team/app"),
        ("*.example.com", "example.com/app"),
        ("*.example.com", "a.eu.example.com/app"),
        ("*", "quay.io/app"),
        ("*.*", "a.b.c/app"),
        ("r[0-9].example.com", "rx.example.com/app"),
        ("r[9-0].example.com", "r5.example.com/app"),
        ("[::2]", "[::1]/app"),
        ("QUAY.io", "quay.io/app"),
        ("index.docker.io", "quay.io/app"),
        ("index.docker.io", "localhost/app"),
        ("index.docker.io/team", "team/app"),
        ("registry-1.docker.io", "nginx"),
    ],
)
def test_key_does_not_serve_image(key: str, image: str) -> None:
    """A credential never goes to another host or port, nor to a path that does not begin with the key's."""
    pattern = parse_key(key)
    ring = Keyring([entry(key)] if pattern else [])

    found = usernames(ring, image)

    assert found == []


@pytest.mark.parametrize(
    "key",
    [
        "",
        "https://",
        "/team",
        "a..b",
        ".a",
        "user:hunter2@quay.io",
        "quay.io?x",
        "quay.io/a b",
        "a:b",
        "[x",
        "a[",
        "a[]",
        "quay.io\n",
        "é.example",
        "https://https://quay.io",
        "ftp://quay.io",
        "a\\b",
        "[::1",
        "registry:5000:5000",
    ],
)
def test_key_that_is_no_host_is_none(key: str) -> None:
    """What has no host, or one with foreign characters, is refused rather than guessed at."""
    assert parse_key(key) is None


@pytest.mark.parametrize("order", list(permutations(["quay.io", "quay.io/team/app", "*.io", "quay.io/team"])))
def test_most_specific_key_comes_first(order: tuple[str, ...]) -> None:
    """All matches are given, longer paths before shorter, globs last, whatever order they came in."""
    expected = ["quay.io/team/app", "quay.io/team", "quay.io", "*.io"]

    assert expected == usernames(keyring(*order), "quay.io/team/app:1")


def test_index_docker_io_serves_only_where_nothing_else_does() -> None:
    """The legacy name of Docker Hub is a fallback, as in the kubelet."""
    ring = keyring("https://index.docker.io/v1/", "docker.io/team")

    assert usernames(ring, "team/app") == ["docker.io/team"]
    assert usernames(ring, "nginx") == ["https://index.docker.io/v1/"]


def test_same_credential_is_tried_once() -> None:
    """A credential under several keys is given once, at its most specific place."""
    ring = Keyring(
        [
            entry("quay.io/team", username="both"),
            entry("quay.io", username="other"),
            entry("*.io", username="both"),
        ]
    )

    assert usernames(ring, "quay.io/team/app") == ["both", "other"]


def test_entries_of_one_key_keep_the_order_of_their_sources() -> None:
    """Two secrets for one registry (a rotation) are tried in the order in which the job names them."""
    ring = Keyring([entry("quay.io", username="new"), entry("https://quay.io/v2/", username="old")])

    assert usernames(ring, "quay.io/app") == ["new", "old"]


def test_match_pattern_keeps_the_api_version_as_a_path() -> None:
    """MatchImages of a plugin are patterns, not keys: /v2/ is a path there."""
    pattern = parse_pattern("quay.io/v2/team")
    assert pattern is not None

    assert not matches(pattern, parse_reference("quay.io/team/app"))
    assert matches(pattern, parse_reference("quay.io/v2/team/app"))


def test_hostile_glob_can_not_hold_up_a_lookup() -> None:
    """A key made to make a matcher backtrack ends in time linear to its length."""
    ring = keyring("*a" * 100 + "b.io")
    begin = time.process_time()

    found = usernames(ring, "a" * 2000 + ".io/app")

    assert found == []
    assert time.process_time() - begin < 5  # seconds; a backtracking matcher takes years


LABELS = st.text("ab*", min_size=1, max_size=3)
HOSTS = st.lists(LABELS, min_size=1, max_size=3).map(".".join)
PORTS = st.sampled_from(["", ":1", ":5000"])
KEYS = st.builds(lambda host, port, path: host + port + path, HOSTS, PORTS, st.sampled_from(["", "/a", "/a/b"]))
NAMES = st.builds(
    lambda hosts, port: f"{'.'.join(hosts)}{port}/a/b",
    st.lists(st.text("ab", min_size=1, max_size=3), min_size=2, max_size=3),
    PORTS,
)


@given(data=st.data(), keys=st.lists(KEYS, max_size=8, unique=True), image=NAMES)
def test_order_depends_on_the_keys_alone(data: st.DataObject, keys: list[str], image: str) -> None:
    """Most specific first is a total order: entries in any order give the same candidates in the same order."""
    shuffled = data.draw(st.permutations(keys))

    expected = usernames(keyring(*keys), image)

    assert expected == usernames(keyring(*shuffled), image)
    assert expected == sorted(expected, reverse=True)


@given(keys=st.lists(KEYS, max_size=8), image=NAMES)
def test_every_candidate_is_for_the_host_of_the_image(keys: list[str], image: str) -> None:
    """Port and number of labels of each candidate's key equal those of the image."""
    shape = (image.split("/", maxsplit=1)[0].count("."), image.split("/", maxsplit=1)[0].partition(":")[2])

    shapes = {
        (key.split("/")[0].count("."), key.split("/")[0].partition(":")[2]) for key in usernames(keyring(*keys), image)
    }

    assert shapes <= {shape}


@given(text=st.text(max_size=60) | st.text("ab*[]^-.:/0\\@", max_size=30))
def test_any_text_is_a_key_or_none(text: str) -> None:
    """No key raises, neither parsed nor matched."""
    pattern = parse_key(text)

    assert pattern is None or matches(pattern, parse_reference("a.b/c")) in {True, False}
