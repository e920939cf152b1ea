"""What releases of Prewarm, and OpenKruise, wrote into NodeImages, as a coordinator and an agent of today read it."""

from typing import Any

import msgspec
import pytest

from daemon import __version__
from daemon.api.objects import read_object
from daemon.api.rules.nodeimage import read_node_image
from daemon.clock import Moment
from daemon.coordinator.decoding import job_of
from daemon.coordinator.decoding_nodeimage import node_image_of
from daemon.coordinator.reckoning import standing_of
from daemon.coordinator.seen import SeenJob, SeenNode, SeenNodeImage
from daemon.coordinator.silence import heard_of, skip_of
from daemon.coordinator.standing import Standing, Task
from daemon.node.adoption import adopted, is_said_in_silence
from daemon.node.task import Task as NodeTask
from daemon.node.wanted import Wanted, wanted_of
from tests.recorded.book import FOLDER, Conclusion, Scene, scenes


Json = dict[str, Any]

SCENES = scenes()
EACH = pytest.mark.parametrize("scene", [scene for _, scene in SCENES], ids=[name for name, _ in SCENES])


def seen_by_coordinator(scene: Scene) -> SeenNodeImage:
    """Decode it as a coordinator does."""
    return node_image_of(msgspec.json.encode(scene.node_image))


def jobs_of(scene: Scene) -> list[SeenJob]:
    """Decode its jobs."""
    return [job_of(msgspec.json.encode(job)) for job in scene.jobs]


def standing(job: SeenJob, scene: Scene) -> Standing:
    """Tell where the node stands for a job, by a coordinator that has just taken over."""
    image, now = seen_by_coordinator(scene), Moment(at=scene.recorded_at, seconds=1_000.0)
    assert job.job is not None
    assert job.key is not None
    node = SeenNode(name=image.name, uid=image.node_uid, created_at=job.created_at)
    skip = skip_of(node, image, heard=heard_of(None, image, now=now), now=now)
    return standing_of(
        Task(job=job.job, key=job.key),
        node=image.name,
        image=image,
        skip=skip,
        is_sent=False,
        before=None,
        now=scene.recorded_at,
    )


def wanted_by_agent(scene: Scene) -> Wanted:
    """Read it as an agent does."""
    read = read_object(scene.node_image, kind="NodeImage", read=read_node_image)
    assert [] == [finding.text for finding in read.errors]
    assert read.value is not None
    return wanted_of(read.value)


def entries_of(scene: Scene) -> dict[tuple[str, str], Json]:
    """Return the raw entries of its spec by repository and tag."""
    images: Json = scene.node_image["spec"].get("images", {})
    return {(name, entry["tag"]): entry for name, image in images.items() for entry in image["tags"]}


def statuses_of(scene: Scene) -> dict[tuple[str, str], Json]:
    """Return the raw tag statuses by repository and tag."""
    images: Json = scene.node_image.get("status", {}).get("imageStatuses", {})
    return {(name, status["tag"]): status for name, image in images.items() for status in image["tags"]}


def test_this_release_is_recorded() -> None:
    """Whoever changes the release records it, before the next one can forget what it wrote."""
    assert [] != list((FOLDER / __version__).glob("*.json"))


@EACH
def test_a_coordinator_concludes_what_it_was_meant_to(scene: Scene) -> None:
    """Where each job's node stands, whether it is warm, and why it is not, by what an earlier release wrote."""
    found = {job.name: standing(job, scene) for job in jobs_of(scene)}

    assert scene.concludes == {
        name: Conclusion(
            stand=str(one.stand),
            group=str(one.group),
            reason=one.reason,
            skip=str(one.skip.reason) if one.skip else "",
            takes_slot=one.holds_slot,
        )
        for name, one in found.items()
    }


@EACH
def test_a_coordinator_reads_every_entry_and_status(scene: Scene) -> None:
    """None is left out, and each has its version, phase and digest; who reports is known where it was said."""
    image = seen_by_coordinator(scene)

    assert {key: entry.get("version", 0) for key, entry in entries_of(scene).items()} == {
        tuple(key): entry.version for key, entry in image.entries.items()
    }
    assert {
        key: (status.get("version", 0), status["phase"], status.get("imageID", ""), status.get("digest", ""))
        for key, status in statuses_of(scene).items()
    } == {
        tuple(key): (status.version, str(status.phase), status.image_id, status.digest)
        for key, status in image.statuses.items()
    }
    agent = scene.node_image.get("status", {}).get("prewarm", {}).get("agent", {})
    assert agent.get("version", "") == (image.agent.version if image.agent else "")


@EACH
def test_an_agent_reads_every_entry(scene: Scene) -> None:
    """Without an error: which image, which version, under which policy, for whom, and whether it is suspended."""
    wanted = wanted_by_agent(scene)

    assert {
        key: (
            entry.get("version", 0),
            entry.get("imagePullPolicy", "IfNotPresent"),
            [owner["uid"] for owner in entry.get("ownerReferences", [])],
            entry.get("prewarm", {}).get("suspended", False),
            entry.get("prewarm", {}).get("priority", 0),
        )
        for key, entry in entries_of(scene).items()
    } == {
        (image.key.repository, image.key.tag): (
            image.version,
            str(image.image_pull_policy),
            [owner.uid for owner in image.owners],
            image.is_suspended,
            image.priority,
        )
        for image in wanted.images
    }
    assert all(image.reference is not None for image in wanted.images)


@EACH
def test_an_agent_takes_over_the_ends_that_were_reached(scene: Scene) -> None:
    """An upgrade of the agent pulls nothing twice; what others said in its place is no end of its own."""
    wanted = wanted_by_agent(scene)

    taken = {
        (image.key.repository, image.key.tag)
        for image in wanted.images
        if adopted(NodeTask(wanted=image, seen_seconds=0.0), wanted.answers.get(image.key)).is_ended
    }

    entries = entries_of(scene)
    assert taken == {
        key
        for key, status in statuses_of(scene).items()
        if status["phase"] in {"Succeeded", "Failed"}
        and status.get("version", 0) == entries[key].get("version", 0)
        and not is_said_in_silence(reason=status.get("reason", ""), message=status.get("message", ""))
    }
