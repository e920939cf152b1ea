"""What is shown of a node: each image, who wants it and what the node says; its agent; why jobs leave it out."""

from datetime import timedelta

import msgspec
import pytest

from daemon.coordinator.decoding import node_of as seen_node_of
from daemon.overview.documents import Agent, Bytes, Condition, Node, NodeEntry
from daemon.overview.nodeimages import facts_of, node_of
from tests.unit.overview.objects import DIGEST, IMAGE, NOW, REPOSITORY, answer, at, entry, node_image, warm


def shown(content: bytes, *, is_ready: bool | None = None) -> Node:
    """Return what is shown of a node; `is_ready` None: the Node could not be read."""
    node = None
    if is_ready is not None:
        condition = {"type": "Ready", "status": "True" if is_ready else "False"}
        node = seen_node_of(
            msgspec.json.encode({"metadata": {"name": "n1", "uid": "n"}, "status": {"conditions": [condition]}})
        )
    return node_of(facts_of(content), node=node, now=NOW)


def only(content: bytes) -> NodeEntry:
    """Return the one entry of a node."""
    (found,) = shown(content).entries
    return found


def test_an_image_that_is_there_is_shown_with_its_owners() -> None:
    """Phase, digest, owners and attempts."""
    found = only(node_image(entry=entry(prewarm={"priority": 7}), answer=warm()))

    assert (IMAGE, "Succeeded", DIGEST) == (found.image, found.phase, found.digest)
    assert (("team/base",), 4, 7, 1) == (found.owners, found.attempts_allowed, found.priority, found.version)


def test_a_pull_that_runs_is_shown_with_how_far() -> None:
    """Bytes, percent, stage and attempt."""
    pulling = answer("Pulling", progress=25, bytes={"done": 1, "total": 4}, stage="Downloading", attempt=2)

    found = only(node_image(entry=entry(), answer=pulling))

    assert (25, Bytes(done=1, total=4), "Downloading", 2) == (
        found.percent,
        found.bytes,
        found.stage,
        found.attempt,
    )


def test_an_answer_to_another_version_is_none() -> None:
    """What lies on the node still counts; the rest is about what was wanted before."""
    found = only(node_image(entry=entry(version=2), answer=warm(version=1)))

    assert ("", "", f"{REPOSITORY}@{DIGEST}") == (found.phase, found.reason, found.image_id)


def test_what_is_wanted_no_more_is_shown_as_such() -> None:
    """Until the agent drops it."""
    found = only(node_image(answer=warm()))

    assert (False, "Succeeded", ()) == (found.is_wanted, found.phase, found.owners)


def test_an_image_by_digest_is_written_with_an_at() -> None:
    """As one would pull it."""
    wanted = {**entry(), "tag": DIGEST}

    assert f"{REPOSITORY}@{DIGEST}" == only(node_image(entry=wanted)).image


def test_the_agent_tells_who_it_is_and_when_it_last_reported() -> None:
    """Version, runtime and times."""
    found = shown(node_image(reported=-12))

    started = NOW - timedelta(hours=26)
    assert found.agent == Agent(
        version="0.1.0",
        runtime="containerd://2.3.7",
        started_at=started,
        reported_at=NOW - timedelta(seconds=12),
    )


def test_a_node_without_an_agent_of_ours_has_none() -> None:
    """OpenKruise's daemon says nothing of itself."""
    assert shown(node_image(has_agent=False)).agent is None


def test_conditions_are_shown_as_they_stand() -> None:
    """RuntimeReady and SpaceSufficient, and any that others have put there."""
    condition = {"type": "RuntimeReady", "status": "False", "reason": "RuntimeUnavailable", "message": "no socket"}
    content = node_image(status={"conditions": [{**condition, "lastTransitionTime": at(-60)}, {"odd": 1}]})

    expected = Condition(
        type="RuntimeReady",
        status="False",
        reason="RuntimeUnavailable",
        message="no socket",
        since=NOW - timedelta(seconds=60),
    )
    assert (expected,) == shown(content).conditions


@pytest.mark.parametrize(("is_ready", "expected"), [(True, ""), (False, "NodeNotReady"), (None, "")])
def test_a_node_that_is_not_ready_is_left_out(*, is_ready: bool | None, expected: str) -> None:
    """Where the Node could be read."""
    assert expected == shown(node_image(entry=entry()), is_ready=is_ready).skip_reason


def test_a_node_that_never_answered_is_left_out_for_that() -> None:
    """Its NodeImage alone tells it."""
    assert "NoAgent" == shown(node_image(entry=entry(granted=-61), has_agent=False), is_ready=True).skip_reason


def test_one_odd_field_hides_nothing_else() -> None:
    """Labels that are none, say."""
    found = shown(node_image(entry=entry(), answer=warm(), metadata={"labels": 3}))

    assert ["Succeeded"] == [each.phase for each in found.entries]
