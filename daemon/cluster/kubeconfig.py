"""
Reads a kubeconfig, through the official client: it knows the files, the exec plugins and OIDC.

It is imported here alone and only when asked for: a Pod has neither it nor a kubeconfig. It gives an Access and renews
the token; every request is still transport.py's. Its own messages may quote the file, so ours replace them.
"""

import os
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from daemon.cluster.access import Access, NoAccess
from daemon.cluster.connections import split_server
from daemon.cluster.errors import Unauthenticated
from daemon.cluster.tokens import checked_token


if TYPE_CHECKING:
    from kubernetes.client import Configuration

_TOKEN = "BearerToken"  # noqa: S105 - the official client's name for where it keeps one
_BEARER = "Bearer "


class KubeconfigToken:
    """The bearer token of a kubeconfig's user, renewed by its plugin when it runs out, and when it is refused."""

    def __init__(self, loaded: "Configuration", *, path: Path, context: str) -> None:
        self._loaded = loaded
        self._path = path
        self._context = context
        self._lock = threading.Lock()

    def __call__(self, *, anew: bool) -> str:
        """Return the token; see tokens.TokenSource. A plugin takes as long as it takes."""
        with self._lock:
            header = self._header(anew=anew)
        if not header.startswith(_BEARER):
            raise Unauthenticated(f"kubeconfig {self._path}: its user gives no token; {_remedy(self._path)}")
        content = header.removeprefix(_BEARER).encode(errors="replace")
        return checked_token(content, where=f"kubeconfig {self._path}")

    def _header(self, *, anew: bool) -> str:
        try:
            if anew:
                self._loaded = _loaded(self._path, context=self._context)
            return self._loaded.get_api_key_with_prefix(_TOKEN) or ""
        except Exception:  # noqa: BLE001 - plugins raise anything, and what they raise may quote a secret
            return ""


def read_kubeconfig(path: Path, *, context: str = "") -> Access:
    """
    Return the access that a kubeconfig's context gives, its current one where none is named.

    Raises:
        NoAccess: the file or the context is of no use, or the official client is not installed.
    """
    _check_file(path)
    return _access(path, context=context)


def read_kubeconfigs(paths: Sequence[Path], *, context: str) -> Access:
    """
    Return the access that a context of several files gives, merged as KUBECONFIG names them.

    Raises:
        NoAccess: as `read_kubeconfig`.
    """
    for path in paths:
        _check_file(path)
    # The official client takes them as the variable has them.
    return _access(Path(os.pathsep.join(map(str, paths))), context=context)


def _access(path: Path, *, context: str) -> Access:
    loaded = _loaded(path, context=context)
    if loaded.proxy:
        raise NoAccess(f"kubeconfig {path}: proxy-url is not supported: name the API server itself")
    has_token = str(loaded.api_key.get(_TOKEN, "")).startswith(_BEARER)
    if not has_token and not loaded.cert_file:
        raise NoAccess(f"kubeconfig {path}: its user gives neither token nor certificate; {_remedy(path)}")
    split_server(loaded.host)
    return Access(
        server=loaded.host,
        ca_file=_path(loaded.ssl_ca_cert),
        client_certificate=_path(loaded.cert_file),
        client_key=_path(loaded.key_file),
        token=KubeconfigToken(loaded, path=path, context=context) if has_token else None,
        server_name=loaded.tls_server_name or "",
        is_insecure=not loaded.verify_ssl,
    )


def _check_file(path: Path) -> None:
    if os.pathsep in str(path):
        raise NoAccess(f"kubeconfig {path}: name one file")
    try:
        with path.open("rb"):
            pass
    except OSError as error:
        raise NoAccess(f"kubeconfig {path}: {error.strerror}") from error


def _loaded(path: Path, *, context: str) -> "Configuration":
    """Have the official client read the file, and run the user's plugin."""
    try:
        from kubernetes.client import Configuration
        from kubernetes.config import load_kube_config
    except ImportError as error:
        raise NoAccess("a kubeconfig needs the official client: pip install prewarm[kubeconfig]") from error
    # Not from the environment: requests go straight to the server, whatever proxies a shell names.
    loaded = Configuration(proxy="", no_proxy="")
    try:
        load_kube_config(  # type: ignore[no-untyped-call]  # the official client has no types there
            str(path), context=context or None, client_configuration=loaded, persist_config=False
        )
    except Exception:  # noqa: BLE001 - it raises anything for a bad file, and its words may quote a token
        loaded.host = ""
    if not loaded.host:
        which = f"context {context!r}" if context else "the current context"
        raise NoAccess(f"kubeconfig {path}: {which} is of no use; {_remedy(path)}")
    return loaded


def _remedy(path: Path) -> str:
    return f"`kubectl --kubeconfig {path} get nodes` may say why"


def _path(name: str | None) -> Path | None:
    return Path(name) if name else None
