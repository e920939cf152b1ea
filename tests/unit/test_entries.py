"""One job -> its tag entry, its renewal, its next round; in virtual time."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.api.fields import INT32_MAX, INT64_MAX
from daemon.api.imagepulljob import (
    CompletionPolicy,
    CompletionType,
    ImageListPullJob,
    ImagePullJob,
    JobPrewarm,
    JobTemplate,
    PullPolicy,
    Refresh,
)
from daemon.api.nodeimage import EntryPrewarm, EntryPullPolicy, ImagePullPolicy, OwnerReference, TagEntry
from daemon.entries import NOT_AGAIN, jobs_of_list, merged, next_renewal, next_round, place_in_spread, tag_entry
from tests.unit.api.strategies import jobs, names, refreshes, tag_entries, zones


NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
# Node n's place in the twenty minutes around 24 hours.
RENEWAL = DAY - timedelta(minutes=10) + place_in_spread("n", spread_seconds=1200)


def _job(template: JobTemplate | None = None, *, image: str = "nginx") -> ImagePullJob:
    return ImagePullJob(
        api_version="apps.kruise.io/v1beta1",
        name="warm",
        namespace="team",
        uid="u",
        image=image,
        template=template or JobTemplate(),
    )


def _never(refresh: Refresh | None = None, *, pull_policy: PullPolicy | None = None) -> ImagePullJob:
    return _job(
        JobTemplate(
            completion_policy=CompletionPolicy(type=CompletionType.NEVER),
            pull_policy=pull_policy or PullPolicy(),
            prewarm=JobPrewarm(refresh=refresh),
        )
    )


def _lives(job: ImagePullJob, *, spread: float = 0.0) -> tuple[int | None, int | None]:
    _, entry = tag_entry(job, now=NOW, version=1, spread=spread)
    return entry.pull_policy.ttl_seconds_after_finished, entry.pull_policy.active_deadline_seconds


@pytest.mark.parametrize(
    ("image", "repository", "tag"),
    [
        ("nginx", "nginx", "latest"),
        ("docker.io/library/nginx:1.27", "nginx", "1.27"),
        ("registry:5000/team/app:v1", "registry:5000/team/app", "v1"),
        (f"nginx@sha256:{'a' * 64}", "nginx", f"sha256:{'a' * 64}"),
        (f"nginx:1.27@sha256:{'a' * 64}", "nginx", f"sha256:{'a' * 64}"),
    ],
)
def test_an_entry_stands_under_the_familiar_name_with_tag_or_digest(image: str, repository: str, tag: str) -> None:
    """The key is what OpenKruise's manager would write, and a digest replaces the tag."""
    key, entry = tag_entry(_job(image=image), now=NOW.replace(microsecond=5), version=7, spread=0.5)

    assert (repository, tag, 7, NOW) == (key, entry.tag, entry.version, entry.created_at)


def test_an_entry_carries_what_the_job_says() -> None:
    """Owner, policies, priority, floor and suspension come from the job."""
    template = JobTemplate(
        image_pull_policy=ImagePullPolicy.ALWAYS,
        pull_policy=PullPolicy(timeout_seconds=30, backoff_limit=1),
        prewarm=JobPrewarm(suspend=True, priority=5, min_free="10Gi"),
    )

    _, entry = tag_entry(_job(template), now=NOW, version=1, spread=0.0)

    owner = OwnerReference(
        api_version="apps.kruise.io/v1beta1", kind="ImagePullJob", namespace="team", name="warm", uid="u"
    )
    assert (owner,) == entry.owner_references
    assert ImagePullPolicy.ALWAYS is entry.image_pull_policy
    assert (30, 1) == (entry.pull_policy.timeout_seconds, entry.pull_policy.backoff_limit)
    assert (True, 5, "10Gi", 0, ()) == (
        entry.prewarm.suspended,
        entry.prewarm.priority,
        entry.prewarm.min_free,
        entry.prewarm.round,
        entry.prewarm.ended,
    )


