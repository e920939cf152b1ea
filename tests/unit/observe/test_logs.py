"""Logs: a line is one JSON object whatever it holds, a person at a terminal can read it, and no stream can harm us."""

import io
import json
import logging
import os
import pty
import re
import threading
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TextIO

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from daemon.observe import output
from daemon.observe.logs import LIBRARY_WARNED, configure, logger
from tests.servers.processes import until


pytestmark = pytest.mark.usefixtures("restored")


@pytest.fixture
def stream() -> io.StringIO:
    """A stream whose content can be read."""
    return io.StringIO()


@pytest.fixture
def pipe() -> Iterator[tuple[int, TextIO]]:
    """A pipe: the end to read from, which must be closed only once, and the stream to write to."""
    reader, writer = os.pipe()
    with os.fdopen(writer, "w") as stream:
        yield reader, stream


def _rows(stream: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def _fail() -> None:
    raise ValueError("bad word")


def _write_many() -> None:
    for _ in range(100):
        logger().info("a", words="x" * 6000)


def test_a_line_has_time_level_and_event_first(stream: io.StringIO) -> None:
    """Then what is bound, then what the call adds; times are RFC 3339 in UTC."""
    configure("json", stream=stream)

    logger(image="nginx:1").bind(version=2).info("pull_started", attempt=1)

    (row,) = _rows(stream)
    assert ["time", "level", "event", "image", "version", "attempt"] == list(row)
    assert ["info", "pull_started", "nginx:1", 2, 1] == list(row.values())[1:]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", str(row["time"]))


@pytest.mark.parametrize(("level", "expected"), [("info", ["b"]), ("debug", ["a", "b"])])
def test_a_level_hides_what_is_below(stream: io.StringIO, level: str, expected: list[str]) -> None:
    """Debug lines come when they are asked for."""
    configure("json", stream=stream, level=level)

    logger().debug("a")
    logger().info("b")

    assert expected == [row["event"] for row in _rows(stream)]


def test_our_keys_cannot_be_taken(stream: io.StringIO) -> None:
    """A value called time or level does not pass for the line's own, and is not lost."""
    configure("json", stream=stream)

    logger().info("a", time="never", level="none", exception="odd")

    (row,) = _rows(stream)
    assert ["info", "a", "never", "none", "odd"] == list(row.values())[1:]
    assert ["time", "level", "event", "time_", "level_", "exception_"] == list(row)


def test_an_exception_is_text(stream: io.StringIO) -> None:
    """Its traceback stands in one value of one line."""
    configure("json", stream=stream)

    try:
        _fail()
    except ValueError:
        logger().exception("loop_died")

    (row,) = _rows(stream)
    assert ("error", "loop_died") == (row["level"], row["event"])
    assert str(row["exception"]).startswith("Traceback (most recent call last):\n")
    assert str(row["exception"]).endswith("ValueError: bad word")


@pytest.mark.parametrize("given_as", [lambda error: error, lambda error: (type(error), error, None)])
def test_an_exception_can_be_given(stream: io.StringIO, given_as: Callable[[Exception], object]) -> None:
    """Also outside of its handler, as a value."""
    configure("json", stream=stream)

    logger().error("loop_died", exc_info=given_as(ValueError("bad word")))

    (row,) = _rows(stream)
    assert "ValueError: bad word" == row["exception"]


_VALUES = st.text(st.characters()) | st.binary() | st.builds(ValueError, st.text(st.characters())) | st.datetimes()


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(event=st.text(st.characters()), values=st.dictionaries(st.text(st.characters()), _VALUES))
@pytest.mark.parametrize("form", ["json", "console"])
def test_every_line_is_a_line(form: str, event: str, values: dict[str, object]) -> None:
    """No text, bytes, date or exception breaks a line in two, and each JSON line is one object."""
    stream = io.StringIO()
    configure(form, stream=stream)
    values = {key: value for key, value in values.items() if key not in ("event", "self", "exc_info")}

    logger().info(event, **values)

    (line,) = stream.getvalue().removesuffix("\n").split("\n")
    if form == "json":
        assert isinstance(json.loads(line), dict)
    else:
        assert line.isprintable()


def test_a_library_s_warning_is_a_line(stream: io.StringIO) -> None:
    """What urllib3 says through the standard library has the same form; its chatter is left out."""
    configure("json", stream=stream)

    logging.getLogger("urllib3.connectionpool").info("Starting new connection")
    logging.getLogger("urllib3.connectionpool").warning("Retrying %s", "/apis")
    logging.getLogger("other").error("broken %d", "format")

    assert [
        ("warning", LIBRARY_WARNED, "urllib3.connectionpool", "Retrying /apis"),
        ("error", LIBRARY_WARNED, "other"),
    ] == [tuple(list(row.values())[1:])[: 4 - index] for index, row in enumerate(_rows(stream))]


def test_a_warning_of_python_is_a_line(stream: io.StringIO) -> None:
    """And does not stand between the lines as plain text."""
    configure("json", stream=stream)

    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(capture=False)
        logging.captureWarnings(capture=True)
        warnings.warn("old", DeprecationWarning, stacklevel=1)

    (row,) = _rows(stream)
    assert "py.warnings" == row["library"]


def test_configuring_again_replaces(stream: io.StringIO) -> None:
    """No line is written twice."""
    configure("json", stream=io.StringIO())
    configure("json", stream=stream)

    logging.getLogger("urllib3").warning("once")

    assert 1 == len(_rows(stream))


def test_a_terminal_gets_words() -> None:
    """On a terminal `auto` is for a person: time, level, event, key=value, and the traceback below."""
    leader, follower = pty.openpty()
    with os.fdopen(follower, "w") as stream:
        configure("auto", stream=stream)
        logger(image="nginx:1").error("image_failed", message="two words", exc_info=ValueError("\x1b[31mred"))
        shown = os.read(leader, 4096).decode()
    os.close(leader)

    first, second, rest = shown.split("\r\n")
    assert re.fullmatch(r'\S+Z error   image_failed image=nginx:1 message="two words"', first)
    assert r"ValueError: \x1b[31mred" == second
    assert "" == rest


def test_a_file_gets_json(tmp_path: Path) -> None:
    """`auto` is JSON wherever no person looks, in UTF-8 whatever the locale is."""
    with (tmp_path / "log").open("w", encoding="ascii") as stream:
        configure("auto", stream=stream)
        logger().info("a", word="g\u00e4ste \u62d2")

    assert "g\u00e4ste \u62d2" == json.loads((tmp_path / "log").read_bytes())["word"]


def test_a_console_that_lacks_a_character_gets_its_escape(tmp_path: Path) -> None:
    """A narrow locale loses no line."""
    with (tmp_path / "log").open("w", encoding="ascii") as stream:
        configure("console", stream=stream)
        logger().info("a", word="g\u00e4ste")

    assert b"word=g\\xe4ste\n" in (tmp_path / "log").read_bytes()


def test_a_reader_that_has_gone_ends_nothing(pipe: tuple[int, TextIO]) -> None:
    """EPIPE is no one's problem."""
    reader, stream = pipe
    configure("json", stream=stream)
    os.close(reader)

    for _ in range(3):
        logger().info("a")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_ends_nothing() -> None:
    """ENOSPC neither."""
    with Path("/dev/full").open("w", encoding="utf-8") as stream:
        configure("json", stream=stream)

        logger().info("a")


def test_a_closed_stream_ends_nothing(tmp_path: Path) -> None:
    """Nor does standard output that was closed before us or under us."""
    configure("json", stream=None)
    logger().info("a")

    stream = (tmp_path / "log").open("w", encoding="utf-8")
    stream.close()
    configure("auto", stream=stream)
    logger().info("a")


def test_a_reader_that_stands_still_holds_up_nobody(pipe: tuple[int, TextIO], monkeypatch: pytest.MonkeyPatch) -> None:
    """Once the pipe is full lines are dropped; when it is read again the next line says how many, and is whole."""
    monkeypatch.setattr(output, "STALL_SECONDS", 0.05)
    reader, stream = pipe
    configure("json", stream=stream)

    thread = threading.Thread(target=_write_many)
    thread.start()
    thread.join(timeout=10)
    is_held_up = thread.is_alive()
    taken = os.read(reader, 1 << 20)
    logger().info("b")
    taken += os.read(reader, 1 << 20)
    os.close(reader)

    assert not is_held_up
    *_, torn, last = taken.removesuffix(b"\n").split(b"\n")
    row = json.loads(last)
    assert "b" == row["event"]
    assert row["lines_lost"] > 0
    assert torn.startswith(b'{"time":')


def test_lines_of_many_threads_do_not_mix(tmp_path: Path) -> None:
    """Each line is whole."""
    with (tmp_path / "log").open("w", encoding="utf-8") as stream:
        configure("json", stream=stream)
        threads = [threading.Thread(target=_write_many) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    lines = (tmp_path / "log").read_text(encoding="utf-8").splitlines()
    assert 800 == len(lines)
    assert {6000} == {len(json.loads(line)["words"]) for line in lines}


def test_a_line_is_written_at_once(pipe: tuple[int, TextIO]) -> None:
    """Nothing waits in a buffer for a process that is killed."""
    reader, stream = pipe
    configure("json", stream=stream)

    logger().info("a")

    shown = until(lambda: os.read(reader, 4096), what="the line", timeout_seconds=5)
    os.close(reader)
    assert "a" == json.loads(shown)["event"]
