"""
What an exec plugin printed, read: a CredentialProviderResponse.

Nothing of it is ever put into a message, for any part may be a secret.
Source: https://kubernetes.io/docs/reference/config-api/kubelet-credentialprovider.v1/
"""

import msgspec

from daemon.api.credential import Credential
from daemon.credentials.go_duration import go_duration_seconds
from daemon.credentials.keyring import Entry, parse_key
from daemon.credentials.plugin_process import PluginFailed
from daemon.credentials.plugin_provider import CredentialProvider
from daemon.images import ImageReference


class Response(msgspec.Struct, frozen=True, kw_only=True):
    """A plugin's response, read: its entries, what is wrong with the others, and how to keep it (0 s: not at all)."""

    entries: tuple[Entry, ...]
    malformed: int
    cache_key: str
    cache_seconds: float


def parse_response(output: bytes, *, provider: CredentialProvider, reference: ImageReference) -> Response:
    """
    Read what a plugin printed.

    Raises:
        PluginFailed: it is no CredentialProviderResponse; the message holds nothing of it.

    """
    document = _decode(output)
    if document.get("kind") != "CredentialProviderResponse" or document.get("apiVersion") != provider.api_version:
        raise PluginFailed(f"must answer with a CredentialProviderResponse of apiVersion {provider.api_version}")
    keys = cache_keys(reference)
    cache_type = document.get("cacheKeyType")
    if not isinstance(cache_type, str) or cache_type not in keys:
        raise PluginFailed(f"must answer with a cacheKeyType of {', '.join(keys)}")
    duration = document.get("cacheDuration")
    seconds = provider.default_cache_seconds if duration is None else _seconds(duration)
    auth = document.get("auth") or {}
    if not isinstance(auth, dict):
        raise PluginFailed("must answer with an object under auth")
    entries = [entry for key, value in auth.items() if (entry := _entry(key, value, source=provider.source))]
    return Response(
        entries=tuple(entries),
        malformed=len(auth) - len(entries),
        cache_key=keys[cache_type],
        cache_seconds=seconds,
    )


def _decode(output: bytes) -> dict[str, object]:
    try:
        document = msgspec.json.decode(output)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise PluginFailed(f"answered with {len(output)} bytes that are not valid JSON") from None
    if not isinstance(document, dict):
        raise PluginFailed("must answer with a JSON object")
    return document


def _seconds(duration: object) -> float:
    seconds = go_duration_seconds(duration) if isinstance(duration, str) else None
    if seconds is None:
        raise PluginFailed('must answer with a cacheDuration such as "5m", or none')
    return seconds


def _entry(key: str, value: object, *, source: str) -> Entry | None:
    pattern = parse_key(key)
    if pattern is None or not isinstance(value, dict):
        return None
    username, password = value.get("username", ""), value.get("password", "")
    if not isinstance(username, str) or not isinstance(password, str) or not (username or password):
        return None
    return Entry(pattern=pattern, credential=Credential(username=username, password=password, source=source))


def cache_keys(reference: ImageReference) -> dict[str, str]:
    """Name the places where an answer may be kept, by cacheKeyType, in the order to look there."""
    return {
        "Image": f"image {reference.repository_full}",
        "Registry": f"registry {reference.domain}",
        "Global": "global",
    }