@pytest.mark.parametrize(
    ("pull", "deadline"),
    [
        (PullPolicy(timeout_seconds=10, backoff_limit=3), 1800),
        (PullPolicy(timeout_seconds=600, backoff_limit=3), 4 * 600 + 3 * 30),
        (PullPolicy(timeout_seconds=3600, backoff_limit=0), 3600),
    ],
)
def test_the_deadline_of_a_never_job_leaves_room_for_every_attempt(pull: PullPolicy, deadline: int) -> None:
    """All attempts with their backoff, and at least half an hour (openkruise/kruise#2071)."""
    assert (86_400 - 600, deadline) == _lives(_never(pull_policy=pull))


@pytest.mark.parametrize(
    ("completion", "base", "deadline"),
    [
        (CompletionPolicy(), 1800, None),
        (CompletionPolicy(active_deadline_seconds=900), 900, 900),
        (CompletionPolicy(active_deadline_seconds=900, ttl_seconds_after_finished=60), 60, 900),
        (CompletionPolicy(ttl_seconds_after_finished=0), 0, None),
    ],
)
def test_the_lives_of_an_always_job_are_openkruises(
    completion: CompletionPolicy, base: int, deadline: int | None
) -> None:
    """The job's ttl, else its deadline, else all retries, and five minutes; its deadline as it is."""
    job = _job(JobTemplate(completion_policy=completion))

    assert (base + 300, deadline) == _lives(job)
    assert (base + 450, deadline) == _lives(job, spread=0.5)


@given(job=jobs, spread=st.floats(0, 1, exclude_max=True))
def test_the_lives_of_any_job_fit_the_schema(job: ImagePullJob, spread: float) -> None:
    """However large the numbers of a job, the entry's are an int32 and an int64."""
    ttl, deadline = _lives(job, spread=spread)

    assert ttl is not None
    assert 0 <= ttl <= INT32_MAX
    assert deadline is None or 1 <= deadline <= INT64_MAX


def test_a_list_becomes_a_job_for_each_image_in_its_order() -> None:
    """Every child has the list's template; what is about the list stays with it."""
    template = JobTemplate(parallelism="10%", prewarm=JobPrewarm(priority=3, list_parallelism=9))
    images = ImageListPullJob(
        api_version="apps.kruise.io/v1beta1", name="many", namespace="team", images=("b", "a:1"), template=template
    )

    children = jobs_of_list(images)

    assert [("many-0", "team", "b"), ("many-1", "team", "a:1")] == [
        (job.name, job.namespace, job.image) for job in children
    ]
    own = msgspec.structs.replace(template.prewarm, list_parallelism=None)
    assert [msgspec.structs.replace(template, prewarm=own)] * 2 == [job.template for job in children]


def test_an_always_job_is_never_renewed() -> None:
    """It ends with its last node."""
    assert NOT_AGAIN == next_renewal(_job(), last=NOW, now=NOW + 90 * DAY, node="n")


def test_without_a_schedule_a_node_is_renewed_each_day() -> None:
    """24 hours after the last success was granted, give or take ten minutes; each node keeps its place in those."""
    dues = {node: next_renewal(_never(), last=NOW, now=NOW + HOUR, node=node) for node in ("n", *map(str, range(200)))}

    assert NOW + RENEWAL == dues["n"]
    assert all(timedelta(minutes=-10) <= due - NOW - DAY < timedelta(minutes=10) for due in dues.values())
    assert timedelta(minutes=19) < max(dues.values()) - min(dues.values())


def test_at_makes_older_successes_due_now_and_spares_newer_ones() -> None:
    """One edit refreshes everything that was granted before it, once."""
    job = _never(Refresh(at=NOW))

    assert NOW == next_renewal(job, last=NOW - HOUR, now=NOW + HOUR, node="n")
    assert NOW + HOUR + RENEWAL == next_renewal(job, last=NOW + HOUR, now=NOW + 2 * HOUR, node="n")


def test_at_does_not_put_off_an_earlier_renewal() -> None:
    """A moment in the far future leaves the daily renewal as it is."""
    job = _never(Refresh(at=NOW + 90 * DAY))

    assert NOW + RENEWAL == next_renewal(job, last=NOW, now=NOW, node="n")


