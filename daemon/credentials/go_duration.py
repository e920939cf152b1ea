"""Durations as Go writes them (1h30m, 1.5h, 300ms), which is how the kubelet's plugin API gives them."""

import re


_UNIT_SECONDS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ns": 1e-9}
_PART = r"(?P<number>[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?P<unit>h|ms|m|us|µs|μs|ns|s)"
_PARTS = re.compile(_PART)
_DURATION = re.compile(
    rf"(?P<sign>[+-]?)(?P<parts>0|(?:{_PART.replace('?P<number>', '?:').replace('?P<unit>', '?:')})+)"
)
# Go counts nanoseconds in 64 bits.
_LONGEST_SECONDS = 2**63 / 1e9


def go_duration_seconds(text: str) -> float | None:
    """Return the seconds of a duration by the rules of Go's time.ParseDuration; None where Go would refuse it."""
    match = _DURATION.fullmatch(text)
    if not match:
        return None
    seconds = sum(float(part["number"]) * _UNIT_SECONDS[part["unit"]] for part in _PARTS.finditer(match["parts"]))
    if seconds >= _LONGEST_SECONDS:
        return None
    return -seconds if match["sign"] == "-" else seconds
