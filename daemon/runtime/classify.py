"""
What a failed call means: a gRPC code and the runtime's words become an error of errors.py.

The words decide more than the code: containerd gives UNKNOWN for most of what a registry does wrong. The table was
filled with what containerd 1.6 and 2.x really say (tests/unit/runtime/test_classify.py has the messages).
"""

import re

import grpc

from daemon.api.reasons import Reason
from daemon.runtime.errors import Absent, CallTimeout, CriError, PullRejected, RuntimeDown, Unsupported


# The first that fits holds, so the narrow stand before the wide.
_WORDS: tuple[tuple[Reason, str], ...] = (
    (Reason.REFUSED_BY_POLICY, r"verifier|signature (?:is )?(?:required|validation)|policy|rejected by"),
    (Reason.DISK_FULL, r"no space left on device|disk quota exceeded"),
    (Reason.INVALID_REFERENCE, r"invalid reference format|failed to parse image reference|couldn't parse image"),
    (Reason.PLATFORM_MISMATCH, r"no match for platform|no image found .* for (?:architecture|platform)"),
    (Reason.CORRUPT_CONTENT, r"unexpected commit digest|failed size validation|digest mismatch"),
    (Reason.REGISTRY_THROTTLED, r"\b429\b|too ?many ?requests|toomanyrequests|rate limit"),
    (Reason.UNAUTHORIZED, r"\b401\b|unauthorized|no basic auth credentials|authorization failed"),
    (Reason.FORBIDDEN, r"\b403\b|forbidden|insufficient_scope|denied"),
    (Reason.REGISTRY_TLS, r"x509:|tls:|certificate|server gave http response to https client"),
    (Reason.IMAGE_NOT_FOUND, r"not found|manifest unknown|name unknown|repository .* does not exist"),
    (Reason.REGISTRY_UNAVAILABLE, r"connection|timeout|EOF|no such host|\b50\d\b"),
)
_COMPILED = tuple((reason, re.compile(pattern, re.IGNORECASE)) for reason, pattern in _WORDS)


def reason_of(code: grpc.StatusCode, words: str) -> Reason:
    """Return the reason of the closed list for what a pull ended with; PullFailed where the words are not known."""
    for reason, pattern in _COMPILED:
        if pattern.search(words):
            return reason
    return Reason.IMAGE_NOT_FOUND if code is grpc.StatusCode.NOT_FOUND else Reason.PULL_FAILED


def pull_error(code: grpc.StatusCode, words: str, *, shown: str, image: str) -> CriError:
    """Return the error of a PullImage that was not cancelled by us; `shown` are the words without secrets."""
    if code is grpc.StatusCode.UNAVAILABLE:
        return RuntimeDown(shown, image=image)
    return PullRejected(shown, reason=reason_of(code, words), image=image)


def call_error(code: grpc.StatusCode, *, shown: str, image: str = "") -> CriError:
    """Return the error of any other call."""
    kinds = {
        grpc.StatusCode.UNAVAILABLE: RuntimeDown,
        grpc.StatusCode.DEADLINE_EXCEEDED: CallTimeout,
        grpc.StatusCode.UNIMPLEMENTED: Unsupported,
        grpc.StatusCode.NOT_FOUND: Absent,
    }
    return kinds.get(code, CriError)(shown, image=image)
