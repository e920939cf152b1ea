"""Hollow nodes beside a bench or a test: the process of `python -m bench.hollow`, and what it has noted."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import msgspec

from bench.hollow.__main__ import READY
from bench.hollow.nodes import Start
from tests.servers.processes import Process, ServerFailed


ROOT: Final = Path(__file__).parents[2]


class HollowProcess:
    """
    Hollow nodes that answer while this is entered.

    Args:
        kubeconfig: of an administrator.
        folder: its own: a log, and the starts.
        options: further ones of the command, such as "--pull-seconds", "2".
    """

    def __init__(self, kubeconfig: Path, folder: Path, *, options: Sequence[str] = ()) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._starts = folder / "starts.jsonl"
        self._process = Process(
            [
                *(sys.executable, "-m", "bench.hollow", "--kubeconfig", kubeconfig, "--starts", self._starts),
                *options,
            ],
            log=folder / "hollow.log",
            environment={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "HOME": str(folder)},
        )

    def __enter__(self) -> Self:
        self._process.start(lambda: READY in self._process.tail())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self.stop()
        else:
            self._process.stop()

    @property
    def process(self) -> Process:
        """The process, to freeze or to look at."""
        return self._process

    def stop(self) -> None:
        """
        End it, so that its starts are there; twice is fine.

        Raises:
            ServerFailed: it met an error.
        """
        was_running = self._process.is_running
        if self._process.stop() != 0 and was_running:
            raise ServerFailed(f"the hollow nodes did not end well\n{self._process.tail()}")

    def starts(self) -> list[Start]:
        """Return the start of each pull, once it has ended."""
        return msgspec.json.Decoder(Start).decode_lines(self._starts.read_bytes())
