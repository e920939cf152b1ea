"""
`eta`: how far the time that a person is told is left is from the time that it then takes, in percent of the latter.

Asked of every event from a quarter of the image's bytes on, over a whole pull with its unpacking. The figure is the
median; the worst is printed above it, also without the last seconds, in which a second's rounding is everything.
There is an aim and no bound.
"""

import statistics
import sys

import msgspec

from bench.figure import Figure, conclude, limited, show
from bench.slow_pull import SlowPull, push, slow_pulls
from bench.stage import CONTAINERDS, Stage, stage, suffix
from tests.servers.images import PushedImage


NAME = "eta"
AIM_PERCENT = 20.0
FROM_PERCENT = 25
LAST_SECONDS = 3.0


class Estimate(msgspec.Struct, frozen=True, kw_only=True):
    """What was shown as left, and what was."""

    shown_seconds: float
    true_seconds: float

    @property
    def error_percent(self) -> float:
        """The difference, in percent of the truth."""
        return 100 * abs(self.shown_seconds - self.true_seconds) / self.true_seconds


def main() -> int:
    """Measure on each containerd."""
    with stage() as place:
        image = push(place)
        return conclude([_figure(place, name, image) for name in CONTAINERDS])


def _figure(place: Stage, name: str, image: PushedImage) -> Figure:
    pulls = [estimates(pull) for pull in slow_pulls(place, place.containerd(name), image)]
    for made in pulls:
        _show(made)
    middle = statistics.median(one.error_percent for made in pulls for one in made)
    return limited(NAME + suffix(name), middle, limit=AIM_PERCENT, unit="%", is_aim=True)


def estimates(pull: SlowPull) -> list[Estimate]:
    """Return the estimates of a pull from a quarter of the way on, with the truth of each."""
    return [
        Estimate(shown_seconds=one.event.eta_seconds, true_seconds=pull.ended_at - one.at)
        for one in pull.shown
        if one.event.eta_seconds is not None and (one.event.percent or 0) >= FROM_PERCENT
    ]


def _show(made: list[Estimate]) -> None:
    errors = [one.error_percent for one in made]
    worst = max(made, key=lambda one: one.error_percent)
    before_last = max((one.error_percent for one in made if one.true_seconds >= LAST_SECONDS), default=0.0)
    show(
        f"{len(made)} estimates: median {statistics.median(errors):.1f} %, "
        f"worst {before_last:.1f} % with {LAST_SECONDS:g} s or more left, "
        f"worst of all {worst.error_percent:.1f} % ({worst.shown_seconds:g} s shown, {worst.true_seconds:.2f} s true)"
    )


if __name__ == "__main__":
    sys.exit(main())
