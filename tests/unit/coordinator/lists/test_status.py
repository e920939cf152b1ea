"""A list's status: OpenKruise's fields with their meaning, the list's order, conditions, and sums over its images."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from daemon.coordinator.lists.names import job_name
from daemon.coordinator.lists.parts import Part
from daemon.coordinator.lists.seen import SeenList
from daemon.coordinator.lists.status import next_list_status
from tests.unit.coordinator.lists.told import ONE, THREE, TWO, Json, image_list


NOW = datetime(2026, 1, 31, 2, 0, tzinfo=UTC)


def at(seconds: float) -> str:
    """Write a time after NOW as a status has it."""
    return f"{NOW + timedelta(seconds=seconds):%Y-%m-%dT%H:%M:%SZ}"


def job_status(*, warm: int = 0, cold: int = 0, failed: int = 0, active: int = 0, **more: Any) -> Json:  # noqa: ANN401
    """Make the status of a job over so many nodes; `failed` of the cold ones have failed."""
    conditions = more.pop(
        "conditions", {"Ready": ("True", "AllWarm") if warm and not cold else ("False", "InProgress")}
    )
    prewarm = {
        "nodes": {"warm": warm, "stale": 0, "cold": cold, "skipped": 0},
        "pulling": active,
        "waiting": cold - active - failed,
        **more.pop("prewarm", {}),
    }
    if failed:
        nodes = [f"n{number}" for number in range(failed)]
        group = {"reason": "ImageNotFound", "count": failed, "nodes": nodes, "message": "no such tag"}
        prewarm = {"failures": [group], **prewarm}
    told = [{"type": kind, "status": so, "reason": why, "message": why} for kind, (so, why) in conditions.items()]
    return {
        "startTime": at(0),
        "desired": warm + cold,
        "active": active,
        "succeeded": warm,
        "failed": failed,
        "conditions": told,
        "prewarm": prewarm,
        **more,
    }


def part(image: str, status: Json | None = None, **more: Any) -> Part:  # noqa: ANN401
    """Make one image of a list."""
    return Part(image=image, job=job_name("base", image=image), status=status or {}, **more)


def ended(image: str, *, warm: int = 2, failed: int = 0, seconds: float = 5, **more: Any) -> Part:  # noqa: ANN401
    """Make an image whose job has finished."""
    status = job_status(warm=warm, cold=failed, failed=failed, completionTime=at(seconds), **more)
    return part(image, status, has_ended=True)


def status_of(seen: SeenList, *parts: Part, earlier: Json | None = None, seconds: float = 9, **more: Any) -> Json:  # noqa: ANN401
    """Return a list's next status."""
    options = {"is_over": False, "is_done": True, **more}
    return next_list_status(seen, parts, earlier=earlier or {}, now=NOW + timedelta(seconds=seconds), **options)


def said(status: Json, kind: str) -> tuple[str, str, str]:
    """Return a condition's status, reason and message."""
    (found,) = [one for one in status["conditions"] if one["type"] == kind]
    return found["status"], found["reason"], found["message"]


def test_its_numbers_count_images() -> None:
    """As OpenKruise's: completed has ended on every node, succeeded has ended well on every node."""
    status = status_of(
        image_list(ONE, TWO, THREE),
        ended(ONE),
        ended(TWO, warm=1, failed=1),
        part(THREE, job_status(warm=1, cold=1, active=1)),
    )

    assert (3, 1, 2, 1) == tuple(status[name] for name in ("desired", "active", "completed", "succeeded"))
    assert {"warm": 4, "stale": 0, "cold": 2, "skipped": 0} == status["prewarm"]["nodes"]
    assert ("4/6", 1, 0) == tuple(status["prewarm"][name] for name in ("summary", "pulling", "waiting"))
    assert "completionTime" not in status
    assert ("False", "InProgress", "1 of 3 images is on every node") == said(status, "Ready")


def test_it_is_complete_when_every_image_is_everywhere() -> None:
    """At the time of its last job's end."""
    status = status_of(image_list(ONE, TWO), ended(ONE, seconds=5), ended(TWO, seconds=7))

    assert at(9) == status["completionTime"]
    assert ("True", "Finished", "list has completed") == said(status, "Complete")
    assert ("True", "AllWarm", "every node has all 2 images") == said(status, "Ready")
    assert "False" == said(status, "Failed")[0]


def test_a_later_status_has_the_last_job_s_time() -> None:
    """Once the list has begun, its end is its last job's, whenever it is written."""
    begun = {"startTime": at(0)}
    status = status_of(image_list(ONE, TWO), ended(ONE, seconds=5), ended(TWO, seconds=7), earlier=begun)

    assert (at(0), at(7)) == (status["startTime"], status["completionTime"])


