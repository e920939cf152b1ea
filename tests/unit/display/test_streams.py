"""Events in a pipe or a log: complete, flushed, and progress no more often than a person wants it."""

import io
import json
import os
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from daemon.display.events import Event
from daemon.display.output import OutputLost
from daemon.display.streams import JsonLines, PlainLines


START = datetime(2026, 1, 31, 2, tzinfo=UTC)


def _progress(seconds: float, percent: int, *, image: str = "a", stage: str = "Downloading") -> Event:
    at = START + timedelta(seconds=seconds)
    return Event(time=at, event="pull_progressed", image=image, percent=percent, bytes_total=100, stage=stage)


def _written(events: Sequence[Event]) -> list[dict[str, object]]:
    stream = io.StringIO()
    display = JsonLines(stream)
    for event in events:
        display.show(event)
    display.close()
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def _percents(events: Sequence[Event]) -> list[object]:
    return [line.get("percent") for line in _written(events)]


def test_an_event_is_one_json_object_a_line_without_what_is_unknown() -> None:
    """Time in RFC 3339, defaults left out, words as they are."""
    event = Event(time=START, event="image_failed", image="a", reason="PullFailed", message="line\nbreak \u2603")

    (line,) = _written([event])

    expected = {
        "time": "2026-01-31T02:00:00Z",
        "event": "image_failed",
        "image": "a",
        "reason": "PullFailed",
        "message": "line\nbreak \u2603",
    }
    assert expected == line


def test_zero_and_false_are_told_where_they_mean_something() -> None:
    """No failure is a number too, and unchanged is an answer."""
    (line,) = _written([Event(time=START, event="run_finished", succeeded=1, failed=0, changed=False, percent=0)])

    assert (0, False, 0) == (line["failed"], line["changed"], line["percent"])


def test_progress_is_told_at_each_five_percent() -> None:
    """The first, then each step of five."""
    assert [0, 5, 11] == _percents([_progress(0.1 * percent, percent) for percent in (0, 1, 4, 5, 9, 11, 15)])


def test_progress_is_told_each_five_seconds_however_little_it_is() -> None:
    """A slow pull shows that it lives."""
    assert [0, 1, 2] == _percents(
        [_progress(0, 0), _progress(4.9, 0), _progress(5, 1), _progress(9, 1), _progress(10, 2)]
    )


def test_a_new_stage_is_told_at_once() -> None:
    """Unpacking begins at 99 % and may take as long as the download."""
    assert [99, 99] == _percents([_progress(0, 99), _progress(0.1, 99, stage="Unpacking"), _progress(0.2, 99)][:2])


def test_images_are_thinned_apart() -> None:
    """One image's progress never hides another's."""
    events = [_progress(0, 3), _progress(0.1, 3, image="b"), _progress(0.2, 4), _progress(0.3, 4, image="b")]

    assert ["a", "b"] == [line["image"] for line in _written(events)]


def test_a_new_attempt_is_told_from_its_first_progress() -> None:
    """It may begin below where the last one ended."""
    failed = Event(time=START + timedelta(seconds=1), event="attempt_failed", image="a")

    assert [80, None, 10] == _percents([_progress(0, 80), failed, _progress(2, 10)])


def test_plain_lines_are_sentences_thinned_alike() -> None:
    """One line an event."""
    stream = io.StringIO()
    display = PlainLines(stream)

    for event in (_progress(0, 1), _progress(0.1, 2), Event(time=START, event="run_finished", message="done")):
        display.show(event)
    display.close()

    assert ["a: 1% 0 B of 100 B", "done"] == stream.getvalue().splitlines()


class _Flushes(io.StringIO):
    def __init__(self) -> None:
        super().__init__()
        self.flushed = ""

    def flush(self) -> None:
        self.flushed = self.getvalue()


def test_each_line_is_flushed() -> None:
    """A reader of the pipe sees an event when it happens."""
    stream = _Flushes()

    for display in (JsonLines(stream), PlainLines(stream)):
        display.show(Event(time=START, event="runtime_found"))
        assert stream.flushed == stream.getvalue()


def test_every_field_of_an_event_has_a_json_form() -> None:
    """Whatever an event holds can be written."""
    fields = {name: _some(kind) for name, kind in Event.__annotations__.items()}
    full = msgspec.convert({**fields, "time": START, "event": "pull_progressed"}, Event)

    (line,) = _written([full])

    assert set(msgspec.structs.asdict(full)) == set(line)


def _some(kind: object) -> object:
    text = str(kind)
    return True if "bool" in text else "x" if "str" in text else 7


@pytest.mark.parametrize("display", [JsonLines, PlainLines])
def test_a_stream_that_takes_no_more_is_lost_with_a_reason(display: type[JsonLines] | type[PlainLines]) -> None:
    """A full disk ends the showing in words."""
    with Path("/dev/full").open("w") as full:
        shown = display(full)

        with pytest.raises(OutputLost, match="No space left on device"):
            shown.show(Event(time=START, event="notice", message="x"))

        os.dup2(os.open(os.devnull, os.O_WRONLY), full.fileno())
