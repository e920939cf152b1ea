"""The command: find the runtime, list our leases there, remove them, and say what came of it."""

import sys
from collections.abc import Sequence
from typing import Final

import msgspec

from daemon.cleaning.processes import processes
from daemon.cleaning.words import line_of, result, trial, warnings_of
from daemon.config import CleanSettings
from daemon.runtime.detection import Refused, detect
from daemon.runtime.errors import CriError, RuntimeDown
from daemon.runtime.interface import RuntimeVersion
from daemon.runtime.leftovers import Leftover, Leftovers, leftovers_at


DONE: Final = 0
NOT_ALL: Final = 1
NO_RUNTIME: Final = 3
_WITH_LEASES: Final = "containerd"


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """A runtime that answers, and where."""

    endpoint: str
    version: RuntimeVersion


def clean(settings: CleanSettings) -> int:
    """
    Remove the leases of ours from this node's runtime, or with a trial only say which there are.

    Returns the exit code: 0 nothing of ours is left (or was asked to go), 1 some could not be removed, 3 no runtime
    answers.
    """
    place = _place(settings.runtime_endpoint)
    if place is None:
        return NO_RUNTIME
    print(f"{place.version} at {place.endpoint}")
    if place.version.name != _WITH_LEASES:
        print(f"nothing to do: Prewarm keeps nothing in {place.version.name}, only in containerd")
        return DONE
    try:
        with leftovers_at(place.endpoint) as leftovers:
            return _clean(leftovers, is_trial=settings.is_trial)
    except CriError as error:
        _complain(f"{place.endpoint}: {error.message}")
        return NO_RUNTIME


def _place(endpoint: str) -> Place | None:
    found = detect(endpoint)
    if found.runtime is None or found.version is None:
        _complain(f"no container runtime answers:\n{_where(found.refused)}\ngive its socket with --runtime-endpoint")
        return None
    place = Place(endpoint=found.runtime.endpoint, version=found.version)
    found.runtime.close()
    return place


def _clean(leftovers: Leftovers, *, is_trial: bool) -> int:
    for words in warnings_of(processes()):
        _complain(words)
    found = leftovers.found()
    if not found:
        print("nothing to do: there is no lease of Prewarm's")
        return DONE
    kept = {one for each in found for one in each.kept}
    before = leftovers.sizes(kept)
    for each in found:
        print(line_of(each, sizes=before))
    if is_trial:
        print(trial(found, sizes=before))
        return DONE
    removed = _remove(leftovers, found)
    print(result(removed, before=before, after=leftovers.sizes(kept)))
    return DONE if removed == len(found) else NOT_ALL


def _remove(leftovers: Leftovers, found: Sequence[Leftover]) -> int:
    """
    Remove each, the last one awaited: one garbage collection does for all. Return how many went.

    Raises:
        RuntimeDown: the runtime went away.
    """
    removed = 0
    for place, each in enumerate(found, start=1):
        try:
            leftovers.remove(each.lease_id, is_awaited=place == len(found))
        except RuntimeDown:
            raise
        except CriError as error:
            _complain(f"{each.lease_id} could not be removed: {error.message}; try again")
        else:
            removed += 1
    return removed


def _where(refused: Sequence[Refused]) -> str:
    return "\n".join(f"  {one.endpoint}: {one.why}" for one in refused)


def _complain(words: str) -> None:
    print(f"prewarm: {words}", file=sys.stderr)
