"""However a stream arrives, its lines are the same; one too long is refused before it fills the memory."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.cluster.errors import Oversized
from daemon.cluster.lines import LINE_BYTES, split_lines


LINES = st.lists(st.binary(max_size=20).map(lambda line: line.replace(b"\n", b"")), max_size=10)


@given(lines=LINES, cuts=st.lists(st.integers(min_value=0, max_value=250), max_size=30), rest=st.binary(max_size=5))
def test_lines_do_not_depend_on_how_they_arrive(lines: list[bytes], cuts: list[int], rest: bytes) -> None:
    """Cut anywhere, also within a line and in empty pieces, the same lines come out, and no unfinished one."""
    stream = b"".join(line + b"\n" for line in lines) + rest.replace(b"\n", b"")
    places = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    chunks = [stream[begin:end] for begin, end in itertools.pairwise(places)]

    actual = list(split_lines(chunks))

    assert [line for line in lines if line] == actual


def test_a_line_is_given_as_soon_as_it_is_whole() -> None:
    """Nothing waits for the next chunk."""
    seen: list[bytes] = []

    for line in split_lines(iter([b"one\ntw", b"o\n"])):
        seen.append(line)
        break

    assert [b"one"] == seen


@pytest.mark.parametrize("chunks", [[b"x" * 11], [b"x" * 6, b"x" * 6], [b"ok\n" + b"x" * 11 + b"\n"]])
def test_a_line_that_is_too_long_is_refused(chunks: list[bytes]) -> None:
    """With or without its end, in one piece or in several."""
    with pytest.raises(Oversized, match="more than 10 bytes"):
        list(split_lines(chunks, line_bytes=10))


def test_the_longest_line_passes() -> None:
    """The bound is 4 MiB, and a line of just that is a line."""
    assert 4 << 20 == LINE_BYTES
    assert [b"x" * 10] == list(split_lines([b"x" * 10 + b"\n"], line_bytes=10))
