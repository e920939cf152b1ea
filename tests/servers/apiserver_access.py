"""
How a test reaches an API server as its administrator: plain requests, apart from the code under test.

An address with what proves who asks; a kubeconfig is written from it for kubectl and other clients.
"""

import http
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import urllib3


Json = dict[str, Any]

_PATCHES: dict[type, str] = {list: "application/json-patch+json", dict: "application/merge-patch+json"}


class ApiFailed(Exception):
    """The API server refused; `status` is HTTP's, `body` its decoded answer (empty where that is no JSON)."""

    def __init__(self, what: str, *, status: int, text: str) -> None:
        super().__init__(f"{what}: HTTP {status}: {text}")
        self.status = status
        self.text = text

    @property
    def body(self) -> Json:
        """The Status object."""
        try:
            decoded: Json = json.loads(self.text)
        except ValueError:
            return {}
        return decoded


class Access(msgspec.Struct, frozen=True, kw_only=True):
    """An API server's address, the CA that its certificate is checked against, and an administrator's proof."""

    url: str
    ca_file: Path
    certificate: Path | None = None
    key: Path | None = None
    authorization: str | None = None


class Requests:
    """
    Plain requests with one Access; thread-safe.

    Every request may carry `token` instead of the administrator's proof.
    """

    def __init__(self, access: Access) -> None:
        self._access = access
        self._anonymous = urllib3.PoolManager(ca_certs=str(access.ca_file), retries=False, maxsize=8)
        self._admin = urllib3.PoolManager(
            ca_certs=str(access.ca_file),
            cert_file=access.certificate and str(access.certificate),
            key_file=access.key and str(access.key),
            retries=False,
            maxsize=8,
        )

    def send(
        self,
        method: str,
        path: str,
        body: Json | list[Any] | None = None,
        *,
        content_type: str | None = None,
        token: str | None = None,
        timeout_seconds: float = 30,
    ) -> str:
        """
        Return the answer's text.

        Args:
            method: such as PATCH.
            path: below the server's address, with its query.
            body: sent as JSON; in a PATCH a list is a JSON Patch and a dict a merge patch unless content_type is set.
            content_type: of the body.
            token: ask with this bearer token, not as the administrator; the empty one asks anonymously.
            timeout_seconds: of connecting, and of each read.

        Raises:
            ApiFailed: the status is not 2xx.
            urllib3.exceptions.HTTPError: no answer.
        """
        pool, headers = self._as(token)
        if body is not None:
            usual = _PATCHES[type(body)] if method == "PATCH" else "application/json"
            headers["Content-Type"] = content_type or usual
        answer = pool.request(
            method,
            self._access.url + path,
            body=None if body is None else json.dumps(body).encode(),
            headers=headers,
            timeout=timeout_seconds,
        )
        text = answer.data.decode(errors="replace")
        if not 200 <= answer.status < 300:
            raise ApiFailed(f"{method} {path}", status=answer.status, text=text)
        return text

    def json(
        self,
        method: str,
        path: str,
        body: Json | list[Any] | None = None,
        *,
        content_type: str | None = None,
        token: str | None = None,
        timeout_seconds: float = 30,
    ) -> Json:
        """Return the decoded answer of `send`."""
        text = self.send(method, path, body, content_type=content_type, token=token, timeout_seconds=timeout_seconds)
        decoded: Json = json.loads(text)
        return decoded

    def watch(self, path: str, *, token: str | None = None, timeout_seconds: float = 30) -> Iterator[Json]:
        """
        Yield a watch's events as they come, until the server ends it; it is open from the first one on.

        Args:
            path: with its query, which has `watch=1`; without a resourceVersion what exists comes first, as ADDED.
            token: as in `send`.
            timeout_seconds: of connecting, and of the silence before each event.

        Raises:
            ApiFailed: the status is not 200.
            urllib3.exceptions.HTTPError: no answer, silence, or the connection was cut.
        """
        pool, headers = self._as(token)
        answer = pool.request(
            "GET", self._access.url + path, headers=headers, timeout=timeout_seconds, preload_content=False
        )
        try:
            if answer.status != http.HTTPStatus.OK:
                raise ApiFailed(f"GET {path}", status=answer.status, text=answer.read().decode(errors="replace"))
            for line in _lines(answer):
                yield json.loads(line)
        finally:
            # What has not been read can't be skipped, so the connection goes.
            answer.close()

    def close(self) -> None:
        """Close the connections."""
        self._anonymous.clear()
        self._admin.clear()

    def _as(self, token: str | None) -> tuple[urllib3.PoolManager, dict[str, str]]:
        if token is not None:
            return self._anonymous, {"Authorization": f"Bearer {token}"} if token else {}
        proof = self._access.authorization
        return self._admin, {"Authorization": proof} if proof else {}


def _lines(answer: urllib3.BaseHTTPResponse) -> Iterator[bytes]:
    rest = b""
    for chunk in answer.stream():
        *lines, rest = (rest + chunk).split(b"\n")
        yield from lines


def write_kubeconfig(path: Path, access: Access) -> Path:
    """Write the file that kubectl and other clients take for `access` by certificate, and return its path."""
    cluster = {"server": access.url, "certificate-authority": str(access.ca_file)}
    user = {"client-certificate": str(access.certificate), "client-key": str(access.key)}
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "test", "cluster": cluster}],
        "users": [{"name": "admin", "user": user}],
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "admin"}}],
        "current-context": "test",
    }
    # JSON is YAML.
    path.write_text(json.dumps(config, indent=2))
    return path
