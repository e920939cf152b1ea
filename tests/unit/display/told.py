"""A node in virtual time with what it tells: the events of each step."""

from collections.abc import Callable

from daemon.display.events import Event, events_between
from daemon.node import transitions
from daemon.runtime.interface import Progress, Stage
from tests.unit.node.virtual_node import VirtualNode, key_of


HALF = Progress(
    stage=Stage.DOWNLOADING,
    bytes_done=50,
    bytes_total=100,
    layers_total=2,
    bytes_per_second=10.4,
    eta_seconds=4.6,
    digest="sha256:1",
)


class ToldNode(VirtualNode):
    """A node whose every step can be told."""

    def events_of(self, step: Callable[[], None]) -> list[Event]:
        """Take a step and return its events."""
        before = self.state
        step()
        return list(events_between(before, self.state, now=self.now))

    def progress(self, progress: Progress, *, name: str = "app") -> None:
        """Let the running pull of an image be so far."""
        key = key_of(name)
        self.state = transitions.progressed(self.state, key, serial=self._serial_of(key), progress=progress)
