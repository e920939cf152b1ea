import json
import textwrap
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.credentials.go_duration import go_duration_seconds
from daemon.credentials.plugin_config import PluginConfig, parse_plugin_config, read_plugin_config


ECR = """
apiVersion: kubelet.config.k8s.io/v1
kind: CredentialProviderConfig
providers:
  - name: ecr-credential-provider
    matchImages: ["*.dkr.ecr.*.amazonaws.com", "public.ecr.aws/team"]
    defaultCacheDuration: 12h
    apiVersion: credentialprovider.kubelet.k8s.io/v1
    args: [get-credentials, --verbose]
    env:
      - {name: AWS_PROFILE, value: hunter2}
"""
PROVIDER = """
name: p
matchImages: [quay.io]
defaultCacheDuration: 0s
apiVersion: credentialprovider.kubelet.k8s.io/v1
"""


def config_with(provider: str) -> bytes:
    """A config of this one provider."""
    head = "apiVersion: kubelet.config.k8s.io/v1\nkind: CredentialProviderConfig\nproviders:\n-\n"
    return (head + textwrap.indent(provider, "  ")).encode()


def messages(config: PluginConfig) -> list[str]:
    """The problems as lines."""
    return [str(problem) for problem in config.problems]


def test_provider_is_read_whole() -> None:
    """Every field of the kubelet's config arrives."""
    config = parse_plugin_config(ECR.encode(), source="file c.yaml")

    (provider,) = config.providers
    assert config.problems == ()
    assert provider.name == "ecr-credential-provider"
    assert [str(pattern) for pattern in provider.match_images] == ["*.dkr.ecr.*.amazonaws.com", "public.ecr.aws/team"]
    assert provider.default_cache_seconds == 12 * 3600
    assert provider.api_version == "credentialprovider.kubelet.k8s.io/v1"
    assert provider.args == ("get-credentials", "--verbose")
    assert provider.env == (("AWS_PROFILE", "hunter2"),)


def test_provider_never_shows_arguments_or_environment() -> None:
    """Both may hold secrets, so neither str, repr nor rich shows them."""
    (provider,) = parse_plugin_config(ECR.encode(), source="c").providers

    shown = f"{provider} {provider!r} {provider.__rich_repr__()}"

    assert "hunter2" not in shown
    assert "verbose" not in shown


@pytest.mark.parametrize("version", ["v1", "v1beta1", "v1alpha1"])
def test_each_version_of_the_kubelet_api_is_read(version: str) -> None:
    """Older configs keep working."""
    content = ECR.replace("k8s.io/v1", f"k8s.io/{version}").encode()

    (provider,) = parse_plugin_config(content, source="c").providers

    assert f"credentialprovider.kubelet.k8s.io/{version}" == provider.api_version


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("name: ''", "name is required"),
        ("name: 7", "name is required"),
        ("name: ../escape", 'name must be a plain file name, with no "/" and no space'),
        ("name: /bin/sh", "name must be a plain file name"),
        ("name: ..", "name must be a plain file name"),
        ("name: a b", "name must be a plain file name"),
        ('name: "a\\0b"', "name must be a plain file name"),
        ("matchImages: []", "matchImages must be a list of at least one pattern"),
        ("matchImages: quay.io", "matchImages must be a list of at least one pattern"),
        ("matchImages: [quay.io, 'https://quay.io']", "matchImages[1] must be a host"),
        ("matchImages: [7]", "matchImages[0] must be a host"),
        ("defaultCacheDuration: null", "defaultCacheDuration is required"),
        ("defaultCacheDuration: 7", "defaultCacheDuration is required"),
        ("defaultCacheDuration: -1s", "defaultCacheDuration is required"),
        ("defaultCacheDuration: 1d", "defaultCacheDuration is required"),
        ("apiVersion: credentialprovider.kubelet.k8s.io/v2", "apiVersion must be one of"),
        ("apiVersion: [v1]", "apiVersion must be one of"),
        ("args: text", "args must be a list of texts"),
        ("args: [1]", "args must be a list of texts"),
        ("env: {A: b}", "env must be a list of objects with name and value"),
        ("env: [text]", "env[0] must have a name and a value, both text"),
        ("env: [{name: A, value: 1}]", "env[0] must have a name and a value, both text"),
        ("env: [{name: A=B, value: x}]", "env[0] must have a name without =, and no NUL"),
        ("env: [{name: '', value: x}]", "env[0] must have a name without =, and no NUL"),
        (
            "tokenAttributes: {serviceAccountTokenAudience: x}",
            "tokenAttributes (service account tokens) is not supported",
        ),
    ],
)
def test_unusable_provider_is_a_problem(line: str, words: str) -> None:
    """The field is named, and the provider is not used."""
    config = parse_plugin_config(config_with(PROVIDER + line), source="file c.yaml")

    (message,) = messages(config)
    assert config.providers == ()
    assert message.startswith("file c.yaml: providers[0]: ")
    assert words in message


