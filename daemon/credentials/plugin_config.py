"""
The kubelet's CredentialProviderConfig: which exec plugins there are and which images each is for.

Read from a file, or from a folder's *.json, *.yaml and *.yml in the order of their names. A provider that can't be used
is a problem and costs itself alone. (The kubelet does not start then.)
Source: https://kubernetes.io/docs/tasks/administer-cluster/kubelet-credential-provider/
"""

from pathlib import Path

import msgspec
import yaml

from daemon.credentials.go_duration import go_duration_seconds
from daemon.credentials.keyring import Pattern, parse_pattern
from daemon.credentials.plugin_provider import CredentialProvider
from daemon.credentials.problem import CredentialProblem


_CONFIG_GROUP = "kubelet.config.k8s.io"
_PROVIDER_GROUP = "credentialprovider.kubelet.k8s.io"
_VERSIONS = ("v1", "v1beta1", "v1alpha1")
_FIELDS = frozenset({"name", "matchImages", "defaultCacheDuration", "apiVersion", "args", "env"})
_SUFFIXES = frozenset({".json", ".yaml", ".yml"})


class PluginConfig(msgspec.Struct, frozen=True, kw_only=True):
    """What the files gave: the usable providers in order, and what is wrong with the rest."""

    providers: tuple[CredentialProvider, ...] = ()
    problems: tuple[CredentialProblem, ...] = ()


class _Malformed(Exception):
    """What is wrong, in words without any value of args or env."""


def read_plugin_config(path: Path) -> PluginConfig:
    """Read a config file or folder; of two providers with one name the first is used."""
    try:
        files = _files(path)
    except OSError as error:
        return _one_problem(f"file {path}", f"can't be read: {error.strerror}")
    except _Malformed as wrong:
        return _one_problem(f"folder {path}", str(wrong))
    providers: dict[str, CredentialProvider] = {}
    problems: list[CredentialProblem] = []
    for file in files:
        parsed = _read_file(file)
        problems += parsed.problems
        for provider in parsed.providers:
            if providers.setdefault(provider.name, provider) is not provider:
                message = f'provider "{provider.name}" is there twice; the first one is used'
                problems.append(CredentialProblem(source=f"file {file}", message=message))
    return PluginConfig(providers=tuple(providers.values()), problems=tuple(problems))


def _files(path: Path) -> tuple[Path, ...]:
    if not path.is_dir():
        return (path,)
    files = sorted(file for file in path.iterdir() if file.suffix in _SUFFIXES and not file.is_dir())
    if not files:
        raise _Malformed("has no .json, .yaml or .yml file")
    return tuple(files)


def _one_problem(source: str, message: str) -> PluginConfig:
    return PluginConfig(problems=(CredentialProblem(source=source, message=message),))


def _read_file(file: Path) -> PluginConfig:
    source = f"file {file}"
    try:
        return parse_plugin_config(file.read_bytes(), source=source)
    except OSError as error:
        return _one_problem(source, f"can't be read: {error.strerror}")


def parse_plugin_config(content: bytes, *, source: str) -> PluginConfig:
    """Parse one CredentialProviderConfig, YAML or JSON; `source` names it in problems."""
    try:
        items = _provider_items(content)
    except _Malformed as wrong:
        return _one_problem(source, str(wrong))
    providers: list[CredentialProvider] = []
    problems: list[CredentialProblem] = []
    for index, item in enumerate(items):
        where = f"providers[{index}]"
        try:
            provider, remarks = _parse_provider(item)
        except _Malformed as wrong:
            problems.append(CredentialProblem(source=source, message=f"{where}: {wrong}"))
            continue
        providers.append(provider)
        problems += [CredentialProblem(source=source, message=f"{where}: {remark}") for remark in remarks]
    return PluginConfig(providers=tuple(providers), problems=tuple(problems))