def test_a_schedule_counts_in_its_zone() -> None:
    """Two in the morning in Berlin is one in UTC in winter and midnight in summer."""
    job = _never(Refresh(schedule="0 2 * * *", time_zone="Europe/Berlin"))
    summer = datetime(2026, 7, 1, 12, tzinfo=UTC)

    assert datetime(2026, 1, 2, 1, tzinfo=UTC) == next_renewal(job, last=NOW, now=NOW, node="n")
    assert datetime(2026, 7, 2, 0, tzinfo=UTC) == next_renewal(job, last=summer, now=summer, node="n")


@pytest.mark.parametrize(
    ("away", "expected"),
    [(3 * HOUR, NOW.replace(day=2, hour=2)), (5 * HOUR, NOW.replace(day=3, hour=2))],
)
def test_a_missed_refresh_is_made_up_for_until_its_deadline(away: timedelta, expected: datetime) -> None:
    """Who was down at two starts until six, and after that waits for the next night."""
    job = _never(Refresh(schedule="0 2 * * *", starting_deadline_seconds=4 * 3600))

    assert expected == next_renewal(job, last=NOW, now=NOW.replace(day=2, hour=2) + away, node="n")


def test_without_a_deadline_a_missed_refresh_stays_due() -> None:
    """Only the latest of several missed ones counts."""
    job = _never(Refresh(schedule="0 2 * * *"))

    assert NOW.replace(day=9, hour=2) == next_renewal(job, last=NOW, now=NOW.replace(day=9), node="n")


def test_a_schedule_denser_than_the_spread_still_comes_to_every_node() -> None:
    """A node whose place is after the next fire is not put off for ever."""
    job = _never(Refresh(schedule="*/10 * * * *", spread_seconds=7200))

    for node in ("a", "b", "c", "d"):
        now = NOW
        while next_renewal(job, last=NOW, now=now, node=node) > now:
            now += timedelta(minutes=1)
            assert now <= NOW + timedelta(seconds=7200 + 600 + 60)


@given(node=st.text(max_size=20), spread=st.integers(0, INT32_MAX))
def test_a_node_has_its_place_within_the_spread(node: str, spread: int) -> None:
    """Always the same place, from the first second to before the last."""
    place = place_in_spread(node, spread_seconds=spread)

    assert place == place_in_spread(node, spread_seconds=spread)
    assert timedelta() <= place < timedelta(seconds=max(spread, 1))


def test_nodes_are_spread_evenly() -> None:
    """Of a thousand nodes about as many begin in each quarter of the spread."""
    places = [place_in_spread(f"node-{index}", spread_seconds=400).total_seconds() for index in range(1000)]

    quarters = [sum(100 * q <= place < 100 * (q + 1) for place in places) for q in range(4)]
    assert all(200 < count < 300 for count in quarters)


moments = st.integers(0, 400 * 86_400).map(lambda seconds: NOW + timedelta(seconds=seconds))
never_jobs = refreshes().map(_never)


@given(job=never_jobs, last=moments, wait=st.integers(0, 3 * 86_400), node=names)
def test_a_renewal_is_always_later_than_the_success_it_renews(
    job: ImagePullJob, last: datetime, wait: int, node: str
) -> None:
    """A node that has just been renewed is not due again."""
    assert last < next_renewal(job, last=last, now=last + timedelta(seconds=wait), node=node)


@given(job=never_jobs, last=moments, wait=st.integers(0, 3 * 86_400), part=st.floats(0, 1), node=names)
def test_a_renewal_that_is_to_come_does_not_move_while_time_goes_on(
    job: ImagePullJob, last: datetime, wait: int, part: float, node: str
) -> None:
    """Asking again before it is due gives the same answer, so that a loop may sleep until then."""
    now = last + timedelta(seconds=wait)
    due = next_renewal(job, last=last, now=now, node=node)

    later = now + part * (min(due, now + 30 * DAY) - now) if due > now else now

    assert due == next_renewal(job, last=last, now=later, node=node)


