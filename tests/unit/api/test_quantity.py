"""Shares of nodes and of space."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.api.quantity import bytes_to_keep_free, nodes_at_once


@pytest.mark.parametrize(
    ("parallelism", "nodes", "expected"),
    [
        (5, 3, 5),
        (0, 100, 0),
        ("0%", 100, 0),
        ("10%", 100, 10),
        ("10%", 101, 11),
        ("1%", 3, 1),
        ("100%", 7, 7),
        ("10%", 0, 1),
    ],
)
def test_a_percentage_is_rounded_up_and_at_least_one(parallelism: int | str, nodes: int, expected: int) -> None:
    """A share never rounds down to a standstill; only 0 and 0% pause."""
    assert expected == nodes_at_once(parallelism, nodes=nodes)


@given(percent=st.integers(1, 100), nodes=st.integers(1, 10_000))
def test_a_share_is_the_smallest_number_that_is_not_below_it(percent: int, nodes: int) -> None:
    """Rounding up exceeds the exact share by less than one node."""
    count = nodes_at_once(f"{percent}%", nodes=nodes)

    assert 0 <= count * 100 - nodes * percent < 100


@pytest.mark.parametrize(
    ("min_free", "expected"),
    [("20%", 200), ("0%", 0), ("33%", 330), ("10Gi", 10 * 1024**3), ("1.5k", 1500), ("512", 512), ("2E", 2 * 10**18)],
)
def test_free_space_is_a_share_or_a_size(min_free: str, expected: int) -> None:
    """A percentage is of the filesystem, everything else a Kubernetes quantity in bytes."""
    assert expected == bytes_to_keep_free(min_free, total_bytes=1000)


@pytest.mark.parametrize("text", ["", "100%", "-1", "10GB", "1e3"])
def test_what_is_no_size_is_named(text: str) -> None:
    """A caller that passes unparsed text learns which."""
    with pytest.raises(ValueError, match=f"minFree '{text}'"):
        bytes_to_keep_free(text, total_bytes=1000)


def test_what_is_no_percentage_is_named() -> None:
    """A caller that passes unparsed text learns which."""
    with pytest.raises(ValueError, match="parallelism 'many'"):
        nodes_at_once("many", nodes=3)
