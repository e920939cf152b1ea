"""Secrets among the manifests: what is read of them, what is refused, and that nothing of them is ever shown."""

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.pretty import pretty_repr

from daemon.api.manifest import Manifests, describe, parse_manifests


PASSWORD = "correct horse battery staple"
CONFIG = json.dumps({"auths": {"registry.example": {"username": "anna", "password": PASSWORD}}})
DOCKERCFG = json.dumps({"registry.example": {"username": "anna", "password": PASSWORD}})
HEAD = "apiVersion: v1\nkind: Secret\nmetadata: {name: registry, namespace: team}\n"


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _parse(rest: str) -> Manifests:
    return parse_manifests(HEAD + rest, source="here")


def _lines(found: Manifests) -> list[str]:
    return [describe(problem) for problem in found.problems]


@pytest.mark.parametrize(
    ("secret_type", "field", "content"),
    [
        ("kubernetes.io/dockerconfigjson", ".dockerconfigjson", CONFIG),
        ("kubernetes.io/dockercfg", ".dockercfg", DOCKERCFG),
    ],
)
def test_both_types_of_pull_secrets_are_read(secret_type: str, field: str, content: str) -> None:
    """Data in base64 and stringData say the same."""
    encoded = _parse(f"type: {secret_type}\ndata: {{{field}: {_encoded(content)}}}\n")
    plain = _parse(f"type: {secret_type}\nstringData: {{{field}: '{content}'}}\n")

    assert [] == _lines(encoded) + _lines(plain)
    for (secret,) in (encoded.secrets, plain.secrets):
        assert ("team", "registry", secret_type) == (secret.namespace, secret.name, secret.type)
        assert {field: content.encode()} == secret.data


def test_base64_may_be_wrapped() -> None:
    """`base64` without -w0 breaks lines, and the API server takes them."""
    wrapped = "".join(f"    {line}\n" for line in base64.encodebytes(CONFIG.encode()).decode().splitlines())

    (secret,) = _parse(f"type: kubernetes.io/dockerconfigjson\ndata:\n  .dockerconfigjson: |\n{wrapped}").secrets

    assert CONFIG.encode() == secret.data[".dockerconfigjson"]


def test_string_data_comes_before_data() -> None:
    """The API server lets stringData overwrite data."""
    text = f"data: {{.dockerconfigjson: {_encoded('{}')}}}\nstringData: {{.dockerconfigjson: '{CONFIG}'}}\n"

    (secret,) = _parse(f"type: kubernetes.io/dockerconfigjson\n{text}").secrets

    assert CONFIG.encode() == secret.data[".dockerconfigjson"]


def test_a_secret_without_namespace_is_in_the_default_one() -> None:
    """As its jobs are."""
    text = HEAD.replace(", namespace: team", "")

    (secret,) = parse_manifests(
        f"{text}type: kubernetes.io/dockerconfigjson\nstringData: {{.dockerconfigjson: '{{}}'}}\n", source="here"
    ).secrets

    assert "default" == secret.namespace


@pytest.mark.parametrize("secret_type", ["type: Opaque\n", "type: kubernetes.io/tls\n", "", "type: ''\n"])
def test_a_secret_of_another_type_is_passed_over_with_a_warning(secret_type: str) -> None:
    """A folder of manifests may hold Secrets for other things; they are no error, and counted as read."""
    found = _parse(f"{secret_type}data: {{password: {_encoded(PASSWORD)}}}\n")

    assert ((), (), 1) == (found.secrets, found.errors, found.objects)
    (line,) = _lines(found)
    assert "Secret/registry: warning: type " in line
    assert "passed over" in line
    assert _encoded(PASSWORD) not in line


@pytest.mark.parametrize(
    ("rest", "expected"),
    [
        ("", "data[.dockerconfigjson]: Required value"),
        ("data: {}\n", "data[.dockerconfigjson]: Required value"),
        ("data: {.dockercfg: e30=}\n", "data[.dockerconfigjson]: Required value"),
        ("data: {.dockerconfigjson: ''}\n", "data[.dockerconfigjson]: Required value"),
        ("data: {.dockerconfigjson: hunter2!}\n", "data[.dockerconfigjson]: Invalid value: must be base64"),
        ("data: {.dockerconfigjson: hünter2}\n", "data[.dockerconfigjson]: Invalid value: must be base64"),
        ("data: {.dockerconfigjson: 271828}\n", "data[.dockerconfigjson]: Invalid value: must be of type string"),
        ("data: {.dockerconfigjson: [hunter2]}\n", "data[.dockerconfigjson]: Invalid value: must be of type string"),
        ("data: {.dockerconfigjson: null}\n", "data[.dockerconfigjson]: Invalid value: must be of type string"),
        (f"data: {{.dockerconfigjson: {_encoded('hunter2')}}}\n", "data[.dockerconfigjson]: Invalid value: must be a"),
        (f"data: {{.dockerconfigjson: {_encoded('[1]')}}}\n", "data[.dockerconfigjson]: Invalid value: must be a JSON"),
        ("data: hunter2\n", "data: Invalid value: must be of type object"),
        ("stringData: [hunter2]\n", "stringData: Invalid value: must be of type object"),
        ("stringData: {.dockerconfigjson: 271828}\n", "stringData[.dockerconfigjson]: Invalid value: must be of type"),
        ("stringData: {.dockerconfigjson: hunter2}\n", "stringData[.dockerconfigjson]: Invalid value: must be a JSON"),
    ],
)
def test_a_malformed_pull_secret_is_one_error_that_shows_no_value(rest: str, expected: str) -> None:
    """The line names the field and the rule, never what stands there nor what YAML made of it."""
    found = _parse(f"type: kubernetes.io/dockerconfigjson\n{rest}")

    (line,) = _lines(found)
    assert ((), 1) == (found.secrets, len(found.errors))
    assert f"Secret/registry: {expected}" in line
    assert not any(told in line for told in ("hunter2", "hünter2", "271828", _encoded("hunter2")))


def test_a_secret_is_of_v1_alone() -> None:
    """A Secret of our own group is a slip, and the error names the version that there is."""
    secret = parse_manifests(HEAD.replace("v1", "apps.kruise.io/v1beta1", 1), source="here")

    assert [
        'here:1: Secret/registry: apiVersion: Unsupported value: "apps.kruise.io/v1beta1": supported values: "v1"'
    ] == (_lines(secret))


def test_a_secret_shows_nothing_of_itself() -> None:
    """Neither repr, str, a format nor rich tells what is in it."""
    (secret,) = _parse(f"type: kubernetes.io/dockerconfigjson\nstringData: {{.dockerconfigjson: '{CONFIG}'}}\n").secrets

    for shown in (repr(secret), str(secret), f"{secret}", pretty_repr(secret), repr([secret])):
        assert "registry" in shown
        assert PASSWORD not in shown


@given(
    where=st.sampled_from(["data", "stringData"]), value=st.text(min_size=8, alphabet="abcdefghjkmnpq \n\t\"'{}:,=#")
)
def test_no_value_is_ever_shown(where: str, value: str) -> None:
    """Whatever stands in a Secret, as JSON writes it, no line about it repeats it."""
    document = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "x"},
        "type": "kubernetes.io/dockerconfigjson",
        where: {".dockerconfigjson": f"Zz9{value}Zz9", "other": [f"Zz9{value}"]},
    }

    found = parse_manifests(json.dumps(document), source="here")

    assert found.errors
    assert not any("Zz9" in line for line in _lines(found))
