"""
Whether another daemon writes the status that is this agent's: who, and until when that is said.

Pure. Two daemons on one node, ours and OpenKruise's say, need not harm it: each pull is the runtime's, which fetches
nothing twice, and clerk.py mends a foreign change at most each ten seconds. But it is never meant, so it is told. What
a coordinator or OpenKruise's manager writes in the place of a silent agent is no daemon's.
"""

from collections.abc import Mapping
from typing import Final

import msgspec

from daemon.agent.document import IMAGE_STATUSES, Parts
from daemon.cluster.metadata import Writing
from daemon.node.adoption import is_said_in_silence


QUIET_SECONDS: Final = 900.0
# As the API server notes who wrote: the user agent up to its slash.
OWN_NAME: Final = "prewarm-agent"
KRUISE_DAEMON: Final = "kruise-daemon"
_IN_OUR_PLACE: Final = frozenset({"prewarm-coordinator", "kruise-manager"})


class Rival(msgspec.Struct, frozen=True, kw_only=True):
    """
    Another writer of the status, and when its last change was seen.

    `name` is what the API server calls it, "" where it does not say. `is_certain`: it is OpenKruise's daemon by its
    name, or has changed the status more than once; anybody may do that one time.
    """

    name: str
    seen_seconds: float
    is_certain: bool


def writing_of(writings: tuple[Writing, ...]) -> Writing:
    """Tell who else wrote a status last and when, by no name where nobody has, or another process of our own name."""
    foreign = [each for each in writings if each.subresource == "status" and each.manager != OWN_NAME]
    return max(foreign, key=lambda each: each.time, default=Writing())


def is_known(name: str) -> bool:
    """Tell whether a name alone says that its writer serves this node too, whatever it wrote."""
    return name == KRUISE_DAEMON


def sighted(rival: Rival | None, *, name: str, now_seconds: float) -> Rival | None:
    """Take note that `name` has changed what this agent said."""
    if name in _IN_OUR_PLACE:
        return rival
    if rival is not None and is_over(rival, now_seconds=now_seconds):
        rival = None
    known = rival.name if rival else ""
    return Rival(name=name or known, seen_seconds=now_seconds, is_certain=rival is not None or is_known(name))


def is_over(rival: Rival, *, now_seconds: float) -> bool:
    """Tell whether it has been quiet for so long that it counts as gone."""
    return now_seconds >= rival.seen_seconds + QUIET_SECONDS


def standing(rival: Rival | None, *, now_seconds: float) -> Rival | None:
    """Return a rival that is to be told of, else None."""
    return rival if rival and rival.is_certain and not is_over(rival, now_seconds=now_seconds) else None


def words_of(rival: Rival | None) -> str:
    """Say it for a person, "" for none; the same for as long as it is the same one."""
    if rival is None:
        return ""
    name = rival.name or "another process"
    return f"{name} writes this status too: two daemons serve this node, and each says again what the other has changed"


def is_for_silence(observed: Parts, *, accepted: Parts) -> bool:
    """Tell whether a change says in this agent's place that it is silent."""
    changed = [value for part, value in observed.items() if part[0] == IMAGE_STATUSES and accepted.get(part) != value]
    return any(_is_silence(status) for value in changed for status in _tags(value))


def _tags(value: object) -> list[object]:
    tags = value.get("tags") if isinstance(value, Mapping) else None
    return tags if isinstance(tags, list) else []


def _is_silence(status: object) -> bool:
    if not isinstance(status, Mapping):
        return False
    return is_said_in_silence(reason=str(status.get("reason", "")), message=str(status.get("message", "")))
