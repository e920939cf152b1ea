"""
When a node's status is written, and with which operations: pacing, foreign writers, refusals, retries.

Pure: what is known in, a time or a patch out. What a status says is document.py's; asking the API server, writer.py's.
The server's answer is what counts as written, never what was sent: a server whose schema does not know our fields
prunes them, and comparing with what was sent would write for ever.
"""

from collections.abc import Sequence
from typing import Final

import msgspec
from msgspec.structs import replace

from daemon.agent import rival
from daemon.agent.document import IMAGE_STATUSES, Part, Parts, foreign_conditions, parts_of
from daemon.agent.rival import Rival
from daemon.cluster.interface import Operation, Resource
from daemon.cluster.metadata import metadata_of, writings_of
from daemon.cluster.patches import guard, pointer
from daemon.node.report import Pacing, Report, due_seconds, noted, wrote


# A first report that waits for the runtime's name waits no longer than this.
FIRST_REPORT_SECONDS: Final = 2.0
MEND_AGAIN_SECONDS: Final = 10.0
REFUSED_SECONDS: Final = 60.0
LAST_RETRY_SECONDS: Final = 0.5
UNANSWERED: Final = 4


class Observed(msgspec.Struct, frozen=True, kw_only=True):
    """
    A NodeImage as the API server has it: whose it is, of which version, and its status.

    `writer` is who else wrote its status last, and `writer_time` when, "" where that is not told.
    """

    uid: str
    resource_version: str
    status: object = None
    writer: str = ""
    writer_time: str = ""

    @property
    def parts(self) -> Parts:
        """The status in parts, as far as it is ours."""
        return parts_of(self.status)


class Written(msgspec.Struct, frozen=True, kw_only=True):
    """What was last said of an object, and what the server has made of each part when that was sent."""

    sent: Parts
    accepted: Parts


class Clerk(msgspec.Struct, frozen=True, kw_only=True):
    """
    Everything that decides about the next write.

    `observed` is the newest state of the object, None where there is none. `is_contested`: another writer has changed
    what we said, `rival` who that may be. `unanswered`: the last writes of ours that may have been done all the same.
    `failures` counts the writes that failed in a row.
    """

    report: Report = Report()
    pacing: Pacing = Pacing()
    observed: Observed | None = None
    observed_seconds: float = 0.0
    written: Written | None = None
    is_contested: bool = False
    rival: Rival | None = None
    unanswered: tuple[Parts, ...] = ()
    mended_seconds: float = float("-inf")
    not_before_seconds: float = float("-inf")
    failures: int = 0


def reported(clerk: Clerk, report: Report, *, now_seconds: float) -> Clerk:
    """Take over what the node has to say now."""
    return replace(clerk, report=report, pacing=noted(clerk.pacing, report, now_seconds=now_seconds))


def saw(clerk: Clerk, observed: Observed | None, *, now_seconds: float) -> Clerk:
    """
    Take over the object as a watch or a read told it; None: there is none.

    Of another uid nothing has been written yet, nor refused. What is older than the answer to our own write says
    nothing.
    """
    if observed is None or clerk.observed is None or clerk.observed.uid != observed.uid:
        fresh = Clerk(report=clerk.report, observed=observed, observed_seconds=now_seconds)
        return replace(fresh, mended_seconds=clerk.mended_seconds, rival=clerk.rival)
    if _is_older(observed, clerk.observed):
        return clerk
    observed = _with_time(observed, clerk.observed)
    is_contested = clerk.written is not None and observed.parts != clerk.written.accepted
    is_news = is_contested and observed.parts != clerk.observed.parts
    find = _sighted if is_news else _told
    found = find(clerk, observed, now_seconds=now_seconds)
    return replace(clerk, observed=observed, is_contested=is_contested, rival=found)


def other_daemon(clerk: Clerk, *, now_seconds: float) -> Rival | None:
    """Return another daemon that writes this status, None where none is known."""
    return rival.standing(clerk.rival, now_seconds=now_seconds)


