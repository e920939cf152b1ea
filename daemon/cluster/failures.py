"""
Why no answer came, in words for a person, from whatever urllib3 and ssl raised. Pure.

Their own words name objects and addresses of memory; ours say what was waited for and what the network said.
"""

import ssl
from http.client import HTTPException

import urllib3


# What a request can raise once it is on its way.
_NEW_CONNECTION = urllib3.exceptions.NewConnectionError

CUT = "the connection was cut"
NO_ANSWER = (urllib3.exceptions.HTTPError, HTTPException, OSError)


def words_of(error: BaseException) -> str:
    """Return what kept the answer away."""
    if isinstance(error, urllib3.exceptions.NameResolutionError):
        return "its host name is not known"
    # A refused connection is a NewConnectionError, which counts as a timeout with urllib3.
    if isinstance(error, urllib3.exceptions.TimeoutError) and not isinstance(error, _NEW_CONNECTION):
        what = "connection" if isinstance(error, urllib3.exceptions.ConnectTimeoutError) else "answer"
        return f"no {what} in time"
    cause = _cause(error)
    if isinstance(cause, ssl.SSLError):
        return _tls_words(cause)
    return (cause.strerror if isinstance(cause, OSError) else None) or CUT


def is_distrust(error: BaseException) -> bool:
    """Tell whether it was the server's certificate that we did not trust."""
    return isinstance(_cause(error), ssl.SSLCertVerificationError)


def _tls_words(error: ssl.SSLError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {error.verify_message}"
    if isinstance(error, ssl.SSLEOFError):
        return CUT
    return f"TLS failed: {(error.reason or 'no reason').replace('_', ' ').lower()}"


def _cause(error: BaseException) -> BaseException:
    """Find the operating system's or TLS's own error under the wrappers."""
    seen = error
    for _ in range(8):
        inner = next((each for each in seen.args if isinstance(each, BaseException)), None) or seen.__cause__
        if isinstance(seen, OSError) or inner is None:
            break
        seen = inner
    return seen
