"""An agent that ends and starts again: what stands in its NodeImage goes on, and nothing is done twice."""

import pytest

from tests.behaviour.stuck import IN_FLIGHT_BYTES, StuckPull
from tests.servers.containerd import Containerd
from tests.servers.fixtures_agent import ON_NEWEST, StartAgent
from tests.servers.images import Push
from tests.servers.nodeimages import Json, NodeImageOnServer, entry
from tests.servers.processes import until
from tests.servers.proxy import FaultProxy
from tests.servers.registry import Registry


pytestmark = ON_NEWEST

# What is written in the place of an agent that does not report: by a coordinator, and by OpenKruise's manager.
IN_ANOTHERS_WORDS = [
    pytest.param({"reason": "AgentSilent", "message": "no report for 3 min"}, id="coordinator"),
    pytest.param({"message": "node has not responded for a long time"}, id="OpenKruise"),
]


def our_leases(containerd: Containerd) -> list[str]:
    """Name the holds."""
    return [name for name in containerd.leases() if name.startswith("prewarm-")]


def failed_by_another(node_image: NodeImageOnServer, key: str, said: Json) -> None:
    """Write that version 1 of the entry `latest` has failed, as whoever waits for an agent does, and nothing else."""
    tag = {"tag": "latest", "phase": "Failed", "version": 1, "completionTime": "2026-01-01T00:00:00Z", **said}
    node_image.replace_status({"desired": 1, "failed": 1, "imageStatuses": {key: {"tags": [tag]}}})


def test_a_restart_pulls_nothing_again_and_says_the_same(
    node_image: NodeImageOnServer, start_agent: StartAgent, containerd: Containerd, push: Push, faults: FaultProxy
) -> None:
    """Finished entries of either policy stand as they stood, word for word, and the registry hears nothing."""
    images = [push(name, tag="v1", seed=seed).at(faults.host) for seed, name in enumerate(("app", "tool"))]
    agent = start_agent(node_image, containerd)
    node_image.want_all(
        {
            images[0].key: {"tags": [entry("v1", version=4)]},
            images[1].key: {"tags": [entry("v1", version=5, policy="Always")]},
        }
    )
    before = node_image.until_status(lambda status: status.get("succeeded") == 2, what="both are there")
    asked = faults.traffic.requests()
    code = agent.stop()
    agent.start()
    last = push("last", tag="v1", seed=9)

    node_image.want(last.key, entry("v1"))
    after = node_image.until_status(lambda status: status["succeeded"] == 3, what="what came later is there")

    assert 0 == code
    assert before["imageStatuses"] == {image.key: after["imageStatuses"][image.key] for image in images}
    assert asked == faults.traffic.requests()
    assert 1 == agent.metric("prewarm_attempts_total")


def test_a_failure_is_not_tried_again_by_a_restart(
    node_image: NodeImageOnServer, start_agent: StartAgent, containerd: Containerd, push: Push, faults: FaultProxy
) -> None:
    """A new round is for whoever writes the entry to grant: the same version keeps its answer."""
    key = f"{faults.host}/absent"
    agent = start_agent(node_image, containerd)
    node_image.want(key, entry("v1"))
    before = node_image.ended(key, "v1")
    asked = faults.traffic.requests()
    agent.stop()
    agent.start()
    last = push("last", tag="v1")

    node_image.want(last.key, entry("v1"))
    node_image.ended(last.key, "v1")

    assert "Failed" == before["phase"]
    assert before == node_image.tag(key, "v1")
    assert asked == faults.traffic.requests()


def test_an_image_that_was_removed_while_the_agent_was_away_is_pulled_again(
    node_image: NodeImageOnServer, start_agent: StartAgent, containerd: Containerd, push: Push
) -> None:
    """A status is no proof: what it tells is looked for, and brought back in the same version (8.2 number 2)."""
    image = push("app", tag="v1")
    agent = start_agent(node_image, containerd)
    node_image.want(image.key, entry("v1", version=4))
    node_image.ended(image.key, "v1", version=4)

    agent.stop()
    containerd.ctr("images", "rm", "--sync", image.reference)
    agent.start()
    until(lambda: agent.metric("prewarm_evictions_total"), what="the removal is noticed", timeout_seconds=30)
    # The runtime is asked, not the status: within one second the new answer reads as the old one, and no watch tells.
    until(lambda: image.reference in containerd.images(), what="the image is back", timeout_seconds=30)
    status = node_image.ended(image.key, "v1", version=4)

    assert (4, 1, f"{image.key}@{image.image_id}") == (status["version"], status["attempt"], status["imageID"])


