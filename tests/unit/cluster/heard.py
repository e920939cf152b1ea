"""A listener that remembers what it heard, and the telemetry beside it."""

import threading
from collections.abc import Sequence

from daemon.cluster.errors import ClusterError
from daemon.cluster.interface import Resource, Telemetry
from daemon.cluster.metadata import Identity


class Heard:
    """
    All that a reflector told, in order, as short words: "applied a", "listed a b", "missed Denied".

    `objects` and `identities` are what someone knows who believes every word.
    """

    def __init__(self) -> None:
        self.words: list[str] = []
        self.resources: list[Resource] = []
        self.objects: dict[str, Resource] = {}
        self.identities: dict[str, Identity] = {}
        self.problems: list[str] = []
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

    def listed(self, identities: Sequence[Identity]) -> None:
        """Note a complete list."""
        self._note(" ".join(["listed", *sorted(identity.name for identity in identities)]))

    def applied(self, identity: Identity, value: Resource) -> None:
        """Note a new or changed object."""
        self.resources.append(value)
        self.objects[identity.name] = value
        self.identities[identity.name] = identity
        self._note(f"applied {identity.name}")

    def passed_over(self, identity: Identity, words: str) -> None:
        """Note one that cannot be read; what was known of it is."""
        self.problems.append(words)
        self.identities[identity.name] = identity
        self._note(f"passed over {identity.name}")

    def deleted(self, identity: Identity) -> None:
        """Note one that is gone."""
        self.objects.pop(identity.name, None)
        del self.identities[identity.name]
        self._note(f"deleted {identity.name}")

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