def test_failed_images_stand_in_the_list_s_order_with_their_reasons() -> None:
    """OpenKruise's order is by chance, and its words are the same for each."""
    status = status_of(image_list(TWO, ONE, THREE), ended(TWO, warm=0, failed=2), ended(ONE, failed=1), ended(THREE))

    assert [(TWO, "2 of 2 nodes failed: 2 ImageNotFound (n0, n1: no such tag)"), (ONE, "1 of 3")] == [
        (one["name"], one["message"][: 6 if one["name"] == ONE else None]) for one in status["failedImageStatuses"]
    ]
    assert job_name("base", image=TWO) == status["failedImageStatuses"][0]["imagePullJob"]
    assert ("True", "NodesFailed") == said(status, "Failed")[:2]
    assert said(status, "Failed")[2].startswith("2 of 3 images failed: registry.example.com/two:v1: 2 of 2 nodes")
    assert ("False", "ImageNotFound") == said(status, "Ready")[:2]
    assert [{"reason": "ImageNotFound", "count": 3, "nodes": ["n0", "n1"], "message": "no such tag"}] == status[
        "prewarm"
    ]["failures"]


def test_reasons_that_a_schema_has_dropped_are_kept_in_the_words() -> None:
    """On OpenKruise's CRDs a job's status has names alone after a change of leader."""
    bare = {"desired": 3, "succeeded": 2, "failed": 1, "active": 0, "failedNodes": ["n7"], "completionTime": at(5)}
    words = "1 of 3 nodes failed: 1 ImageNotFound (n7: no such tag)"
    earlier = {"failedImageStatuses": [{"name": ONE, "imagePullJob": "x", "message": words}]}

    kept = status_of(image_list(ONE), part(ONE, bare, has_ended=True), earlier=earlier)
    unknown = status_of(image_list(ONE), part(ONE, bare, has_ended=True))

    assert [words] == [one["message"] for one in kept["failedImageStatuses"]]
    assert ["1 of 3 nodes failed: n7"] == [one["message"] for one in unknown["failedImageStatuses"]]


def test_a_job_that_can_t_be_made_is_a_failed_image_and_stalls_the_list_when_the_rest_is_done() -> None:
    """While others run it is named, and no more."""
    refused = part(ONE, has_job=False, refusal="the name is taken")
    running = status_of(image_list(ONE, TWO), refused, part(TWO, job_status(cold=2, active=1)), is_done=False)
    done = status_of(image_list(ONE, TWO), refused, ended(TWO), is_done=False)

    assert ["the name is taken"] == [one["message"] for one in running["failedImageStatuses"]]
    assert "False" == said(running, "Stalled")[0]
    assert ("True", "JobsRefused", f"1 of 2 images: {ONE}: the name is taken") == said(done, "Stalled")
    assert "completionTime" not in done
    assert "2/4" == done["prewarm"]["summary"]


def test_a_list_is_stalled_once_nothing_of_it_moves() -> None:
    """With the commonest reason of its images."""
    stuck = job_status(cold=2, failed=2, conditions={"Ready": ("False", "x"), "Stalled": ("True", "ImageNotFound")})
    never = image_list(ONE, TWO, kind="Never")
    moving = status_of(never, part(ONE, stuck, goes_on=True), part(TWO, job_status(cold=2, active=1), goes_on=True))
    still = status_of(never, part(ONE, stuck, goes_on=True), part(TWO, job_status(warm=2), goes_on=True))

    assert "False" == said(moving, "Stalled")[0]
    assert ("True", "ImageNotFound") == said(still, "Stalled")[:2]
    assert ("False", "ImageNotFound") == said(still, "Ready")[:2]


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"prewarm": {"suspend": True}}, "spec.prewarm.suspend is true"),
        ({"parallelism": 0}, "spec.parallelism is 0, so no further node begins"),
        ({"prewarm": {"listParallelism": "0%"}}, "spec.prewarm.listParallelism is 0, so no further node begins"),
    ],
    ids=str,
)
def test_a_list_that_is_held_on_purpose_is_suspended(spec: Json, message: str) -> None:
    """And has no time at which it will have ended."""
    status = status_of(image_list(ONE, **spec), part(ONE, job_status(cold=2, prewarm={"eta": at(60)})))

    assert ("True", "Suspended", message) == said(status, "Suspended")
    assert "eta" not in status["prewarm"]


def test_a_spec_that_can_t_be_used_is_said_and_keeps_what_was_counted() -> None:
    """On CRDs that let it pass."""
    earlier = {"desired": 2, "succeeded": 2, "startTime": at(0), "prewarm": {"summary": "4/4"}}
    twice = status_of(image_list(ONE, ONE), earlier=earlier)
    unread = status_of(image_list("https://x", ONE))

    assert ("True", "InvalidSpec") == said(twice, "Stalled")[:2]
    assert (2, 2, {"summary": "4/4"}) == (twice["desired"], twice["succeeded"], twice["prewarm"])
    assert ("True", "InvalidReference") == said(unread, "Stalled")[:2]


