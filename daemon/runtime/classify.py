"""
What a failed call means: a gRPC code and the runtime's words become an error of errors.py.

The words decide, not the code: containerd gives UNKNOWN for most of what a registry does wrong. The tables were filled
with what containerd 1.6.20 and 2.3.7 really say (tests/unit/runtime has the messages), and CRI-O's known wordings.
"""

import re

import grpc

from daemon.api.reasons import Reason
from daemon.runtime.errors import Absent, CallTimeout, CriError, PullCancelled, PullRejected, RuntimeDown, Unsupported


# A runtime's own words begin so; anything else under UNAVAILABLE or CANCELLED is gRPC's, about the connection.
_RUNTIME_SPEAKS = re.compile(
    r"(?i)failed to (?!connect to all)|get image |pulling |reading |initializing |copying |unable to |writing "
)
# What may hold any word, such as an image named "denied": quoted parts, URLs, digests, file paths, a tag in brackets.
_NAMES = re.compile(r"\"[^\"]*\"|[a-z]+://\S*|sha(?:256|384|512):[0-9a-f]+|(?<!\S)/\S+|\[manifests [^\]]*\]")
_STATUS = re.compile(r"(?i)\bstatus(?:[ _-]?code)?\b\D{0,60}?\b([1-5]\d\d)\b")

# Both tables: the first reason with a fitting pattern holds, so the narrow stand before the wide.
_BEFORE_STATUS: tuple[tuple[Reason, tuple[str, ...]], ...] = (
    (Reason.DISK_FULL, ("no space left on device", "disk quota exceeded")),
    (
        Reason.REFUSED_BY_POLICY,
        (
            "image verifier",
            "source image rejected",
            "rejected by policy",
            "signature ?validation",
            "signature was required",
        ),
    ),
    (
        Reason.INVALID_REFERENCE,
        (
            "invalid reference format",
            "repository name must not be more than",
            "could(?: not|n't) parse image",
            "no unqualified-search registries",
            "short-name .*resolve",
        ),
    ),
    (Reason.REGISTRY_THROTTLED, ("toomanyrequests", "too many requests", "rate ?limit")),
)
_BY_STATUS = {
    401: Reason.UNAUTHORIZED,
    403: Reason.FORBIDDEN,
    404: Reason.IMAGE_NOT_FOUND,
    # The partial blob that we hold is longer than the registry's.
    416: Reason.CORRUPT_CONTENT,
    429: Reason.REGISTRY_THROTTLED,
    451: Reason.FORBIDDEN,
}
_AFTER_STATUS: tuple[tuple[Reason, tuple[str, ...]], ...] = (
    (
        Reason.PLATFORM_MISMATCH,
        (
            "no match for platform",
            "no image found in .* for",
            "choosing an image from manifest list",
            "no processor for media-type",
            "schema 1 image manifests",
            "no signatures",
            "unsupported manifest",
        ),
    ),
    (
        Reason.CORRUPT_CONTENT,
        (
            "unexpected commit digest",
            "size validation",
            "past expected size",
            "wrong diff ?id",
            "digest (?:mismatch|did not match)",
            "does not match (?:expected )?digest",
            "failed to extract layer",
            "applying layer",
            "invalid tar header",
            "gzip: invalid",
            "corrupt",
            "not a valid digest",
            "invalid desc",
            "unmarshal image config",
            "content size of",
            # The hold went while its pull ran; the next attempt opens another.
            "lease does not exist",
        ),
    ),
    (
        Reason.UNAUTHORIZED,
        (
            "unauthori[sz]ed",
            "authentication required",
            "no basic auth",
            "authorization failed",
            "failed to authorize: .*did not include a token",
            "may require authorization",
            "invalid username/password",
            "unable to retrieve auth token",
        ),
    ),
    (Reason.FORBIDDEN, ("forbidden", "(?<!permission )denied", "insufficient_scope")),
    (Reason.REGISTRY_TLS, ("x509:", "tls:", "certificate", "http response to https client", "read CA cert")),
    (
        Reason.REGISTRY_UNAVAILABLE,
        (
            "dial tcp",
            "no such host",
            "connection refused",
            "connection reset",
            "broken pipe",
            "unreachable",
            "no route to host",
            "time(?:out|d out)",
            "EOF",
            "short read",
            "expected number of bytes",
            "failed to do request",
            "server misbehaving",
            "redirects",
            "http2:",
            "deadline exceeded",
            "context cancell?ed",
            "proxyconnect",
            "locked for",
        ),
    ),
    (
        Reason.IMAGE_NOT_FOUND,
        (
            "not found",
            "(?:manifest|name|blob)[ _]unknown",
            "does not exist",
            "name invalid",
            "no such image",
        ),
    ),
    # Whatever else went wrong between a runtime and a registry.
    (
        Reason.REGISTRY_UNAVAILABLE,
        ("failed to (?:resolve|authorize|copy)", "httpReadSeeker", "pinging container registry"),
    ),
)


def reason_of(code: grpc.StatusCode, words: str, *, image: str = "") -> Reason:
    """
    Return the reason of the closed list for what a pull ended with; PullFailed where the words are not known.

    Args:
        code: decides only where the words don't.
        words: as the runtime said them; names in them are passed over.
        image: the reference that was pulled.
    """
    said = _NAMES.sub(" ", words.replace(image, " ") if image else words)
    return (
        _first(_BEFORE_STATUS, said)
        or _by_status(said)
        or _first(_AFTER_STATUS, said)
        or (Reason.IMAGE_NOT_FOUND if code is grpc.StatusCode.NOT_FOUND else Reason.PULL_FAILED)
    )


def pull_error(code: grpc.StatusCode, words: str, *, shown: str, image: str) -> CriError:
    """
    Return the error that a PullImage ended with.

    Args:
        code: the call's.
        words: the runtime's own, which are read.
        shown: the same without secrets, which are told.
        image: the reference that was pulled.
    """
    if not _RUNTIME_SPEAKS.match(words):
        if code is grpc.StatusCode.CANCELLED:  # the channel was closed
            return PullCancelled(shown, image=image)
        if code is grpc.StatusCode.DEADLINE_EXCEEDED:
            return PullRejected(shown, reason=Reason.ATTEMPT_TIMEOUT, image=image)
        if code in {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.UNIMPLEMENTED}:
            return call_error(code, shown=shown, image=image)
    return PullRejected(shown, reason=reason_of(code, words, image=image), image=image)


def call_error(code: grpc.StatusCode, *, shown: str, image: str = "") -> CriError:
    """Return the error of any other call."""
    kinds = {
        grpc.StatusCode.UNAVAILABLE: RuntimeDown,
        grpc.StatusCode.CANCELLED: RuntimeDown,
        grpc.StatusCode.DEADLINE_EXCEEDED: CallTimeout,
        grpc.StatusCode.UNIMPLEMENTED: Unsupported,
        grpc.StatusCode.NOT_FOUND: Absent,
    }
    return kinds.get(code, CriError)(shown, image=image)


def _first(table: tuple[tuple[Reason, tuple[str, ...]], ...], said: str) -> Reason | None:
    return next((reason for reason, patterns in table if re.search("|".join(patterns), said, re.IGNORECASE)), None)


def _by_status(said: str) -> Reason | None:
    """Read an HTTP status; one that no table knows is the registry's (or a proxy's) own trouble."""
    found = _STATUS.search(said)
    return _BY_STATUS.get(int(found[1]), Reason.REGISTRY_UNAVAILABLE) if found else None
