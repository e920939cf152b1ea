"""
Which entry of a docker config serves which image: the kubelet's keyring rules.

A key is a host with an optional port and path. `*` and `[...]` stand for characters within one label of the host; the
port must be equal, and the path be a string prefix of the image's. Credentials for another host are never returned.
Source: https://kubernetes.io/docs/concepts/containers/images/#config-json and the kubelet's pkg/credentialprovider.

Two deliberate differences: a bracketed IPv6 address is compared as it stands (the kubelet reads it as a character
class), and the entry of index.docker.io serves images of docker.io alone (the kubelet takes localhost/app for one too).
"""

import re
from collections.abc import Iterable
from fnmatch import fnmatchcase

import msgspec

from daemon.api.credential import Credential
from daemon.images import ImageReference


_DOCKER_HUB = "docker.io"
_DOCKER_HUB_LEGACY = "index.docker.io"
_ADDRESS = re.compile(
    r"(?P<host>[A-Za-z0-9._*\[\]^-]+|\[[0-9a-fA-F:]+\])(?::(?P<port>[0-9]*))?(?P<path>/(?!/)[^\s?#@]*)?"
)
_IPV6 = re.compile(r"\[[0-9a-fA-F]*:[0-9a-fA-F:]*\]")
_LABEL = re.compile(r"(?:[A-Za-z0-9_-]|\*|\[\^?[A-Za-z0-9_-]+\])+")


class Pattern(msgspec.Struct, frozen=True, kw_only=True):
    """A host with globs, its port ("" for none) and a path prefix ("" for any)."""

    host: str
    port: str = ""
    path: str = ""

    def __str__(self) -> str:
        """Write it as the normalised key, by whose order the most specific one comes first."""
        return f"{self.host}:{self.port}{self.path}" if self.port else f"{self.host}{self.path}"


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One credential and the images that it is for."""

    pattern: Pattern
    credential: Credential


def parse_pattern(text: str) -> Pattern | None:
    """Parse a host[:port][/path] with globs in its host; None where it is none."""
    match = _ADDRESS.fullmatch(text)
    if not match or not _is_host(match["host"]):
        return None
    return Pattern(host=match["host"], port=match["port"] or "", path=match["path"] or "")


def parse_key(text: str) -> Pattern | None:
    """
    Parse the key of a docker config entry; None where it is none.

    A scheme is left out, and so is the registry API's version at the start of the path (https://index.docker.io/v1/).
    """
    pattern = parse_pattern(text.removeprefix("https://").removeprefix("http://"))
    if pattern is None:
        return None
    path = pattern.path[3:] if pattern.path.startswith(("/v1/", "/v2/")) else pattern.path
    return msgspec.structs.replace(pattern, path="" if path == "/" else path)


def matches(pattern: Pattern, reference: ImageReference) -> bool:
    """Tell whether the pattern covers the image's repository; tag and digest play no part."""
    target = parse_pattern(reference.repository_full)
    return (
        target is not None
        and _host_matches(pattern.host, target.host)
        and pattern.port == target.port
        and target.path.startswith(pattern.path)
    )


class Keyring:
    """The entries of any number of sources, most specific first."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        # Reverse order of the keys as strings, as the kubelet sorts: longer paths first, globs after what is spelled
        # out. Entries with the same key keep the order in which their sources were given.
        self._entries = tuple(sorted(entries, key=lambda entry: str(entry.pattern), reverse=True))

    def lookup(self, reference: ImageReference) -> tuple[Credential, ...]:
        """
        Return every credential for the image in the order to try them, each once.

        None found means that an anonymous pull is all there is to try; whether to try it is the caller's decision.
        """
        found = [entry.credential for entry in self._entries if matches(entry.pattern, reference)]
        if not found and reference.domain == _DOCKER_HUB:
            legacy = Pattern(host=_DOCKER_HUB_LEGACY)
            found = [entry.credential for entry in self._entries if entry.pattern == legacy]
        return distinct(found)


def distinct(credentials: Iterable[Credential]) -> tuple[Credential, ...]:
    """Leave out each credential that says the same as an earlier one, whatever its source."""
    first: dict[tuple[str, str, str], Credential] = {}
    for each in credentials:
        first.setdefault((each.username, each.password, each.identity_token), each)
    return tuple(first.values())


def _is_host(host: str) -> bool:
    return bool(_IPV6.fullmatch(host)) or all(_LABEL.fullmatch(label) for label in host.split("."))


def _host_matches(glob: str, host: str) -> bool:
    if _IPV6.fullmatch(glob):
        return glob == host
    globs, labels = glob.split("."), host.split(".")
    # Go's globs negate a class by ^, Python's by !.
    pairs = zip(globs, labels, strict=False)
    return len(globs) == len(labels) and all(fnmatchcase(label, each.replace("[^", "[!")) for each, label in pairs)
