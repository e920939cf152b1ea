"""
What can go wrong between the engine and a container runtime.

CriError
├── RuntimeDown        the socket is gone or the runtime restarts: nothing is wrong with the image
├── PullCancelled      we cancelled the call ourselves
├── CallTimeout        a unary call (not a pull) got no answer in its time
├── Absent             the runtime has no such lease, blob or snapshot
├── Unsupported        this runtime has no such call
└── PullRejected       the runtime ended a pull; `reason` says why in the closed list of api/reasons.py

gRPC types stop in this package, and the original error is always chained. `message` holds the runtime's own words,
with credentials, tokens and URL passwords taken out.
"""

from daemon.api.reasons import Reason


class CriError(Exception):
    """A call to the runtime failed; `message` is fit for a status."""

    def __init__(self, message: str, *, image: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.image = image


class RuntimeDown(CriError):
    """The runtime does not answer at its socket."""


class PullCancelled(CriError):
    """The pull was cancelled by us."""


class CallTimeout(CriError):
    """The runtime did not answer a unary call in time."""


class Absent(CriError):
    """The runtime has no such thing as was asked for."""


class Unsupported(CriError):
    """The runtime does not implement the call."""


class PullRejected(CriError):
    """The runtime ended the pull with an error; `reason` classifies it."""

    def __init__(self, message: str, *, reason: Reason, image: str = "") -> None:
        super().__init__(message, image=image)
        self.reason = reason
