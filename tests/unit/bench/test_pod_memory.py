"""What Prewarm's Pods should ask for follows from what they have used."""

import pytest

from bench.pod_memory import Asked, Use, asked_of, follows


RESOURCES = {"requests": {"cpu": "10m", "memory": "48Mi"}, "limits": {"memory": "96Mi"}}


def test_what_is_asked_for_is_read_as_it_is_written() -> None:
    """Mebibytes, and thousandths of a core."""
    assert Asked(request_mib=48.0, limit_mib=96.0, cpu=10.0) == asked_of(RESOURCES)


def test_another_unit_is_refused() -> None:
    """1Gi would be read as 1 otherwise."""
    with pytest.raises(ValueError, match="1Gi is not in Mi"):
        asked_of({**RESOURCES, "limits": {"memory": "1Gi"}})


def test_memory_follows_from_the_most_and_the_processor_from_the_rest() -> None:
    """34.4 MiB and a tenth are 37.8, half as much again 51.6; both up to the next 8 MiB."""
    rest = Use(working_set_mib=32.1, anon_mib=28.1, cpu=1.7)
    pulling = Use(working_set_mib=34.4, anon_mib=28.4, cpu=11.5)

    assert Asked(request_mib=40.0, limit_mib=56.0, cpu=5.0) == follows(rest, pulling)
