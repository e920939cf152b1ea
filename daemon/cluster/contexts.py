"""
Which API server, account and namespace a person means, in kubectl's habits: --kubeconfig, KUBECONFIG, ~/.kube/config.

Only names are read here: which contexts there are, and their namespaces. What a context's user proves itself by is
kubeconfig.py's, and through it the official client's. Without any kubeconfig, a Pod's own account is used.
"""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec
import yaml

from daemon.cluster.access import HOST_VARIABLE, Access, NoAccess, in_pod


KUBECONFIG_VARIABLE: Final = "KUBECONFIG"
DEFAULT_NAMESPACE: Final = "default"

_CONTEXTS_TOLD: Final = 10
_Loader: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """
    Where a person's commands go.

    Attributes:
        access: the API server, and who we are to it.
        namespace: the one that is meant where none is named.
        context: the kubeconfig's context; "" in a Pod.
    """

    access: Access
    namespace: str = DEFAULT_NAMESPACE
    context: str = ""


class _Context(msgspec.Struct, frozen=True, kw_only=True):
    """What a kubeconfig says of a context beside who and where."""

    namespace: str = ""


class _Contexts(msgspec.Struct, frozen=True, kw_only=True):
    current: str = ""
    by_name: Mapping[str, _Context] = {}


def place_of(kubeconfig: str, *, context: str, environment: Mapping[str, str], folder: Path) -> Place:
    """
    Find out what a person means.

    Args:
        kubeconfig: the file's path; "" for none: KUBECONFIG's files, else ~/.kube/config, else a Pod's own account.
        context: of the kubeconfig; "" for its current one.
        environment: where KUBECONFIG, HOME and a Pod's variables are.
        folder: where a Pod's service account is.

    Raises:
        NoAccess: there is no kubeconfig, no such context in it, or it is of no use; the message says what to do.
    """
    named = _named(kubeconfig, environment=environment)
    # kubectl, too, passes over those that KUBECONFIG names and that do not exist; not over what a flag names.
    paths = named if kubeconfig else [path for path in named if path.exists()]
    if not paths:
        if HOST_VARIABLE in environment and not context:
            return Place(access=in_pod(folder, environment=environment), namespace=_own_namespace(folder))
        raise NoAccess(f"no kubeconfig: {_places(named)} does not exist; give --kubeconfig, or set KUBECONFIG")
    contexts = _merged([_contexts_of(path) for path in paths])
    chosen = _chosen(contexts, context=context, where=_places(paths))
    from daemon.cluster.kubeconfig import read_kubeconfigs

    return Place(
        access=read_kubeconfigs(paths, context=chosen),
        namespace=contexts.by_name[chosen].namespace or DEFAULT_NAMESPACE,
        context=chosen,
    )


def _named(kubeconfig: str, *, environment: Mapping[str, str]) -> list[Path]:
    if kubeconfig:
        return [Path(kubeconfig).expanduser()]
    listed = [Path(text) for text in environment.get(KUBECONFIG_VARIABLE, "").split(os.pathsep) if text]
    home = environment.get("HOME", "")
    return listed or ([Path(home, ".kube/config")] if home else [])


def _places(paths: Sequence[Path]) -> str:
    return " or ".join(map(str, paths)) or "~/.kube/config"


def _own_namespace(folder: Path) -> str:
    try:
        return (folder / "namespace").read_text(encoding="utf-8").strip() or DEFAULT_NAMESPACE
    except (OSError, UnicodeDecodeError):
        return DEFAULT_NAMESPACE


def _contexts_of(path: Path) -> _Contexts:
    """Read the names of one file; what stands there as its credentials goes into no message."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise NoAccess(f"kubeconfig {path}: {error.strerror}") from error
    except UnicodeDecodeError:
        text = "\0"
    try:
        content = yaml.load(text, Loader=_Loader)  # noqa: S506 - the safe one, in C where there is one
    except (yaml.YAMLError, ValueError, RecursionError):
        content = ""
    if content is not None and not isinstance(content, dict):
        raise NoAccess(f"kubeconfig {path}: it is no YAML of a kubeconfig")
    return _read(content or {})


def _read(content: Mapping[str, object]) -> _Contexts:
    listed, current = content.get("contexts"), content.get("current-context")
    found: dict[str, _Context] = {}
    for each in listed if isinstance(listed, list) else []:
        name, inner = (each.get("name"), each.get("context")) if isinstance(each, dict) else (None, None)
        namespace = inner.get("namespace") if isinstance(inner, dict) else None
        if isinstance(name, str):
            found.setdefault(name, _Context(namespace=namespace if isinstance(namespace, str) else ""))
    return _Contexts(current=current if isinstance(current, str) else "", by_name=found)


def _merged(files: Sequence[_Contexts]) -> _Contexts:
    """Put files together as kubectl does: what an earlier one says counts."""
    by_name: dict[str, _Context] = {}
    for file in reversed(files):
        by_name |= file.by_name
    return _Contexts(current=next((file.current for file in files if file.current), ""), by_name=by_name)


def _chosen(contexts: _Contexts, *, context: str, where: str) -> str:
    name = context or contexts.current
    names = sorted(contexts.by_name)
    more = f" and {len(names) - _CONTEXTS_TOLD} more" if len(names) > _CONTEXTS_TOLD else ""
    known = f"it has {', '.join(names[:_CONTEXTS_TOLD])}{more}" if names else "it has none"
    if not name:
        raise NoAccess(f"kubeconfig {where}: no current context; give --context ({known})")
    if name not in contexts.by_name:
        raise NoAccess(f"kubeconfig {where}: no context {name!r} ({known})")
    return name
