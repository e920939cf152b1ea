"""
What can go wrong between us and the API server.

ClusterError
├── Unreachable        no answer: refused, timed out, cut, or a certificate that we do not trust
├── Unauthenticated    401, also after the token was read anew
├── Denied             403: the account lacks a right, or an admission policy refused; the message names it
├── NotFound           404: no such object, or no such resource (the CRDs are not there)
├── Conflict           409: another writer was first, or the name is taken
├── Expired            410: the version to watch from is too old; list again
├── Invalid            422: a test of a JSON Patch failed, or the schema refused what was sent
├── Throttled          429, with the pause that the server asked for
├── ServerFailed       5xx, or an answer that is no Kubernetes API's
└── Oversized          an object or answer larger than we are ready to hold

No message, and nothing chained to it, holds a header, a token or a Secret's content.
"""


class ClusterError(Exception):
    """A request failed; `message` says what was asked and what the server said, and is fit for a log or a status."""

    def __init__(self, message: str, *, code: int = 0, retry_after_seconds: float | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.retry_after_seconds = retry_after_seconds


class Unreachable(ClusterError):
    """The API server does not answer."""


class Unauthenticated(ClusterError):
    """The API server does not know who we are."""


class Denied(ClusterError):
    """The API server does not let us."""


class NotFound(ClusterError):
    """There is no such thing."""


class Conflict(ClusterError):
    """Another writer was first."""


class Expired(ClusterError):
    """The version to go on from is gone."""


class Invalid(ClusterError):
    """The server understood and refused the content."""


class Throttled(ClusterError):
    """The server asks us to slow down."""


class ServerFailed(ClusterError):
    """The server failed, or what answers is no API server."""


class Oversized(ClusterError):
    """More came than we are ready to hold."""