def test_a_deadline_that_ended_all_that_failed_is_the_list_s_reason() -> None:
    """As a job's condition has it."""
    late = {"Failed": ("True", "DeadlineExceeded"), "Ready": ("False", "DeadlineExceeded")}
    status = status_of(image_list(ONE, TWO), ended(ONE, warm=0, failed=2, conditions=late), ended(TWO))

    assert ("True", "DeadlineExceeded") == said(status, "Failed")[:2]
    assert ("False", "DeadlineExceeded") == said(status, "Ready")[:2]


def test_a_list_that_selects_no_node_is_complete_and_says_so() -> None:
    """As its jobs do."""
    nothing = {"Ready": ("False", "NoNodesSelected"), "Complete": ("True", "NoNodesSelected")}
    status = status_of(image_list(ONE), ended(ONE, warm=0, conditions=nothing))

    assert ("True", "NoNodesSelected", "no node is selected") == said(status, "Complete")
    assert ("False", "NoNodesSelected") == said(status, "Ready")[:2]


def test_a_finished_list_stays_as_it_is() -> None:
    """Also where its jobs were deleted since; one that runs again makes it go on."""
    done = status_of(image_list(ONE, TWO), ended(ONE), ended(TWO))
    without = status_of(image_list(ONE, TWO), ended(ONE), part(TWO, has_job=False), earlier=done, is_over=True)
    again = status_of(
        image_list(ONE, TWO), ended(ONE), part(TWO, job_status(cold=2)), earlier=done, is_over=True, seconds=99
    )

    assert done == without
    assert "completionTime" not in again
    assert at(99) == again["startTime"]


def test_bytes_are_summed_and_the_latest_end_is_the_list_s() -> None:
    """As long as each job that goes on has told one."""
    pulls = [
        job_status(cold=2, active=1, prewarm={"bytes": {"done": 3, "total": 9}, "eta": at(eta)}) for eta in (60, 90)
    ]
    status = status_of(image_list(ONE, TWO), *(part(image, one) for image, one in zip((ONE, TWO), pulls, strict=True)))

    assert ({"done": 6, "total": 18}, at(90)) == (status["prewarm"]["bytes"], status["prewarm"]["eta"])


def test_a_list_whose_jobs_know_no_end_yet_goes_on_as_it_went() -> None:
    """One of three images took thirty seconds on its nodes: the others take sixty; until a node ends that stands."""
    parts = [ended(ONE, seconds=30), part(TWO, job_status(cold=2, active=1)), part(THREE, job_status(cold=2))]
    begun = {"startTime": at(0)}
    first = status_of(image_list(ONE, TWO, THREE), *parts, earlier=begun, seconds=30)
    second = status_of(image_list(ONE, TWO, THREE), *parts, earlier=first, seconds=40)
    never = status_of(image_list(ONE, kind="Never"), part(ONE, job_status(cold=2, active=1), goes_on=True))

    assert at(90) == first["prewarm"]["eta"] == second["prewarm"]["eta"]
    assert "eta" not in never["prewarm"]


def test_refreshes_are_told_of_the_whole_list() -> None:
    """The last one's begin, and the next one's once none runs."""
    done = {"lastRefreshTime": at(10), "nextRefreshTime": at(200)}
    runs = {"lastRefreshTime": at(20)}
    never = image_list(ONE, TWO, kind="Never")
    rest = [part(image, job_status(warm=2, prewarm=done), goes_on=True) for image in (ONE, TWO)]
    quiet, running = (
        status_of(never, *rest),
        status_of(never, rest[0], part(TWO, job_status(warm=2, prewarm=runs), goes_on=True)),
    )

    assert done == {name: quiet["prewarm"][name] for name in done}
    assert at(20) == running["prewarm"]["lastRefreshTime"]
    assert "nextRefreshTime" not in running["prewarm"]


def test_the_same_images_give_the_same_status_and_what_others_wrote_stays() -> None:
    """A condition keeps its time, so nothing is written anew."""
    foreign = {"type": "example.com/Seen", "status": "True"}
    parts = [part(ONE, job_status(warm=1, cold=1, failed=1)), part(TWO, job_status(cold=2))]
    first = status_of(image_list(ONE, TWO), *parts, earlier={"conditions": [foreign], "note": "x"})
    second = status_of(image_list(ONE, TWO), *parts, earlier=first, seconds=500)

    assert first == second
    assert (foreign, "x") == (first["conditions"][-1], first["note"])


def test_words_are_cut_so_that_a_full_list_fits_into_an_object() -> None:
    """255 images with long words stay below a third of what etcd takes."""
    images = [f"registry.example.com/{number}:v1" for number in range(255)]
    group = {"reason": "PullFailed", "count": 1, "nodes": ["n" * 60], "message": "x" * 1024}
    parts = [ended(image, failed=1, prewarm={"failures": [group]}) for image in images]
    status = status_of(image_list(*images), *parts)

    assert {512} == {len(one["message"]) for one in status["failedImageStatuses"]}
    assert 500_000 > len(str(status))
