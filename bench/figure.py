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
    no peer to compare with, `reference` is the limit. The bound is the most that is good, or with `is_floor` the least.
    """

    name: str
    ours: float
    reference: float
    unit: str
    ratio: float | None
    bound: float | None = None
    judged: Judged = Judged.OURS
    is_floor: bool = False

    @property
    def is_missed(self) -> bool:
        """Whether the measured number lies beyond the bound; one that meets it exactly is kept."""
        measured = self.ratio if self.judged is Judged.RATIO else self.ours
        if self.bound is None or measured is None:
            return False
        return measured < self.bound if self.is_floor else measured > self.bound

    @property
    def line(self) -> str:
        """The figure as it is printed."""
        numbers = f"ratio={_number(self.ratio)} ours={_number(self.ours)} reference={_number(self.reference)}"
        return f"{self.name} {numbers} unit={self.unit} bound={_number(self.bound)}"


def limited(name: str, ours: float, *, limit: float, unit: str, is_aim: bool = False) -> Figure:
    """Make a figure that has no peer: its reference is the limit, which is only shown where it is an aim."""
    ratio = ours / limit if limit else None
    return Figure(name=name, ours=ours, reference=limit, unit=unit, ratio=ratio, bound=None if is_aim else limit)


def over_rate(name: str, ours: float, *, rate: float, unit: str, least: float) -> Figure:
    """Make a figure that is a rate beside another's: its ratio is to be at least so much."""
    return Figure(
        name=name,
        ours=ours,
        reference=rate,
        unit=unit,
        ratio=ours / rate,
        bound=least,
        judged=Judged.RATIO,
        is_floor=True,
    )


def show_spread(label: str, samples: Sequence[float], *, unit: str) -> None:
    """Print what the median is a median of."""
    low, middle, high = min(samples), statistics.median(samples), max(samples)
    show(f"{label}: min {low:.3f}, median {middle:.3f}, max {high:.3f} {unit} ({len(samples)} runs)")


def show(text: str) -> None:
    """Print a line at once, also into a pipe."""
    print(text, flush=True)


def conclude(figures: Sequence[Figure]) -> int:
    """Print the lines and return the exit code: 1 where one is beyond its bound."""
    for figure in figures:
        show(figure.line)
    return int(any(figure.is_missed for figure in figures))


def _number(value: float | None) -> str:
    return "none" if value is None else f"{value:.3f}".rstrip("0").rstrip(".")