def _sighted(clerk: Clerk, observed: Observed, *, now_seconds: float) -> Rival | None:
    if clerk.written is not None and rival.is_for_silence(observed.parts, accepted=clerk.written.accepted):
        return clerk.rival
    if _is_unanswered(clerk, observed.parts):
        return clerk.rival
    return rival.sighted(clerk.rival, name=observed.writer, now_seconds=now_seconds)


def _is_unanswered(clerk: Clerk, seen: Parts) -> bool:
    """Tell whether a change is a write of ours that was done and whose answer was lost."""
    accepted = clerk.written.accepted if clerk.written is not None else {}
    changed = {part for part in {*seen, *accepted} if seen.get(part) != accepted.get(part)}
    return any(all(seen.get(part) == sent.get(part) for part in changed) for sent in clerk.unanswered)


def _told(clerk: Clerk, observed: Observed, *, now_seconds: float) -> Rival | None:
    """Notice one by its name alone, whose words were ours or that ours have replaced; else add a name not told yet."""
    found, earlier = clerk.rival, clerk.observed
    # RFC 3339 in UTC: later is greater. What another wrote since may be gone from the fields, and leave an older name.
    if rival.is_known(observed.writer) and earlier is not None and observed.writer_time > earlier.writer_time:
        return rival.sighted(found, name=observed.writer, now_seconds=now_seconds)
    return replace(found, name=observed.writer) if found and not found.name and observed.writer else found


def due(clerk: Clerk) -> float | None:
    """Tell when to write next, in seconds of the clock; None while there is nothing to write, or nowhere."""
    if clerk.observed is None or clerk.report.uid != clerk.observed.uid:
        return None
    reasons = [at for at in (_first(clerk), _news(clerk), _mend(clerk), _quiet(clerk)) if at is not None]
    return max(min(reasons), clerk.not_before_seconds) if reasons else None


def has_unwritten(clerk: Clerk) -> bool:
    """Tell whether the newest report, or its progress, is still to be written, and can be."""
    if clerk.observed is None or clerk.report.uid != clerk.observed.uid:
        return False
    return clerk.written is None or clerk.pacing.written != clerk.report


def _first(clerk: Clerk) -> float | None:
    """Say at once who serves the node, with the runtime's name where that is soon known."""
    if clerk.written is not None:
        return None
    is_known = clerk.report.runtime or not clerk.report.is_runtime_up
    return clerk.observed_seconds + (0.0 if is_known else FIRST_REPORT_SECONDS)


def _news(clerk: Clerk) -> float | None:
    return due_seconds(clerk.pacing, clerk.report) if clerk.written else None


def _mend(clerk: Clerk) -> float | None:
    """Mend a foreign change at once, but not more often than each ten seconds: two daemons must not fight."""
    return clerk.mended_seconds + MEND_AGAIN_SECONDS if clerk.is_contested else None


def _quiet(clerk: Clerk) -> float | None:
    """Say it when nobody else has written for long."""
    is_told = clerk.rival is not None and clerk.rival.is_certain
    return clerk.rival.seen_seconds + rival.QUIET_SECONDS if clerk.rival and is_told else None


def sending(clerk: Clerk, sent: Parts) -> Clerk:
    """Note a write before it goes out: where no answer comes, it may have been done."""
    return replace(clerk, unanswered=(*clerk.unanswered, sent)[-UNANSWERED:])


def wrote_status(clerk: Clerk, report: Report, *, sent: Parts, answer: Observed, now_seconds: float) -> Clerk:
    """
    Note a write that succeeded; the report may be older than the newest, which then differs from it.

    A part that was left out and is another in the answer has been changed by others before the watch could tell.
    """
    accepted = _accepted(clerk, sent=sent, answer=answer)
    answer = _with_time(answer, clerk.observed)
    pacing = noted(wrote(report, now_seconds=now_seconds), clerk.report, now_seconds=now_seconds)
    mended_seconds = now_seconds if clerk.is_contested else clerk.mended_seconds
    done = replace(clerk, pacing=pacing, observed=answer, written=Written(sent=sent, accepted=accepted))
    settled = replace(done, is_contested=answer.parts != accepted, mended_seconds=mended_seconds, failures=0)
    found = clerk.rival if clerk.rival and not rival.is_over(clerk.rival, now_seconds=now_seconds) else None
    if settled.is_contested:
        found = _sighted(settled, answer, now_seconds=now_seconds)
    unanswered = tuple(one for one in clerk.unanswered if one is not sent)
    return replace(settled, not_before_seconds=float("-inf"), rival=found, unanswered=unanswered)


