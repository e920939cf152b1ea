"""What a Pod has tells where the API server is; what is missing is named, with what to do."""

from pathlib import Path

import pytest

from daemon.cluster.access import NoAccess, in_pod


GOOD = {"KUBERNETES_SERVICE_HOST": "10.0.0.1", "KUBERNETES_SERVICE_PORT": "443"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A service account folder."""
    (tmp_path / "token").write_text("first")
    (tmp_path / "ca.crt").write_text("certificate")
    return tmp_path


@pytest.mark.parametrize(
    ("host", "server"),
    [
        ("10.0.0.1", "https://10.0.0.1:443"),
        ("fd00::1", "https://[fd00::1]:443"),
        ("::ffff:10.0.0.1", "https://[::ffff:10.0.0.1]:443"),
        ("kubernetes.default.svc", "https://kubernetes.default.svc:443"),
    ],
)
def test_a_pods_variables_and_files_are_an_access(folder: Path, host: str, server: str) -> None:
    """The address, with brackets where it is IPv6, the CA and the token's file."""
    access = in_pod(folder, environment={**GOOD, "KUBERNETES_SERVICE_HOST": host})

    assert server == access.server
    assert folder / "ca.crt" == access.ca_file
    assert access.token is not None
    assert "first" == access.token(anew=False)


@pytest.mark.parametrize("name", list(GOOD))
def test_a_missing_variable_is_named(folder: Path, name: str) -> None:
    """Outside a Pod neither is set; the message says what to give instead."""
    with pytest.raises(NoAccess, match=rf"variable {name} is not set \(not in a Pod\? give --kubeconfig\)"):
        in_pod(folder, environment={**GOOD, name: " "})


@pytest.mark.parametrize("name", ["token", "ca.crt"])
def test_a_missing_file_is_named(folder: Path, name: str) -> None:
    """As with automountServiceAccountToken: false."""
    (folder / name).unlink()

    with pytest.raises(NoAccess, match=rf"{folder / name} is missing"):
        in_pod(folder, environment=GOOD)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("KUBERNETES_SERVICE_HOST", "a b"),
        ("KUBERNETES_SERVICE_HOST", "a/b"),
        ("KUBERNETES_SERVICE_HOST", "user@host"),
        ("KUBERNETES_SERVICE_PORT", "tcp://10.0.0.1:443"),
        ("KUBERNETES_SERVICE_PORT", "0"),
        ("KUBERNETES_SERVICE_PORT", "65536"),
        ("KUBERNETES_SERVICE_PORT", "\u0664\u0664"),
    ],
)
def test_a_variable_that_is_none_is_named(folder: Path, name: str, value: str) -> None:
    """A value that is no host or no port is shown with its variable."""
    with pytest.raises(NoAccess, match=name):
        in_pod(folder, environment={**GOOD, name: value})


def test_an_access_does_not_show_its_token(folder: Path) -> None:
    """Not in its repr either."""
    access = in_pod(folder, environment=GOOD)
    assert access.token is not None
    access.token(anew=False)

    assert "first" not in repr(access)
