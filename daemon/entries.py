"""
Pure: one job -> its tag entry on a node, when that is renewed, and when a failed round is tried again.

Used by `prewarm run` and by the coordinator. Reads no clock: every function is given `now`. Which nodes a job selects
is api/selector.py's, what a node does with an entry node/'s; how several owners share one entry is the coordinator's.
"""

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec

from daemon.api.fields import INT32_MAX
from daemon.api.imagepulljob import CompletionType, ImageListPullJob, ImagePullJob, Refresh
from daemon.api.nodeimage import EntryPrewarm, EntryPullPolicy, ImagePullPolicy, OwnerReference, TagEntry
from daemon.api.quantity import bytes_to_keep_free
from daemon.api.schedule import find_time_zone, latest_fire, next_fire
from daemon.images import parse_reference


NOT_AGAIN: Final = datetime.max.replace(tzinfo=UTC)
"""Later than any other time: there is no next renewal."""

_ANY_SIZE_BYTES: Final = 1 << 40
_RENEWAL: Final = timedelta(hours=24)
_RENEWAL_SPREAD_SECONDS: Final = 1_200
_FIRST_RETRY: Final = timedelta(minutes=1)
_LONGEST_RETRY: Final = timedelta(hours=1)

_NEVER_TTL_SECONDS: Final = 86_400
_NEVER_TTL_SPREAD_SECONDS: Final = 1_200
_NEVER_DEADLINE_SECONDS: Final = 1_800
_ALWAYS_EXTRA_TTL_SECONDS: Final = 300
_ALWAYS_TTL_SPREAD_SECONDS: Final = 300
_LONGEST_BACKOFF_SECONDS: Final = 30


def tag_entry(job: ImagePullJob, *, now: datetime, version: int, spread: float) -> tuple[str, TagEntry]:
    """
    Return the repository key and the tag entry that a job asks of a node.

    Args:
        job: a parsed job.
        now: becomes createdAt, in whole seconds as the API server keeps it.
        version: of the entry; the protocol's rule for it is the caller's.
        spread: a number in [0, 1) that scatters the entry's TTL, so that the entries of a job do not end at once.

    Raises:
        InvalidReference: the image is none; parsed jobs have one.

    """
    reference = parse_reference(job.image)
    template = job.template
    entry = TagEntry(
        tag=reference.tag_or_digest,
        created_at=now.replace(microsecond=0),
        version=version,
        image_pull_policy=template.image_pull_policy,
        owner_references=(_owner(job),),
        pull_policy=_pull_policy(job, spread=spread),
        prewarm=EntryPrewarm(
            priority=template.prewarm.priority,
            min_free=template.prewarm.min_free,
            suspended=template.prewarm.suspend,
        ),
    )
    return reference.repository, entry


def merged(entries: Sequence[TagEntry]) -> TagEntry:
    """
    Return one entry for the same image of several owners, the first of which names its tag, version and time.

    Timeouts, backoffLimit and priority are the largest, imagePullPolicy is Always if any says so, a bound that one
    owner does not have is none, and it is suspended when every owner is. Of several minFree in one unit the largest
    holds; a share and a size cannot be compared here, and the first holds. (OpenKruise keeps the first's: kruise#2221.)
    """
    if len(entries) == 1:
        return entries[0]
    policies = [entry.pull_policy for entry in entries]
    additions = [entry.prewarm for entry in entries]
    is_always = any(entry.image_pull_policy is ImagePullPolicy.ALWAYS for entry in entries)
    return msgspec.structs.replace(
        entries[0],
        image_pull_policy=ImagePullPolicy.ALWAYS if is_always else ImagePullPolicy.IF_NOT_PRESENT,
        owner_references=tuple(dict.fromkeys(owner for entry in entries for owner in entry.owner_references)),
        pull_policy=EntryPullPolicy(
            timeout_seconds=max(policy.timeout_seconds for policy in policies),
            backoff_limit=max(policy.backoff_limit for policy in policies),
            ttl_seconds_after_finished=_longest([policy.ttl_seconds_after_finished for policy in policies]),
            active_deadline_seconds=_longest([policy.active_deadline_seconds for policy in policies]),
        ),
        prewarm=EntryPrewarm(
            priority=max(addition.priority for addition in additions),
            min_free=_largest_floor([addition.min_free for addition in additions if addition.min_free]),
            suspended=all(addition.suspended for addition in additions),
        ),
    )


def _largest_floor(floors: Sequence[str]) -> str | None:
    same = [floor for floor in floors if floor.endswith("%") == floors[0].endswith("%")]
    return max(same, key=lambda floor: bytes_to_keep_free(floor, total_bytes=_ANY_SIZE_BYTES), default=None)


def _longest(bounds: Sequence[int | None]) -> int | None:
    given = [bound for bound in bounds if bound is not None]
    return max(given) if len(given) == len(bounds) else None


def jobs_of_list(images: ImageListPullJob) -> tuple[ImagePullJob, ...]:
    """
    Return one job for each listed image, in the list's order and with its template, named LIST-0, LIST-1 and so on.

    For a run without an API server: there is no uid, since nothing has given one. listParallelism stays the list's.
    """
    own = msgspec.structs.replace(images.template.prewarm, list_parallelism=None)
    template = msgspec.structs.replace(images.template, prewarm=own)
    return tuple(
        ImagePullJob(
            api_version=images.api_version,
            name=f"{images.name}-{index}",
            namespace=images.namespace,
            generation=images.generation,
            image=image,
            template=template,
        )
        for index, image in enumerate(images.images)
    )


