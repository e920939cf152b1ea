"""
`progress`: how far what a person is shown of a pull is from what the registry has sent, at the worst moment.

Both are compared each hundredth of a second over a whole pull on a limited link, so a number that stays on the screen
counts as what it has become by then. The error is in percent of the image, beyond one second of the registry's rate.
`progress-backwards` counts how often shown bytes, layers or percent became less.
"""

import itertools
import statistics
import sys
from collections.abc import Sequence

from bench.figure import Figure, conclude, limited, show_spread
from bench.slow_pull import SlowPull, push, slow_pulls
from bench.stage import CONTAINERDS, Stage, stage, suffix
from tests.servers.images import PushedImage


NAME = "progress"
BOUND_PERCENT = 5.0
ALLOWED_SECONDS = 1.0


def main() -> int:
    """Measure on each containerd."""
    with stage() as place:
        image = push(place)
        return conclude([figure for name in CONTAINERDS for figure in _figures(place, name, image)])


def _figures(place: Stage, name: str, image: PushedImage) -> Sequence[Figure]:
    pulls = list(slow_pulls(place, place.containerd(name), image))
    errors = [largest_error_percent(pull) for pull in pulls]
    backwards = [times_backwards(pull) for pull in pulls]
    show_spread("largest error", [largest_error_percent(pull, allowed_seconds=0) for pull in pulls], unit="%")
    show_spread(f"largest error beyond {ALLOWED_SECONDS:g} s of the rate", errors, unit="%")
    show_spread("times backwards", backwards, unit="")
    return (
        limited(NAME + suffix(name), statistics.median(errors), limit=BOUND_PERCENT, unit="%"),
        limited(f"{NAME}-backwards{suffix(name)}", sum(backwards), limit=0, unit="times"),
    )


def largest_error_percent(pull: SlowPull, *, allowed_seconds: float = ALLOWED_SECONDS) -> float:
    """Return the largest difference between shown and sent, beyond what the rate brings in allowed_seconds."""
    largest = max(abs(one.shown_bytes - one.sent_bytes) for one in pull.instants)
    return 100 * max(0.0, largest - allowed_seconds * pull.bytes_per_second) / pull.total_bytes


def times_backwards(pull: SlowPull) -> int:
    """Count the events that show less than the one before."""
    seen = [(one.event.bytes_done, one.event.layers_unpacked, one.event.percent or 0) for one in pull.shown]
    return sum(any(new < old for old, new in zip(*pair, strict=True)) for pair in itertools.pairwise(seen))


if __name__ == "__main__":
    sys.exit(main())
