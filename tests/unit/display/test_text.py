"""Sizes, durations and events as words."""

from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.display.events import Event
from daemon.display.text import duration, progress, sentence, size


NOW = datetime(2026, 1, 31, 2, tzinfo=UTC)


def _event(name: str, **fields: object) -> Event:
    return msgspec.convert({"time": NOW, "event": name, "image": "registry.example/app:v1", **fields}, Event)


@pytest.mark.parametrize(
    ("count", "expected"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1023.6, "1.0 KiB"),
        (1024, "1.0 KiB"),
        (1536, "1.5 KiB"),
        (1024**2 - 1, "1.0 MiB"),
        (120 * 1024**2, "120.0 MiB"),
        (1024**3 - 1, "1.0 GiB"),
        (1024**4 - 1, "1.0 TiB"),
        (5000 * 1024**4, "5000.0 TiB"),
    ],
)
def test_sizes(count: float, expected: str) -> None:
    """In binary units with one digit, never 1024 of one."""
    assert expected == size(count)


@given(count=st.floats(min_value=0, max_value=2.0**60))
def test_no_size_is_1024_of_a_unit(count: float) -> None:
    """Rounding never carries a number beyond its unit."""
    number, unit = size(count).split()

    assert unit == "TiB" or float(number) < 1024


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0, "0.0 s"),
        (0.44, "0.4 s"),
        (9.94, "9.9 s"),
        (9.96, "10 s"),
        (35.4, "35 s"),
        (59.4, "59 s"),
        (59.6, "1 min 00 s"),
        (200, "3 min 20 s"),
        (3599.4, "59 min 59 s"),
        (3599.6, "1 h 00 min"),
        (7500, "2 h 05 min"),
        (360000, "100 h 00 min"),
    ],
)
def test_durations(seconds: float, expected: str) -> None:
    """As people say them, and never 60 of a unit."""
    assert expected == duration(seconds)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, "pulling"),
        ({"percent": 25, "bytes_done": 1024, "bytes_total": 4096}, "25% 1.0 KiB of 4.0 KiB"),
        (
            {"percent": 25, "bytes_done": 1024, "bytes_total": 4096, "bytes_per_second": 1024, "eta_seconds": 3},
            "25% 1.0 KiB of 4.0 KiB, 1.0 KiB/s, 3 s left",
        ),
        (
            {"stage": "Unpacking", "layers_unpacked": 1, "layers_total": 3, "bytes_total": 9, "bytes_per_second": 5},
            "unpacking 1/3 layers",
        ),
        (
            {"stage": "Unpacking", "layers_unpacked": 2, "layers_total": 3, "eta_seconds": 70},
            "unpacking 2/3 layers, 1 min 10 s left",
        ),
    ],
)
def test_progress_in_words(fields: dict[str, object], expected: str) -> None:
    """Bytes, rate and time left while it downloads; layers while it unpacks; never an invented percentage."""
    assert expected == progress(_event("pull_progressed", **fields))


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (_event("pull_started", attempt=1, attempts_allowed=4), "registry.example/app:v1: pulling"),
        (_event("pull_started", attempt=2, attempts_allowed=4), "registry.example/app:v1: pulling (attempt 2 of 4)"),
        (_event("pull_progressed"), "registry.example/app:v1: pulling"),
        (
            _event("image_pulled", changed=True, seconds=12.5, digest="sha256:1"),
            "registry.example/app:v1: pulled in 12 s, sha256:1",
        ),
        (
            _event("image_pulled", changed=False, seconds=0.5, digest="sha256:1"),
            "registry.example/app:v1: asked the registry in 0.5 s, unchanged, sha256:1",
        ),
        (_event("image_present", digest="sha256:1"), "registry.example/app:v1: present, sha256:1"),
        (
            _event(
                "attempt_failed",
                attempt=1,
                attempts_allowed=4,
                reason="Unauthorized",
                message="401",
                retry_in_seconds=3,
            ),
            "registry.example/app:v1: attempt 1 of 4 failed, again in 3 s: Unauthorized: 401",
        ),
        (
            _event("attempt_failed", attempt=2, attempts_allowed=4, reason="RegistryThrottled", message="429"),
            "registry.example/app:v1: attempt 2 of 4 failed: RegistryThrottled: 429",
        ),
        (
            _event("image_failed", reason="ImageNotFound", message="no such tag"),
            "registry.example/app:v1: failed: ImageNotFound: no such tag",
        ),
        (_event("image_lost"), "registry.example/app:v1: removed from the node; it will be pulled again"),
        (
            _event("image_lost", reason="EvictionLoop", message="3 times"),
            "registry.example/app:v1: removed from the node; it will be pulled again: EvictionLoop: 3 times",
        ),
        (_event("image_withdrawn"), "registry.example/app:v1: no longer wanted"),
        (_event("image_suspended"), "registry.example/app:v1: suspended"),
        (
            _event("waiting_for_space", reason="DiskLow", message="1.00 GiB free"),
            "registry.example/app:v1: waiting for space: DiskLow: 1.00 GiB free",
        ),
        (Event(time=NOW, event="runtime_lost"), "the runtime does not answer; waiting for it"),
        (Event(time=NOW, event="runtime_found"), "the runtime answers again"),
        (Event(time=NOW, event="notice", message="default/a: passed over"), "default/a: passed over"),
        (Event(time=NOW, event="run_finished", message="1 image is there"), "1 image is there"),
    ],
    ids=lambda value: value.event if isinstance(value, Event) else "",
)
def test_sentences(event: Event, expected: str) -> None:
    """Each event is one line that a person understands without the others."""
    assert expected == sentence(event)


@given(message=st.text())
def test_a_sentence_is_one_line_that_no_terminal_acts_on(message: str) -> None:
    """A registry chooses some of the words; it can neither forge a line nor send an escape sequence."""
    assert sentence(_event("image_failed", reason="PullFailed", message=message)).isprintable()
