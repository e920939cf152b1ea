"""
Where log lines go: a stream that may be slow, full or gone, of which no thread of ours may ever come to harm.

What a line says is logs.py's. A line that cannot be written is counted, and the next one that can says how many.
"""

import io
import os
import select
import threading
from contextlib import suppress
from typing import TextIO


# A reader that stands still this long holds up the thread that logs; then lines are dropped until it reads again.
STALL_SECONDS = 1.0


class Lines:
    """
    Writes whole lines to a stream; from any thread, and never raises.

    It writes past the stream's own buffer to its descriptor, a piece at a time that a pipe takes without waiting
    (pipe(7): PIPE_BUF bytes where it polls writable). A stream without descriptor is written as it is.
    """

    def __init__(self, stream: TextIO | None) -> None:
        self._stream = stream
        self._descriptor = _descriptor(stream)
        self._poll = select.poll()
        if self._descriptor is not None:
            self._poll.register(self._descriptor, select.POLLOUT)
        self._lock = threading.Lock()
        self._is_stalled = False
        self._is_torn = False
        self.lost = 0

    @property
    def encoding(self) -> str:
        """The characters that a person at the other end can see."""
        return getattr(self._stream, "encoding", None) or "utf-8"

    @property
    def is_terminal(self) -> bool:
        """Whether a person looks at it."""
        return self._descriptor is not None and os.isatty(self._descriptor)

    def write(self, line: bytes) -> None:
        """Write one line, or count it as lost."""
        with self._lock:
            try:
                is_written = self._write(line)
            except (OSError, ValueError):
                is_written = False
            self.lost = 0 if is_written else self.lost + 1

    debug = info = warning = error = critical = write

    def _write(self, line: bytes) -> bool:
        if self._descriptor is None:
            return self._write_buffered(line)
        left = memoryview((b"\n" if self._is_torn else b"") + line + b"\n")
        while left:
            self._is_stalled = not self._poll.poll(0 if self._is_stalled else STALL_SECONDS * 1000)
            if self._is_stalled:
                return False
            written = os.write(self._descriptor, left[: select.PIPE_BUF])
            self._is_torn = written < len(left)
            left = left[written:]
        return True

    def _write_buffered(self, line: bytes) -> bool:
        if self._stream is None:
            return False
        if isinstance(self._stream, io.TextIOWrapper):
            self._stream.buffer.write(line + b"\n")
        else:
            self._stream.write(line.decode(self.encoding) + "\n")
        self._stream.flush()
        return True


def _descriptor(stream: TextIO | None) -> int | None:
    if stream is None:
        return None
    with suppress(OSError, ValueError):
        stream.flush()
        return stream.fileno()
    return None
