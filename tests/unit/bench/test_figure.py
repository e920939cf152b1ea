"""A figure's line, and on which side of its bound it may lie."""

import pytest

from bench.figure import Figure, Judged, conclude, limited, over_rate


def test_a_figure_at_its_bound_is_kept() -> None:
    """Only what lies beyond a bound is missed."""
    assert [False, True] == [limited("n", ours, limit=2.0, unit="s").is_missed for ours in (2.0, 2.1)]


def test_a_rate_is_missed_below_its_bound() -> None:
    """A floor is the least that is good; one that is met exactly is kept."""
    figures = [over_rate("n", ours, rate=100.0, unit="nodes/s", least=0.5) for ours in (51.0, 50.0, 49.0)]

    assert [False, False, True] == [figure.is_missed for figure in figures]


def test_a_figure_without_a_bound_is_never_missed() -> None:
    """It is only shown."""
    figure = Figure(name="n", ours=9.0, reference=1.0, unit="s", ratio=9.0, judged=Judged.RATIO)

    assert not figure.is_missed


def test_the_exit_code_says_that_a_bound_is_missed(capsys: pytest.CaptureFixture[str]) -> None:
    """Every line is printed, whichever of them is missed."""
    good, bad = (over_rate(name, ours, rate=100.0, unit="u", least=0.5) for name, ours in (("a", 60.0), ("b", 40.0)))

    assert (0, 1) == (conclude([good]), conclude([bad, good]))
    assert "b ratio=0.4 ours=40 reference=100 unit=u bound=0.5" in capsys.readouterr().out.splitlines()
