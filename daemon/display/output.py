"""How lines get to a stream, and what can happen to it: its disk is full, its terminal has gone."""

from typing import TextIO


class OutputLost(Exception):
    """Standard output can't be written any more; the text says why."""


def write_line(stream: TextIO, text: str) -> None:
    """
    Write a line and flush it.

    Raises:
        BrokenPipeError: the reader has gone.
        OutputLost: it can't be written for another reason.
    """
    try:
        stream.write(text + "\n")
        stream.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OutputLost(error.strerror) from error
