"""Cuts a stream of bytes into lines, however they arrive, and refuses one that would fill our memory. Pure."""

from collections.abc import Iterable, Iterator

from daemon.cluster.errors import Oversized


LINE_BYTES = 4 << 20


def split_lines(chunks: Iterable[bytes], *, line_bytes: int = LINE_BYTES) -> Iterator[bytes]:
    """
    Yield each line that is not empty, without its end, as soon as it is whole; what follows the last end is dropped.

    Raises:
        Oversized: a line is longer than line_bytes.
    """
    rest = bytearray()
    for chunk in chunks:
        searched = len(rest)
        rest += chunk
        begin = 0
        while (end := rest.find(b"\n", max(begin, searched))) >= 0:
            _check(end - begin, line_bytes=line_bytes)
            if end > begin:
                yield bytes(rest[begin:end])
            begin = end + 1
        del rest[:begin]
        _check(len(rest), line_bytes=line_bytes)


def _check(length: int, *, line_bytes: int) -> None:
    if length > line_bytes:
        raise Oversized(f"the server sent an object of more than {line_bytes} bytes")
