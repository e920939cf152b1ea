"""A listener that remembers what it heard, and the telemetry beside it."""

import threading
from collections.abc import Sequence

from daemon.cluster.errors import ClusterError
from daemon.cluster.interface import Resource, Telemetry


class Heard:
    """
    All that a reflector told, in order, as short words: "applied a", "listed a b", "missed Denied".

    `objects` is what someone knows who believes every word.
    """

    def __init__(self) -> None:
        self.words: list[str] = []
        self.resources: list[Resource] = []
        self.objects: dict[str, Resource] = {}
        self.errors: list[ClusterError] = []
        self.restarts: list[str] = []
        self.requests: list[tuple[str, str, str]] = []
        self._lock = threading.Lock()

    @property
    def telemetry(self) -> Telemetry:
        """Counters that count here."""
        return Telemetry(
            requested=lambda verb, resource, code: self.requests.append((verb, resource, code)),
            restarted=self.restarts.append,
        )

    def listed(self, resources: Sequence[Resource]) -> None:
        """Note a complete list."""
        self._note(" ".join(["listed", *sorted(_name(resource) for resource in resources)]))

    def applied(self, resource: Resource) -> None:
        """Note a new or changed object."""
        self.resources.append(resource)
        self.objects[_name(resource)] = resource
        self._note(f"applied {_name(resource)}")

    def deleted(self, resource: Resource) -> None:
        """Note one that is gone."""
        del self.objects[_name(resource)]
        self._note(f"deleted {_name(resource)}")

    def missed(self, error: ClusterError) -> None:
        """Note a failure."""
        self.errors.append(error)
        self._note(f"missed {type(error).__name__}")

    def has(self, word: str) -> bool:
        """Tell whether this was heard."""
        return word in self.words

    def _note(self, word: str) -> None:
        with self._lock:
            self.words.append(word)


def _name(resource: Resource) -> str:
    metadata = resource["metadata"]
    assert isinstance(metadata, dict)
    return str(metadata["name"])