def test_unusable_provider_costs_itself_alone() -> None:
    """A good provider beside a bad one is used."""
    config = parse_plugin_config(ECR.encode() + b"  - {name: ../x}\n", source="c")

    assert [provider.name for provider in config.providers] == ["ecr-credential-provider"]
    assert len(config.problems) == 1


def test_unknown_field_is_told_and_the_provider_used() -> None:
    """A misspelt field does not go unnoticed."""
    config = parse_plugin_config(config_with(PROVIDER + "matchImage: [quay.io]"), source="c")

    assert len(config.providers) == 1
    assert messages(config) == ['c: providers[0]: has an unknown field "matchImage"']


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "must be an object with kind: CredentialProviderConfig"),
        (b"[]", "must be an object with kind"),
        (b"{kind: Pod}", "must be an object with kind"),
        (b"{kind: CredentialProviderConfig, apiVersion: v1}", "apiVersion must be one of kubelet.config.k8s.io/v1, "),
        (ECR.replace("providers:", "others:").encode(), "providers must be a list of at least one provider"),
        (b"a: 'hunter2\nb: [", "is not valid YAML (line "),
        (b"a: *hunter2", "is not valid YAML (line 1)"),
        (b"\xff\xfehunter2", "is not valid YAML"),
        (b"a: \0hunter2", "is not valid YAML"),
        (b"? {a: hunter2}\n: 1", "is not valid YAML"),
        (b"a: 2001-99-99", "is not valid YAML"),
        (b"[" * 10_000, "is not valid YAML"),
    ],
)
def test_malformed_config_is_a_problem_that_quotes_nothing(content: bytes, words: str) -> None:
    """A broken file is named with the line at most, for its lines may hold secrets."""
    config = parse_plugin_config(content, source="file c.yaml")

    (message,) = messages(config)
    assert config.providers == ()
    assert words in message
    assert "hunter2" not in message


def test_folder_is_read_in_the_order_of_names(tmp_path: Path) -> None:
    """Its .json, .yaml and .yml files are merged, other files left alone; of one name twice the first is used."""
    provider = PROVIDER.replace("name: p", "name: {}")
    (tmp_path / "20.yaml").write_bytes(config_with(provider.format("second")))
    (tmp_path / "10.yml").write_bytes(config_with(provider.format("first")))
    (tmp_path / "30.json").write_bytes(config_with(provider.format("first")))
    (tmp_path / "README").write_bytes(b"nonsense")
    (tmp_path / "40.yaml").mkdir()

    config = read_plugin_config(tmp_path)

    assert [provider.name for provider in config.providers] == ["first", "second"]
    assert messages(config) == [f'file {tmp_path}/30.json: provider "first" is there twice; the first one is used']


def test_missing_file_is_a_problem(tmp_path: Path) -> None:
    """A config that was asked for and is not there is named."""
    config = read_plugin_config(tmp_path / "absent.yaml")

    assert messages(config) == [f"file {tmp_path}/absent.yaml: can't be read: No such file or directory"]


def test_empty_folder_is_a_problem(tmp_path: Path) -> None:
    """A folder without a config is named."""
    assert messages(read_plugin_config(tmp_path)) == [f"folder {tmp_path}: has no .json, .yaml or .yml file"]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0),
        ("0s", 0),
        ("12h", 43200),
        ("1h30m", 5400),
        ("1.5h", 5400),
        (".5s", 0.5),
        ("1.s", 1),
        ("300ms", 0.3),
        ("1m1s1ms1us1µs1ns", 61.001002001),
        ("+5s", 5),
        ("-5s", -5),
    ],
)
def test_duration_is_read_as_go_reads_it(text: str, seconds: float) -> None:
    """Units from h to ns, fractions, sums and a sign."""
    assert pytest.approx(seconds) == go_duration_seconds(text)


@pytest.mark.parametrize(
    "text", ["", "1", "s", ".s", "1d", "1 s", "5s ", "5s\n", "--5s", "1e3s", "٣s", "9" * 400 + "h", "300y", "2562048h"]
)
def test_what_go_refuses_is_no_duration(text: str) -> None:
    """A number without unit, foreign units and what overflows 64 bits of nanoseconds are refused."""
    assert go_duration_seconds(text) is None


@given(content=st.binary(max_size=60) | st.text("{}[]:-'\"a\n &*!|>%@", max_size=40).map(str.encode))
def test_any_content_gives_providers_or_problems(content: bytes) -> None:
    """No file makes the parser raise."""
    assert parse_plugin_config(content, source="c").problems


@given(value=st.recursive(st.none() | st.integers() | st.text(max_size=5), lambda inner: st.lists(inner, max_size=2)))
@pytest.mark.parametrize("field", ["name", "matchImages", "defaultCacheDuration", "apiVersion", "args", "env"])
def test_any_value_of_a_field_is_used_or_a_problem(field: str, value: object) -> None:
    """No value of any field makes the parser raise."""
    config = parse_plugin_config(config_with(PROVIDER + f"{field}: {json.dumps(value)}"), source="c")

    assert len(config.providers) + len(config.problems) == 1
