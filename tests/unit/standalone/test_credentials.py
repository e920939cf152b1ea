"""Where a run finds credentials: the job's own Secrets among the manifests first, and what is said of a missing one."""

import json
import threading
from pathlib import Path

import msgspec

from daemon.api.manifest import parse_manifests
from daemon.api.nodeimage import SecretReference
from daemon.credentials.sources import Credentials
from daemon.node.wanted import WantedImage
from daemon.standalone.credentials import ManifestCredentials
from tests.unit.node.virtual_node import image


def _secret(name: str, password: str, *, namespace: str = "default") -> str:
    config = json.dumps({"auths": {"registry.example": {"username": "anna", "password": password}}})
    return (
        f"apiVersion: v1\nkind: Secret\nmetadata: {{name: {name}, namespace: {namespace}}}\n"
        f"type: kubernetes.io/dockerconfigjson\nstringData: {{.dockerconfigjson: '{config}'}}\n"
    )


def _passwords(
    wanted: WantedImage, *secrets: str, credentials: Credentials | None = None
) -> tuple[list[str], list[str]]:
    """Return the passwords to try, and the problems."""
    given = parse_manifests("---\n".join(secrets), source="here").secrets
    source = ManifestCredentials(credentials or Credentials(), secrets=given)
    found = source.candidates(wanted, cancelled=threading.Event())
    return [one.password for one in found.credentials], [str(problem) for problem in found.problems]


def _wanted(*names: str, namespace: str = "default") -> WantedImage:
    references = tuple(SecretReference(namespace=namespace, name=name) for name in names)
    return image(pull_secrets=references)


def test_a_job_s_secrets_are_tried_in_its_order() -> None:
    """Others among the manifests are not its."""
    assert (["b", "a"], []) == _passwords(_wanted("b", "a"), _secret("a", "a"), _secret("b", "b"), _secret("c", "c"))


def test_a_secret_of_another_namespace_is_another_secret() -> None:
    """A job reads secrets of its own namespace alone."""
    passwords, problems = _passwords(_wanted("a"), _secret("a", "a", namespace="other"))

    assert ([], ["secret default/a: is not among the manifests; give its manifest too"]) == (passwords, problems)


def test_the_last_of_two_manifests_of_one_secret_counts() -> None:
    """As when both are applied in this order."""
    assert (["new"], []) == _passwords(_wanted("a"), _secret("a", "old"), _secret("a", "new"))


def test_secrets_come_before_docker_s_own_config(tmp_path: Path) -> None:
    """And the config serves what no secret does."""
    config = tmp_path / "config.json"
    config.write_text(json.dumps({"auths": {"registry.example": {"username": "ben", "password": "file"}}}))
    credentials = Credentials(config_files=(config,))

    assert (["a", "file"], []) == _passwords(_wanted("a"), _secret("a", "a"), credentials=credentials)
    assert (["file"], []) == _passwords(_wanted(), credentials=credentials)


def test_an_image_that_is_none_has_no_credentials() -> None:
    """It fails for its name."""
    assert ([], []) == _passwords(msgspec.structs.replace(_wanted("a"), reference=None), _secret("a", "a"))
