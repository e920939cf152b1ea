"""A pull that stands still at a known byte, so that a test can do something in the midst of it."""

from tests.lab.sockets import unread_bytes
from tests.servers.faults import Fault, Hang
from tests.servers.images import Push
from tests.servers.processes import until
from tests.servers.proxy import FaultProxy


LAYER_BYTES = 256 << 10
# Of what was on its way to the runtime when a pull ended, this much may be sent once more.
IN_FLIGHT_BYTES = 64 << 10


class StuckPull:
    """
    An image of three layers, whose first pull comes to half of the last one and hangs there; the next goes through.

    What the hanging request is for is not sent before `faults.clear()`, which resets it.
    """

    def __init__(self, push: Push, faults: FaultProxy, *, repository: str = "stuck") -> None:
        self.image = push(repository, layers=[LAYER_BYTES] * 3).at(faults.host)
        self._faults = faults
        faults.add(Fault(Hang(after_bytes=LAYER_BYTES // 2), reference=self.image.layers[-1].digest, method="GET"))

    def until_stuck(self) -> None:
        """Wait until all has been sent that will be, and the runtime has read it."""
        *whole, _ = self.image.layers
        expected_bytes = sum(layer.size_bytes for layer in whole) + LAYER_BYTES // 2
        until(lambda: self.sent_bytes >= expected_bytes, what="half of the last layer sent", timeout_seconds=60)
        until(lambda: not unread_bytes(self._faults.port), what="what was sent is read", timeout_seconds=60)

    @property
    def sent_bytes(self) -> int:
        """How much of its layers has been sent, over all pulls."""
        return sum(self._faults.traffic.bytes_of(layer.digest) for layer in self.image.layers)

    @property
    def sent_again_bytes(self) -> int:
        """How much of its layers has been sent more than once, after a pull that has ended."""
        return self.sent_bytes - self.image.layer_bytes
