"""What a restarted agent takes over from the statuses in its NodeImage, and what it does not believe."""

from datetime import timedelta

import pytest

from daemon.api.nodeimage import Phase, TagStatus
from daemon.api.reasons import Reason
from daemon.display.events import events_between
from daemon.node import transitions
from daemon.node.report import report_of, status_of
from daemon.node.task import NodeState
from daemon.node.wanted import Wanted, WantedImage
from tests.unit.node.virtual_node import DONE, EPOCH, UNAVAILABLE, VirtualNode, image, key_of


SUCCEEDED = TagStatus(
    tag="v1",
    phase=Phase.SUCCEEDED,
    version=1,
    progress=100,
    start_time=EPOCH,
    completion_time=EPOCH + timedelta(seconds=3),
    image_id="registry.example/app@sha256:1",
    attempt=2,
    digest="sha256:d",
    changed=True,
)
FAILED = TagStatus(
    tag="v1",
    phase=Phase.FAILED,
    version=1,
    start_time=EPOCH,
    completion_time=EPOCH + timedelta(seconds=9),
    message="refused",
    reason="Unauthorized",
    attempt=4,
)


def restarted(answer: TagStatus, *images: WantedImage) -> VirtualNode:
    """Return a node that finds this status when it starts."""
    node = VirtualNode()
    wanted = Wanted(uid="node", generation=1, images=images or (image(),), answers={key_of("app"): answer})
    node.state = transitions.want(node.state, wanted, now=node.now)
    node.decide()
    return node


@pytest.mark.parametrize("answer", [SUCCEEDED, FAILED], ids=["succeeded", "failed"])
def test_an_end_of_the_same_version_is_taken_over_word_for_word(answer: TagStatus) -> None:
    """So a restart pulls nothing twice, and has nothing to write about it."""
    node = restarted(answer)

    assert [] == node.started
    assert answer == status_of(node.task())


@pytest.mark.parametrize("answer", [SUCCEEDED, FAILED], ids=["succeeded", "failed"])
def test_an_adopted_end_is_no_news(answer: TagStatus) -> None:
    """It was told when it was reached: a restart tells neither log, metric nor event again."""
    node = restarted(answer)

    assert [] == list(events_between(NodeState(), node.state, now=node.now))


def test_an_end_of_another_version_is_not_believed() -> None:
    """Only an equal version answers an entry."""
    node = restarted(SUCCEEDED, image(version=2))

    assert ["app"] == node.starts


def test_an_adopted_image_that_is_gone_is_pulled_again_under_the_same_version() -> None:
    """A status says nothing of what the kubelet collected while no agent ran."""
    node = restarted(SUCCEEDED)

    node.lose()
    node.end(DONE)

    assert (Phase.SUCCEEDED, 1) == (node.phase(), node.task().wanted.version)
    assert ["app"] == node.starts
    assert not node.task().is_adopted


def test_an_adopted_failure_whose_image_is_gone_stays_failed_and_tells_that_nothing_lies_there() -> None:
    """Cold and stale are told apart by the image's ID, which must be true in every phase."""
    stale = TagStatus(tag="v1", phase=Phase.FAILED, version=1, image_id="registry.example/app@sha256:old", attempt=4)
    node = restarted(stale)

    node.lose()

    assert (Phase.FAILED, "") == (node.phase(), node.task().image_id)
    assert [] == node.started


def test_another_image_than_the_status_tells_is_told() -> None:
    """Whoever pulled while no agent ran, the ID is what lies on the node now."""
    node = restarted(SUCCEEDED)

    node.state = transitions.seen(
        node.state, key_of("app"), told_id=SUCCEEDED.image_id, image_id="registry.example/app@sha256:2"
    )

    assert "registry.example/app@sha256:2" == node.task().image_id


def test_a_look_that_is_out_of_date_changes_nothing() -> None:
    """What the task has learned since the look began stands."""
    node = restarted(SUCCEEDED)

    before = node.state
    node.state = transitions.seen(before, key_of("app"), told_id="registry.example/app@sha256:0", image_id="other")

    assert before is node.state


def test_the_attempts_of_an_open_version_count_over_a_restart() -> None:
    """A process that is killed in its third attempt repeats that one, and has no four new ones (8.2 number 13)."""
    pulling = TagStatus(tag="v1", phase=Phase.PULLING, version=1, attempt=3, start_time=EPOCH)
    node = restarted(pulling, image(backoff_limit=3))

    assert (3, EPOCH) == (node.task().attempt, node.task().started_at)
    node.end(UNAVAILABLE)
    node.advance(60)
    node.end(UNAVAILABLE)

    assert (Phase.FAILED, 4) == (node.phase(), node.task().attempt)


def test_a_restart_in_the_backoff_after_an_attempt_repeats_none() -> None:
    """Waiting with two attempts behind it, the next is the third."""
    node = restarted(TagStatus(tag="v1", phase=Phase.WAITING, version=1, attempt=2))

    assert 3 == node.task().attempt


def test_a_restart_always_has_one_attempt_left() -> None:
    """Whatever a status counts, an open entry gets its answer from an attempt."""
    node = restarted(TagStatus(tag="v1", phase=Phase.WAITING, version=1, attempt=9), image(backoff_limit=0))

    assert (1, ["app"]) == (node.task().attempt, node.starts)


@pytest.mark.parametrize(
    "answer",
    [
        TagStatus(tag="v1", phase=Phase.FAILED, version=1, reason=Reason.AGENT_SILENT),
        TagStatus(tag="v1", phase=Phase.FAILED, version=1, reason=Reason.NO_AGENT),
        TagStatus(tag="v1", phase=Phase.FAILED, version=1, message="node has not responded for a long time"),
    ],
    ids=["agent silent", "no agent", "OpenKruise's manager"],
)
def test_a_failure_that_another_wrote_in_a_silent_agents_place_is_not_adopted(answer: TagStatus) -> None:
    """It said that nobody was here, and now somebody is."""
    node = restarted(answer)

    assert ["app"] == node.starts


def test_a_task_that_is_known_takes_nothing_from_a_status() -> None:
    """While the agent runs its own state is the truth, and a foreign status is only mended."""
    node = VirtualNode()
    node.want(image())

    wanted = Wanted(uid="node", generation=2, images=(image(),), answers={key_of("app"): FAILED})
    node.state = transitions.want(node.state, wanted, now=node.now)

    assert Phase.WAITING is node.phase()
    assert node.task().running is not None


def test_an_unknown_reason_of_a_newer_release_does_not_stop_the_agent() -> None:
    """It is left out; the message stands."""
    node = restarted(TagStatus(tag="v1", phase=Phase.FAILED, version=1, reason="FromTheFuture", message="words"))

    assert (Phase.FAILED, None, "words") == (node.phase(), node.task().reason, node.task().message)


def test_a_report_tells_why_the_runtime_and_the_disk_hold_things_up() -> None:
    """Conditions need words, not only a flag."""
    node = VirtualNode()
    node.want(image())

    node.state = transitions.runtime_away(node.state, problem="no such socket")

    assert (False, "no such socket") == (report_of(node.state).is_runtime_up, report_of(node.state).runtime_problem)
