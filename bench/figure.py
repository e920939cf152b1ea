"""
A figure as a line that people and programs read: `NAME ratio=R ours=X reference=Y unit=U bound=B`.

The ways to measure are the other modules'; here is what all of them do with their samples.
"""

import statistics
from collections.abc import Sequence
from enum import StrEnum

import msgspec


class Judged(StrEnum):
    """Which of a figure's numbers the bound is for."""

    OURS = "ours"
    RATIO = "ratio"


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """
    One measured figure.

    `ratio` is None where ours and reference have none; `bound` is None for a figure that is only shown. Where there is
    no peer to compare with, `reference` is the limit.
    """

    name: str
    ours: float
    reference: float
    unit: str
    ratio: float | None
    bound: float | None = None
    judged: Judged = Judged.OURS

    @property
    def is_passed(self) -> bool:
        """Whether the bound is exceeded; one that is met exactly is kept."""
        measured = self.ratio if self.judged is Judged.RATIO else self.ours
        return self.bound is not None and measured is not None and measured > self.bound

    @property
    def line(self) -> str:
        """The figure as it is printed."""
        numbers = f"ratio={_number(self.ratio)} ours={_number(self.ours)} reference={_number(self.reference)}"
        return f"{self.name} {numbers} unit={self.unit} bound={_number(self.bound)}"


def limited(name: str, ours: float, *, limit: float, unit: str, is_aim: bool = False) -> Figure:
    """Make a figure that has no peer: its reference is the limit, which is only shown where it is an aim."""
    ratio = ours / limit if limit else None
    return Figure(name=name, ours=ours, reference=limit, unit=unit, ratio=ratio, bound=None if is_aim else limit)


def show_spread(label: str, samples: Sequence[float], *, unit: str) -> None:
    """Print what the median is a median of."""
    low, middle, high = min(samples), statistics.median(samples), max(samples)
    show(f"{label}: min {low:.3f}, median {middle:.3f}, max {high:.3f} {unit} ({len(samples)} runs)")


def show(text: str) -> None:
    """Print a line at once, also into a pipe."""
    print(text, flush=True)


def conclude(figures: Sequence[Figure]) -> int:
    """Print the lines and return the exit code: 1 where a bound is exceeded."""
    for figure in figures:
        show(figure.line)
    return int(any(figure.is_passed for figure in figures))


def _number(value: float | None) -> str:
    return "none" if value is None else f"{value:.3f}".rstrip("0").rstrip(".")
