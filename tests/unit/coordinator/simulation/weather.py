"""How requests fare between a coordinator and its API server: latency, and what befalls them on the way."""

from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from daemon.cluster.errors import Conflict, Invalid, ServerFailed, Unreachable
from daemon.cluster.interface import Write
from tests.unit.coordinator.simulation.apiserver import VirtualApi


class Weather(msgspec.Struct, frozen=True, kw_only=True):
    """
    How requests and watches fare, in seconds and shares of one.

    `refused`, `conflicting`: nothing is done; `unsent`: it never arrives; `lost`: it is done, and the answer is lost.
    `repeated`: a watch tells the same once more, later.
    """

    latency: tuple[float, float] = (0.001, 0.003)
    lag: tuple[float, float] = (0.001, 0.005)
    refused: float = 0.0
    conflicting: float = 0.0
    unsent: float = 0.0
    lost: float = 0.0
    repeated: float = 0.0


CALM: Final = Weather()
ROUGH: Final = Weather(
    latency=(0.001, 0.4), lag=(0.001, 1.5), refused=0.1, conflicting=0.1, unsent=0.05, lost=0.1, repeated=0.2
)


class Weathered:
    """The API server as a coordinator reaches it; `fault` tells what befalls the next request, "" for nothing."""

    def __init__(self, api: VirtualApi, *, fault: Callable[[], str]) -> None:
        self._api = api
        self._fault = fault

    def fetch(self, path: str, *, query: Mapping[str, str] | None = None, timeout_seconds: float) -> bytes:
        """Read one object, or have no answer."""
        if self._fault() == "unsent":
            raise Unreachable(f"{path}: no answer")
        return self._api.fetch(path, query=query, timeout_seconds=timeout_seconds)

    def send(self, write: Write, *, timeout_seconds: float) -> bytes:
        """Change something, or have it fail in one of the ways in which that fails."""
        match self._fault():
            case "refused":
                raise Invalid(f"{write.path}: a foreign writer was first", code=422)
            case "conflicting":
                raise Conflict(f"{write.path}: the object has been modified", code=409)
            case "unsent":
                raise Unreachable(f"{write.path}: no answer")
            case "lost":
                self._api.send(write, timeout_seconds=timeout_seconds)
                raise ServerFailed(f"{write.path}: timed out after it was done", code=504)
        return self._api.send(write, timeout_seconds=timeout_seconds)