def test_what_was_written_while_the_agent_was_away_is_done(
    node_image: NodeImageOnServer, start_agent: StartAgent, containerd: Containerd, push: Push
) -> None:
    """A newer version is pulled, an entry that is gone loses its status."""
    image, gone = push("app", tag="v1"), push("gone", tag="v1", seed=1)
    agent = start_agent(node_image, containerd)
    node_image.want_all({one.key: {"tags": [entry("v1")]} for one in (image, gone)})
    node_image.until_status(lambda status: status.get("succeeded") == 2, what="both are there")
    agent.stop()
    moved = push("app", tag="v1", seed=2)

    node_image.unwant(gone.key)
    node_image.want(image.key, entry("v1", version=2, policy="Always"))
    agent.start()
    said = node_image.ended(image.key, "v1", version=2)
    status = node_image.status

    assert (True, moved.digest) == (said["changed"], said["digest"])
    assert [image.key] == list(status["imageStatuses"])
    assert (1, 1) == (status["desired"], status["succeeded"])


def test_an_agent_that_is_told_to_end_says_where_it_stopped(
    node_image: NodeImageOnServer, start_agent: StartAgent, containerd: Containerd, push: Push, faults: FaultProxy
) -> None:
    """
    SIGTERM in a pull: exit code 0 within the grace period, Waiting as the last word, what was fetched kept.

    The next process goes on there, and the interrupted attempt does not count.
    """
    pull = StuckPull(push, faults)
    image = pull.image
    agent = start_agent(node_image, containerd)
    node_image.want(image.key, entry(image.tag))
    node_image.until(image.key, image.tag, lambda found: found["phase"] == "Pulling", what="is pulled")
    pull.until_stuck()

    code = agent.stop()
    status = node_image.status
    kept = our_leases(containerd)
    agent.start()
    ended = node_image.ended(image.key, image.tag)

    assert 0 == code
    assert "Waiting" == status["imageStatuses"][image.key]["tags"][0]["phase"]
    assert (1, 0, 1) == (status["desired"], status["pulling"], status["waiting"])
    assert 1 == len(kept)
    assert ("Succeeded", 1, image.digest) == (ended["phase"], ended["attempt"], ended["digest"])
    assert 0 <= pull.sent_again_bytes <= IN_FLIGHT_BYTES
    assert [] == our_leases(containerd)


def test_an_idle_agent_ends_at_once(
    node_image: NodeImageOnServer, start_agent: StartAgent, containerd: Containerd, registry: Registry
) -> None:
    """Also with a failed entry, and with a runtime that is away."""
    key = f"{registry.host}/absent"
    agent = start_agent(node_image, containerd)
    node_image.want(key, entry("v1"))
    node_image.ended(key, "v1")
    containerd.stop()

    code = agent.stop()
    last = [line["event"] for line in agent.lines()][-2:]

    assert 0 == code
    assert ["agent_stopping", "agent_stopped"] == last


@pytest.mark.parametrize("said", IN_ANOTHERS_WORDS)
def test_what_another_wrote_in_a_silent_agents_place_is_not_believed(
    node_image: NodeImageOnServer,
    start_agent: StartAgent,
    containerd: Containerd,
    push: Push,
    faults: FaultProxy,
    said: Json,
) -> None:
    """Killed in a pull and written off, the next process goes on with the pull: it is no answer of this node's."""
    pull = StuckPull(push, faults)
    image = pull.image
    agent = start_agent(node_image, containerd)
    node_image.want(image.key, entry(image.tag))
    pull.until_stuck()

    agent.kill()
    failed_by_another(node_image, image.key, said)
    agent.start()
    status = node_image.until(image.key, image.tag, lambda found: found["phase"] == "Succeeded", what="is there")

    assert {"reason", "message"}.isdisjoint(status)
    assert image.digest == status["digest"]
    assert (1, 0) == (node_image.status["succeeded"], node_image.status["failed"])


@pytest.mark.parametrize("said", IN_ANOTHERS_WORDS)
def test_what_another_wrote_in_a_living_agents_place_is_replaced(
    node_image: NodeImageOnServer,
    start_agent: StartAgent,
    containerd: Containerd,
    push: Push,
    faults: FaultProxy,
    said: Json,
) -> None:
    """A pull that goes on is told as Pulling again at once, and its end is told as it is."""
    pull = StuckPull(push, faults)
    image = pull.image
    agent = start_agent(node_image, containerd)
    node_image.want(image.key, entry(image.tag, pullPolicy={"backoffLimit": 1}))
    node_image.until(image.key, image.tag, lambda found: found["phase"] == "Pulling", what="is pulled")
    pull.until_stuck()

    failed_by_another(node_image, image.key, said)
    node_image.until(image.key, image.tag, lambda found: found["phase"] == "Pulling", what="is pulled again")
    running = agent.state()["counts"]["attempts_running"]
    faults.clear()
    status = node_image.until(image.key, image.tag, lambda found: found["phase"] == "Succeeded", what="is there")

    assert 1 == running
    assert image.digest == status["digest"]