def next_renewal(job: ImagePullJob, *, last: datetime, now: datetime, node: str) -> datetime:
    """
    Return when a node's image is due for renewal; not later than `now` means at once.

    Without a schedule it is due 24 h after `last`, give or take 10 min by the node's place, so that nodes which were
    granted together do not stay together. With one it is due at the first fire after `last`, plus the node's place in
    the spread. A fire that was missed is made up for, unless startingDeadlineSeconds have gone by since; the next one
    counts then. `at` makes every node due that was granted before it. The answer for a `now` that is earlier than the
    answer stays the same as time goes on.

    Args:
        job: an Always job is never renewed: NOT_AGAIN.
        last: when the node's last success was granted.
        now: this moment.
        node: the node's name, which alone decides its place: the same for all jobs.

    """
    if job.template.completion_policy.type is not CompletionType.NEVER:
        return NOT_AGAIN
    refresh = job.template.prewarm.refresh or Refresh()
    is_daily = refresh.schedule is None
    due = _daily(last, node=node) if is_daily else _scheduled(refresh, last=last, now=now, node=node)
    return min(due, refresh.at) if refresh.at is not None and last < refresh.at else due


def place_in_spread(node: str, *, spread_seconds: int) -> timedelta:
    """Return how long after a fire a node begins: 0 to spread_seconds, always the same for one node."""
    digest = hashlib.blake2b(node.encode(errors="surrogatepass"), digest_size=8).digest()
    return timedelta(seconds=int.from_bytes(digest) * spread_seconds // 2**64)


def next_round(*, failures: int, permanent: bool, failed_at: datetime) -> datetime:
    """
    Return when a node of a Never job that has failed gets its next round.

    One minute after the first failure, doubling to one hour; hourly at once where asking again won't change the answer.

    Args:
        failures: rounds that failed in a row, from 1.
        permanent: whether the reason is one of those (no such platform, invalid reference, refused by policy).
        failed_at: when the last round failed.

    """
    if permanent:
        return failed_at + _LONGEST_RETRY
    doublings = min(max(failures - 1, 0), 6)
    return failed_at + min(_FIRST_RETRY * (1 << doublings), _LONGEST_RETRY)


def _owner(job: ImagePullJob) -> OwnerReference:
    return OwnerReference(
        api_version=job.api_version, kind="ImagePullJob", namespace=job.namespace, name=job.name, uid=job.uid
    )


def _pull_policy(job: ImagePullJob, *, spread: float) -> EntryPullPolicy:
    policy = job.template.pull_policy
    is_never = job.template.completion_policy.type is CompletionType.NEVER
    return EntryPullPolicy(
        timeout_seconds=policy.timeout_seconds,
        backoff_limit=policy.backoff_limit,
        ttl_seconds_after_finished=_never_ttl(spread) if is_never else _always_ttl(job, spread=spread),
        active_deadline_seconds=_never_deadline(job) if is_never else _always_deadline(job),
    )


def _never_ttl(spread: float) -> int:
    # OpenKruise's manager renews by letting the entry expire; ours renews in place and ignores this for a living owner.
    return _NEVER_TTL_SECONDS - _NEVER_TTL_SPREAD_SECONDS // 2 + int(spread * _NEVER_TTL_SPREAD_SECONDS)


def _always_ttl(job: ImagePullJob, *, spread: float) -> int:
    completion, pull = job.template.completion_policy, job.template.pull_policy
    candidates = (completion.ttl_seconds_after_finished, completion.active_deadline_seconds)
    base = next((seconds for seconds in candidates if seconds is not None), pull.timeout_seconds * pull.backoff_limit)
    # The field is an int32, and a product of two of them is not (openkruise.io's own arithmetic overflows).
    return min(base + _ALWAYS_EXTRA_TTL_SECONDS + int(spread * _ALWAYS_TTL_SPREAD_SECONDS), INT32_MAX)


def _never_deadline(job: ImagePullJob) -> int:
    # Every attempt may take its timeout and every retry the longest backoff (openkruise/kruise#2071).
    pull = job.template.pull_policy
    attempts = (pull.backoff_limit + 1) * pull.timeout_seconds
    return max(_NEVER_DEADLINE_SECONDS, attempts + pull.backoff_limit * _LONGEST_BACKOFF_SECONDS)


def _always_deadline(job: ImagePullJob) -> int | None:
    return job.template.completion_policy.active_deadline_seconds


def _daily(last: datetime, *, node: str) -> datetime:
    place = place_in_spread(node, spread_seconds=_RENEWAL_SPREAD_SECONDS)
    return last + _RENEWAL + place - timedelta(seconds=_RENEWAL_SPREAD_SECONDS // 2)


def _scheduled(refresh: Refresh, *, last: datetime, now: datetime, node: str) -> datetime:
    """Count fires on a clock that is late by the node's place, so that dense schedules can't outrun the spread."""
    schedule, zone = refresh.schedule or "", find_time_zone(refresh.time_zone)
    place = place_in_spread(node, spread_seconds=refresh.spread_seconds or 0)
    missed = latest_fire(schedule, zone=zone, until=now - place)
    if missed is not None and missed > last and _may_still_start(refresh, fire=missed, now=now):
        return missed + place
    coming = next_fire(schedule, zone=zone, after=max(last, now - place))
    return NOT_AGAIN if coming is None else coming + place


def _may_still_start(refresh: Refresh, *, fire: datetime, now: datetime) -> bool:
    deadline = refresh.starting_deadline_seconds
    return deadline is None or now <= fire + timedelta(seconds=deadline)
