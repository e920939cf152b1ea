"""
`nodes-500`: NodeImages a second that a coordinator makes when 500 Nodes turn Ready at one moment, beside a bare sender.

The budget of writes is lifted. The coordinator is frozen while the Nodes are made, so that it meets all of them at once
and shares nothing with their making: measured is from its thaw to a watcher seeing the last NodeImage. The reference is
what the senders of the hollow nodes reach on the same objects with nothing else running.
"""

import statistics
import sys
import time
from typing import Final

from bench.coordinator_stage import LIFTED, CoordinatorStage, coordinator_stage, node_names
from bench.figure import conclude, over_rate, show, show_spread


NAME: Final = "nodes-500"
BOUND: Final = 0.4
NODES: Final = 500
TURNS: Final = 5


def main() -> int:
    """Measure several turns, each between two of the senders alone."""
    rates: list[float] = []
    found: list[float] = []
    with coordinator_stage() as place:
        show(f"== {NAME}: {NODES} Nodes turn Ready, the budget of writes lifted")
        for _ in range(TURNS):
            found.append(NODES / _seconds(place))
            rates += place.rates(rounds=1)
            _clear(place)
    show_spread("NodeImages", found, unit="NodeImages/s")
    show_spread("the senders alone", rates, unit="patches/s")
    ours, rate = statistics.median(found), statistics.median(rates)
    return conclude([over_rate(NAME, ours, rate=rate, unit="NodeImages/s", least=BOUND)])


def _seconds(place: CoordinatorStage) -> float:
    with place.coordinator(*LIFTED) as coordinator:
        coordinator.process.freeze()
        place.make_nodes(node_names(NODES))
        began = time.monotonic()
        coordinator.process.thaw()
        place.until_node_images(NODES)
        return time.monotonic() - began


def _clear(place: CoordinatorStage) -> None:
    """Remove the Nodes and what was made for them, for the next turn to begin as this one did."""
    place.remove_nodes()
    place.remove_node_images()


if __name__ == "__main__":
    sys.exit(main())
