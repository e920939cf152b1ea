"""Sizes, durations and events as short words for people."""

from daemon.display.events import Event


_KIBI = 1024
_MINUTE = 60
_HOUR = 3600
_PRECISE_BELOW_SECONDS = 10


def size(count: float) -> str:
    """Write a number of bytes in binary units: 120.0 MiB."""
    if round(count) < _KIBI:
        return f"{count:.0f} B"
    amount = count / _KIBI
    for unit in ("KiB", "MiB", "GiB"):
        if round(amount, 1) < _KIBI:
            return f"{amount:.1f} {unit}"
        amount /= _KIBI
    return f"{amount:.1f} TiB"


def duration(seconds: float) -> str:
    """Write seconds as people say them: 0.4 s, 35 s, 3 min 20 s, 2 h 05 min."""
    if round(seconds, 1) < _PRECISE_BELOW_SECONDS:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < _MINUTE:
        return f"{whole} s"
    if whole < _HOUR:
        return f"{whole // _MINUTE} min {whole % _MINUTE:02d} s"
    return f"{whole // _HOUR} h {whole % _HOUR // _MINUTE:02d} min"


def progress(event: Event) -> str:
    """Say how far a pull is: bytes, rate and time left, or the layers unpacked."""
    if event.stage == "Unpacking" and event.layers_total:
        words = f"unpacking {event.layers_unpacked}/{event.layers_total} layers"
    elif event.bytes_total:
        words = f"{event.percent or 0}% {size(event.bytes_done)} of {size(event.bytes_total)}"
    else:
        words = "pulling"
    if event.bytes_per_second and event.stage != "Unpacking":
        words += f", {size(event.bytes_per_second)}/s"
    return words if event.eta_seconds is None else f"{words}, {_whole(event.eta_seconds)} left"


def _whole(seconds: int) -> str:
    """Write an estimate without decimals that it does not have."""
    return f"{seconds} s" if seconds < _MINUTE else duration(seconds)


def sentence(event: Event) -> str:
    """Say an event in one line; what a terminal would act on is escaped, for registries choose some of the words."""
    text = _sentence(event)
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def _sentence(event: Event) -> str:
    why = f"{event.reason}: {event.message}" if event.reason else event.message
    match event.event:
        case "pull_started":
            text = f"{event.image}: pulling{_attempt(event)}"
        case "pull_progressed":
            text = f"{event.image}: {progress(event)}"
        case "image_pulled":
            text = f"{event.image}: {_pulled(event)}"
        case "image_present":
            text = f"{event.image}: present{_digest(event)}"
        case "attempt_failed":
            text = f"{event.image}: attempt {event.attempt} of {event.attempts_allowed} failed{_retry(event)}: {why}"
        case "run_finished":
            text = event.message
        case "runtime_lost":
            text = "the runtime does not answer; waiting for it"
        case "runtime_found":
            text = "the runtime answers again"
        case _:
            text = _other(event, why)
    return text


def _other(event: Event, why: str) -> str:
    words = {
        "image_failed": "failed",
        "image_lost": "removed from the node; it will be pulled again",
        "image_withdrawn": "no longer wanted",
        "image_suspended": "suspended",
        "waiting_for_space": "waiting for space",
    }
    known = words.get(event.event, "")
    parts = [part for part in (event.image, known, why) if part]
    return ": ".join(parts)


def _pulled(event: Event) -> str:
    took = f" in {duration(event.seconds)}" if event.seconds is not None else ""
    if event.changed:
        return f"pulled{took}{_digest(event)}"
    return f"asked the registry{took}, unchanged{_digest(event)}"


def _digest(event: Event) -> str:
    return f", {event.digest}" if event.digest else ""


def _attempt(event: Event) -> str:
    return f" (attempt {event.attempt} of {event.attempts_allowed})" if event.attempt > 1 else ""


def _retry(event: Event) -> str:
    return f", again in {event.retry_in_seconds} s" if event.retry_in_seconds else ""