def _accepted(clerk: Clerk, *, sent: Parts, answer: Observed) -> Parts:
    """Take the answer for what was set or removed, and what stood there before for the rest."""
    base = clerk.observed.parts if clerk.observed else {}
    set_parts, gone = _steps(clerk, sent)
    touched = {*set_parts, *gone}
    kept = {part: value for part, value in base.items() if part not in touched}
    return kept | {part: value for part, value in answer.parts.items() if part in touched}


def failed(clerk: Clerk, *, wait_seconds: float, now_seconds: float) -> Clerk:
    """Note a write that did not get through, and leave the server alone for a while."""
    return replace(clerk, failures=clerk.failures + 1, not_before_seconds=now_seconds + wait_seconds)


def operations(clerk: Clerk, desired: Parts) -> tuple[Operation, ...]:
    """
    Return the JSON Patch that makes the observed status say what is desired, guarded by the object's uid.

    A part is left out when it stands there already, or when it was sent before and the server has made of it what
    still stands there (it pruned something): sending it again would change nothing.
    """
    if clerk.observed is None:
        return ()
    changed, gone = _steps(clerk, desired)
    return (
        *guard(uid=clerk.observed.uid),
        *_parents(clerk.observed.status, changed),
        *(Operation(op="remove", path=pointer("status", *part)) for part in gone),
        *(_set(part, value, clerk.observed.status) for part, value in changed.items()),
    )


def _steps(clerk: Clerk, desired: Parts) -> tuple[Parts, list[Part]]:
    """Tell which parts a patch has to set, and which to remove."""
    base = clerk.observed.parts if clerk.observed else {}
    changed = {part: value for part, value in desired.items() if not _stands(part, value, clerk=clerk, base=base)}
    return changed, [part for part in base if part[0] == IMAGE_STATUSES and part not in desired]


def _stands(part: Part, value: object, *, clerk: Clerk, base: Parts) -> bool:
    if part in base and base[part] == value:
        return True
    written = clerk.written
    is_sent = written is not None and written.sent.get(part) == value
    return is_sent and written is not None and written.accepted.get(part) == base.get(part)


def _set(part: Part, value: object, status: object) -> Operation:
    if part == ("conditions",) and isinstance(value, list):
        value = [*foreign_conditions(status), *value]
    return Operation(op="add", path=pointer("status", *part), value=value)


def _parents(status: object, changed: Parts) -> tuple[Operation, ...]:
    """Make the maps that a part needs above it, where they are absent."""
    needed: list[Sequence[str]] = [("status",)] if not isinstance(status, dict) else []
    images = status.get(IMAGE_STATUSES) if isinstance(status, dict) else None
    if not isinstance(images, dict) and any(part[0] == IMAGE_STATUSES for part in changed):
        needed.append(("status", IMAGE_STATUSES))
    return tuple(Operation(op="add", path=pointer(*path), value={}) for path in needed)


def observed_of(resource: Resource) -> Observed:
    """Read what a NodeImage says of itself from its JSON."""
    metadata = metadata_of(resource)
    writing = rival.writing_of(writings_of(resource))
    return Observed(
        uid=str(metadata.get("uid", "")),
        resource_version=str(metadata.get("resourceVersion", "")),
        status=resource.get("status"),
        writer=writing.manager,
        writer_time=writing.time,
    )


def _with_time(observed: Observed, earlier: Observed | None) -> Observed:
    """Keep when another wrote last where that is not told: an answer to a request does not tell it, a watch does."""
    return replace(observed, writer_time=earlier.writer_time) if earlier and not observed.writer_time else observed


def _is_older(one: Observed, other: Observed) -> bool:
    """Compare versions as the numbers that they are in practice; ones that are none count as newer."""
    versions = one.resource_version, other.resource_version
    return all(version.isdecimal() for version in versions) and int(versions[0]) < int(versions[1])