def _provider_items(content: bytes) -> list[object]:
    document = _load(content)
    if not isinstance(document, dict) or document.get("kind") != "CredentialProviderConfig":
        raise _Malformed("must be an object with kind: CredentialProviderConfig")
    known = [f"{_CONFIG_GROUP}/{version}" for version in _VERSIONS]
    if document.get("apiVersion") not in known:
        raise _Malformed(f"apiVersion must be one of {', '.join(known)}")
    items = document.get("providers")
    if not isinstance(items, list) or not items:
        raise _Malformed("providers must be a list of at least one provider")
    return items


def _load(content: bytes) -> object:
    try:
        return yaml.safe_load(content)
    except yaml.MarkedYAMLError as error:
        # The error's own text quotes the line, which may hold a secret of an env.
        line = f" (line {error.problem_mark.line + 1})" if error.problem_mark else ""
        raise _Malformed(f"is not valid YAML{line}") from None
    except (yaml.YAMLError, ValueError, RecursionError):
        raise _Malformed("is not valid YAML") from None


def _parse_provider(item: object) -> tuple[CredentialProvider, list[str]]:
    if not isinstance(item, dict):
        raise _Malformed("must be an object")
    name = _parse_name(item.get("name"))
    if item.get("tokenAttributes") is not None:
        raise _Malformed(
            f'provider "{name}" is not used: tokenAttributes (service account tokens) is not supported, '
            "as there is no Pod to make a token for"
        )
    provider = CredentialProvider(
        name=name,
        match_images=_parse_match_images(item.get("matchImages")),
        default_cache_seconds=_parse_duration(item.get("defaultCacheDuration")),
        api_version=_parse_api_version(item.get("apiVersion")),
        args=_parse_args(item.get("args") or []),
        env=_parse_env(item.get("env") or []),
    )
    unknown = sorted(str(field) for field in item if field not in _FIELDS and field != "tokenAttributes")
    return provider, [f'has an unknown field "{field}"' for field in unknown]


def _parse_name(name: object) -> str:
    if not isinstance(name, str) or not name:
        raise _Malformed("name is required: the file name of the plugin in the folder of plugins")
    if name in {".", ".."} or any(mark in name for mark in "/ \0"):
        raise _Malformed('name must be a plain file name, with no "/" and no space')
    return name


def _parse_match_images(match_images: object) -> tuple[Pattern, ...]:
    if not isinstance(match_images, list) or not match_images:
        raise _Malformed("matchImages must be a list of at least one pattern")
    patterns: list[Pattern] = []
    for index, text in enumerate(match_images):
        pattern = parse_pattern(text) if isinstance(text, str) else None
        if pattern is None:
            raise _Malformed(f"matchImages[{index}] must be a host (it may hold *) with an optional port and path")
        patterns.append(pattern)
    return tuple(patterns)


def _parse_duration(duration: object) -> float:
    seconds = go_duration_seconds(duration) if isinstance(duration, str) else None
    if seconds is None or seconds < 0:
        raise _Malformed('defaultCacheDuration is required: a duration such as "12h", or "0s" for no caching')
    return seconds


def _parse_api_version(api_version: object) -> str:
    known = [f"{_PROVIDER_GROUP}/{version}" for version in _VERSIONS]
    if not isinstance(api_version, str) or api_version not in known:
        raise _Malformed(f"apiVersion must be one of {', '.join(known)}")
    return api_version


def _parse_args(args: object) -> tuple[str, ...]:
    if not isinstance(args, list) or not all(isinstance(arg, str) and "\0" not in arg for arg in args):
        raise _Malformed("args must be a list of texts")
    return tuple(args)


def _parse_env(env: object) -> tuple[tuple[str, str], ...]:
    if not isinstance(env, list):
        raise _Malformed("env must be a list of objects with name and value")
    return tuple(_parse_variable(variable, index=index) for index, variable in enumerate(env))


def _parse_variable(variable: object, *, index: int) -> tuple[str, str]:
    name, value = (variable.get("name"), variable.get("value")) if isinstance(variable, dict) else (None, None)
    if not isinstance(name, str) or not isinstance(value, str):
        raise _Malformed(f"env[{index}] must have a name and a value, both text")
    if not name or "=" in name or "\0" in name + value:
        raise _Malformed(f"env[{index}] must have a name without =, and no NUL")
    return name, value