@given(zone=zones, hour=st.integers(0, 23), spread=st.integers(0, 3600), node=names, start=moments)
def test_through_virtual_time_a_node_is_renewed_once_a_night(
    zone: str | None, hour: int, spread: int, node: str, start: datetime
) -> None:
    """A loop that looks every few minutes grants one renewal a day, over changes of the clocks too."""
    job = _never(Refresh(schedule=f"30 {hour} * * *", time_zone=zone, spread_seconds=spread))

    now, last, granted = start, start, 0
    while now < start + 10 * DAY:
        due = next_renewal(job, last=last, now=now, node=node)
        if due <= now:
            last, granted = now, granted + 1
        now = max(now + timedelta(minutes=7), min(due, now + DAY))

    assert 9 <= granted <= 10


@pytest.mark.parametrize(
    ("failures", "minutes"), [(0, 1), (1, 1), (2, 2), (3, 4), (4, 8), (5, 16), (6, 32), (7, 60), (8, 60), (10**9, 60)]
)
def test_rounds_come_after_a_minute_doubling_to_an_hour(failures: int, minutes: int) -> None:
    """A failed node of a Never job is never given up."""
    assert NOW + timedelta(minutes=minutes) == next_round(failures=failures, permanent=False, failed_at=NOW)


def test_what_asking_again_cannot_change_is_asked_hourly() -> None:
    """A permanent reason does not cost a pull a minute."""
    assert NOW + HOUR == next_round(failures=1, permanent=True, failed_at=NOW)


def entry_of(**settings: object) -> TagEntry:
    """Return an entry of one image."""
    return TagEntry(tag="v1", **settings)  # type: ignore[arg-type]  # the names are TagEntry's


def test_the_entry_of_several_owners_is_as_patient_as_the_most_patient() -> None:
    """Timeouts, retries and priority are the largest, and Always wins."""
    first = entry_of(pull_policy=EntryPullPolicy(timeout_seconds=60, backoff_limit=5, active_deadline_seconds=90))
    second = entry_of(
        image_pull_policy=ImagePullPolicy.ALWAYS,
        pull_policy=EntryPullPolicy(timeout_seconds=600, backoff_limit=1, active_deadline_seconds=900),
        prewarm=EntryPrewarm(priority=7),
    )

    entry = merged([first, second])

    policy = entry.pull_policy
    assert (600, 5, 900) == (policy.timeout_seconds, policy.backoff_limit, policy.active_deadline_seconds)
    assert (ImagePullPolicy.ALWAYS, 7) == (entry.image_pull_policy, entry.prewarm.priority)


def test_a_bound_that_one_owner_does_not_have_is_none() -> None:
    """An owner without a deadline is not failed by another's."""
    bounded = entry_of(pull_policy=EntryPullPolicy(active_deadline_seconds=90, ttl_seconds_after_finished=90))

    policy = merged([bounded, entry_of()]).pull_policy

    assert (None, None) == (policy.active_deadline_seconds, policy.ttl_seconds_after_finished)


@given(entry=tag_entries)
def test_the_entry_of_one_owner_is_what_it_asks(entry: TagEntry) -> None:
    """Nothing is merged where there is nothing to merge with, and with itself nothing changes."""
    entry = msgspec.structs.replace(
        entry,
        owner_references=tuple(dict.fromkeys(entry.owner_references)),
        prewarm=msgspec.structs.replace(entry.prewarm, round=0, ended=()),
    )

    assert entry == merged([entry])
    assert entry == merged([entry, entry])


def test_an_entry_is_suspended_when_every_owner_is() -> None:
    """One owner that is not keeps it going."""
    suspended = entry_of(prewarm=EntryPrewarm(suspended=True))

    assert [True, False] == [merged([suspended, other]).prewarm.suspended for other in (suspended, entry_of())]


@pytest.mark.parametrize(
    ("floors", "expected"),
    [
        (("20%", "30%", "5%"), "30%"),
        (("10Gi", "9G", "1Ti"), "1Ti"),
        (("20%", "500Ti"), "20%"),
        ((None, "10Gi"), "10Gi"),
        ((None, None), None),
    ],
)
def test_of_several_floors_in_one_unit_the_largest_holds(floors: tuple[str | None, ...], expected: str | None) -> None:
    """Each owner's disk is as full as it allows at most; a share and a size cannot be compared without a disk."""
    entries = [entry_of(prewarm=EntryPrewarm(min_free=floor)) for floor in floors]

    assert expected == merged(entries).prewarm.min_free
