"""What the command does with standard streams that are closed, or that lack a character."""

import io
import os
import subprocess
import sys
from datetime import UTC, datetime

import pytest

from daemon.display.events import Event
from daemon.display.streams import JsonLines


WORDS = "g\u00e4ste \u62d2"


@pytest.mark.parametrize("descriptor", [0, 1, 2])
@pytest.mark.parametrize("arguments", [["validate", "missing.yaml"], ["run", "missing.yaml"]])
def test_a_closed_stream_is_an_empty_one(descriptor: int, arguments: list[str]) -> None:
    """As a service without them has it: bad input is 2, and no traceback."""
    done = subprocess.run(
        [sys.executable, "-m", "daemon", *arguments],
        preexec_fn=lambda: os.close(descriptor),
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )

    assert 2 == done.returncode
    assert "Traceback" not in done.stderr
    assert "No such file" not in done.stdout


def test_a_name_that_the_locale_lacks_is_escaped() -> None:
    """`validate` names a file by its own characters where it can."""
    done = subprocess.run(
        [sys.executable, "-m", "daemon", "validate", WORDS],
        capture_output=True,
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
        check=False,
        timeout=30,
    )

    assert 2 == done.returncode
    assert b"Traceback" not in done.stderr


def test_json_needs_no_locale() -> None:
    """Words of a registry in any language reach an ASCII stream whole."""
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")

    JsonLines(stream).show(Event(time=datetime(2026, 1, 31, tzinfo=UTC), event="notice", message=WORDS))

    assert b'{"time":"2026-01-31T00:00:00Z","event":"notice","message":"g\\u00e4ste \\u62d2"}\n' == raw.getvalue()
