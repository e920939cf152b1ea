import json
import os
import threading
from pathlib import Path

import pytest

from daemon.api.secret import PullSecret
from daemon.credentials.keyring import Pattern
from daemon.credentials.plugin_provider import CredentialProvider
from daemon.credentials.plugins import Plugins
from daemon.credentials.sources import CONFIG_FILE_BYTES_MAX, Candidates, Credentials, default_config_files
from daemon.images import parse_reference


def document(**usernames: str) -> bytes:
    """A docker config: user names by host, in which _ stands for a dot."""
    auths = {host.replace("_", "."): {"username": name, "password": "hunter2"} for host, name in usernames.items()}
    return json.dumps({"auths": auths}).encode()


def secret(name: str, content: bytes) -> PullSecret:
    """A dockerconfigjson secret."""
    return PullSecret(
        namespace="shop", name=name, type="kubernetes.io/dockerconfigjson", data={".dockerconfigjson": content}
    )


def plugins(folder: Path, *, username: str) -> Plugins:
    """One plugin for quay.io."""
    api_version = "credentialprovider.kubelet.k8s.io/v1"
    answer = {
        "kind": "CredentialProviderResponse",
        "apiVersion": api_version,
        "cacheKeyType": "Registry",
        "auth": {"quay.io": {"username": username, "password": "hunter2"}},
    }
    executable = folder / "plugin"
    executable.write_text(f"#!/bin/sh\necho '{json.dumps(answer)}'\n")
    executable.chmod(0o755)
    provider = CredentialProvider(
        name="plugin", match_images=(Pattern(host="quay.io"),), default_cache_seconds=0, api_version=api_version
    )
    return Plugins([provider], bin_dir=folder, environ=dict(os.environ))


def find(credentials: Credentials, *secrets: PullSecret, image: str = "quay.io/app") -> Candidates:
    """Search with these secrets."""
    return credentials.find(parse_reference(image), secrets=secrets, cancelled=threading.Event())


def test_secrets_come_before_files_and_files_before_plugins(tmp_path: Path) -> None:
    """What a job names is tried first, however general its key; what the node has comes after."""
    config = tmp_path / "config.json"
    config.write_bytes(document(quay_io="file"))
    credentials = Credentials(config_files=[config], plugins=plugins(tmp_path, username="plugin"))

    found = find(credentials, secret("a", document(**{"*_io": "glob"})), secret("b", document(quay_io="exact")))

    assert [candidate.username for candidate in found.credentials] == ["exact", "glob", "file", "plugin"]
    assert [candidate.source for candidate in found.credentials] == [
        "secret shop/b",
        "secret shop/a",
        f"file {config}",
        "credential provider plugin",
    ]


def test_credential_of_several_sources_is_tried_once(tmp_path: Path) -> None:
    """The same user and password from a secret, a file and a plugin is one candidate."""
    config = tmp_path / "config.json"
    config.write_bytes(document(quay_io="same"))
    credentials = Credentials(config_files=[config], plugins=plugins(tmp_path, username="same"))

    found = find(credentials, secret("a", document(quay_io="same")))

    assert [candidate.source for candidate in found.credentials] == ["secret shop/a"]


def test_bad_sources_hold_up_no_good_one(tmp_path: Path) -> None:
    """A malformed secret, a broken file and a missing plugin are problems beside the credential that was found."""
    config = tmp_path / "config.json"
    config.write_bytes(b"hunter2")
    broken = plugins(tmp_path, username="plugin")
    (tmp_path / "plugin").unlink()
    credentials = Credentials(config_files=[config], plugins=broken)

    found = find(credentials, secret("bad", b"hunter2"), secret("good", document(quay_io="u")))

    assert [candidate.username for candidate in found.credentials] == ["u"]
    assert [problem.source for problem in found.problems] == [
        "secret shop/bad",
        f"file {config}",
        "credential provider plugin",
    ]
    assert "hunter2" not in repr(found)


def test_nothing_that_fits_gives_no_candidate(tmp_path: Path) -> None:
    """Sources for other registries give neither candidate nor problem; an absent file is fine."""
    credentials = Credentials(config_files=[tmp_path / "absent.json", tmp_path / "absent" / "config.json"])

    assert Candidates() == find(credentials, secret("a", document(quay_io="u")), image="nginx")


def test_rotated_file_is_seen_at_once(tmp_path: Path) -> None:
    """Files are read at each search."""
    config = tmp_path / "config.json"
    config.write_bytes(document(quay_io="old"))
    credentials = Credentials(config_files=[config])
    find(credentials)
    config.write_bytes(document(quay_io="new"))

    found = find(credentials)

    assert [candidate.username for candidate in found.credentials] == ["new"]


def test_what_is_no_regular_file_is_a_problem(tmp_path: Path) -> None:
    """A folder, a device without an end and a FIFO that nobody writes to are named, and hold nothing up."""
    fifo, endless = tmp_path / "fifo", Path("/dev/zero")
    os.mkfifo(fifo)

    found = find(Credentials(config_files=[tmp_path, fifo, endless]))

    assert [f"file {path}: can't be read: it is no regular file" for path in (tmp_path, fifo, endless)] == [
        str(problem) for problem in found.problems
    ]


def test_file_of_the_largest_size_is_read_and_a_larger_one_is_a_problem(tmp_path: Path) -> None:
    """The size of a file is bounded; nobody has a config of a mebibyte."""
    largest, larger = tmp_path / "largest", tmp_path / "larger"
    largest.write_bytes(document(quay_io="u").ljust(CONFIG_FILE_BYTES_MAX))
    larger.write_bytes(document(quay_io="u").ljust(CONFIG_FILE_BYTES_MAX + 1))

    found = find(Credentials(config_files=[largest, larger]))

    assert [f"file {largest}"] == [candidate.source for candidate in found.credentials]
    assert [f"file {larger}: can't be read: it has more than {CONFIG_FILE_BYTES_MAX} bytes"] == [
        str(problem) for problem in found.problems
    ]


def test_file_that_cannot_be_opened_is_a_problem(tmp_path: Path) -> None:
    """What the system says is told, here of a loop of links."""
    loop = tmp_path / "loop"
    loop.symlink_to(loop)

    found = find(Credentials(config_files=[loop]))

    assert [f"file {loop}: can't be read: Too many levels of symbolic links"] == [
        str(problem) for problem in found.problems
    ]


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"HOME": "/home/u"}, [Path("/home/u/.docker/config.json")]),
        ({"HOME": "/home/u", "DOCKER_CONFIG": "/etc/docker"}, [Path("/etc/docker/config.json")]),
        ({"HOME": "", "DOCKER_CONFIG": ""}, []),
        ({}, []),
    ],
)
def test_default_files_are_those_of_docker(environ: dict[str, str], expected: list[Path]) -> None:
    """DOCKER_CONFIG names a folder that replaces the one under HOME."""
    assert expected == list(default_config_files(environ))
