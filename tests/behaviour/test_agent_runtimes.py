"""What an agent and its runtime make of each other: on each supported containerd, and on one that is scripted."""

from pathlib import Path

from tests.behaviour.stuck import IN_FLIGHT_BYTES, StuckPull
from tests.servers.containerd import Containerd
from tests.servers.fixtures_agent import StartAgent
from tests.servers.images import Push
from tests.servers.nodeimages import NodeImageOnServer, entry
from tests.servers.processes import until
from tests.servers.proxy import FaultProxy
from tests.servers.scripted_cri import ScriptedCri


def test_a_wanted_image_is_pulled_and_its_status_says_all_of_it(
    node_image: NodeImageOnServer, start_agent: StartAgent, containerd: Containerd, push: Push
) -> None:
    """OpenKruise's fields and ours, in the version of the entry; the image is in the runtime."""
    image = push("app", tag="v1")
    start_agent(node_image, containerd)

    node_image.want(image.key, entry("v1", version=4))
    status = node_image.ended(image.key, "v1", version=4)

    assert {image.reference: image.digest}.items() <= containerd.images().items()
    assert {
        "tag": "v1",
        "phase": "Succeeded",
        "version": 4,
        "progress": 100,
        "imageID": f"{image.key}@{image.image_id}",
        "digest": image.digest,
        "attempt": 1,
        "changed": True,
    } == {name: value for name, value in status.items() if not name.endswith("Time")}
    assert status["startTime"] <= status["completionTime"]


def test_an_agent_that_is_killed_in_a_pull_goes_on_where_it_was(
    node_image: NodeImageOnServer, start_agent: StartAgent, containerd: Containerd, push: Push, faults: FaultProxy
) -> None:
    """The next process takes over what lies there and fetches the rest; the attempt that was cut does not count."""
    pull = StuckPull(push, faults)
    image = pull.image
    agent = start_agent(node_image, containerd)
    node_image.want(image.key, entry(image.tag))
    node_image.until(image.key, image.tag, lambda found: found["phase"] == "Pulling", what="is pulled")
    pull.until_stuck()

    agent.kill()
    agent.start()
    status = node_image.ended(image.key, image.tag)

    assert ("Succeeded", 1, image.digest) == (status["phase"], status["attempt"], status["digest"])
    assert 0 <= pull.sent_again_bytes <= IN_FLIGHT_BYTES
    assert image.digest == containerd.images()[image.reference]
    assert [] == [name for name in containerd.leases() if name.startswith("prewarm-")]


def test_a_removed_image_is_brought_back(
    node_image: NodeImageOnServer, start_agent: StartAgent, containerd: Containerd, push: Push
) -> None:
    """Nobody asks for it: the runtime's own word is enough."""
    image = push("app", tag="v1")
    agent = start_agent(node_image, containerd)
    node_image.want(image.key, entry("v1"))
    node_image.ended(image.key, "v1")

    containerd.ctr("images", "rm", image.reference)
    until(lambda: agent.metric("prewarm_evictions_total"), what="the removal is noticed", timeout_seconds=30)
    until(lambda: image.reference in containerd.images(), what="the image is back", timeout_seconds=30)

    assert "Succeeded" == node_image.ended(image.key, "v1")["phase"]


def test_a_runtime_that_is_not_there_yet_is_waited_for(
    node_image: NodeImageOnServer, start_agent: StartAgent, containerd: Containerd, push: Push
) -> None:
    """An agent may be started first: it is alive, says what it waits for, and spends no attempt on it."""
    image = push("app", tag="v1")
    containerd.stop()
    agent = start_agent(node_image, containerd)
    node_image.want(image.key, entry("v1"))
    waiting = node_image.until(image.key, "v1", bool, what="is reported")
    alive, ready = agent.get("/healthz")[0], agent.get("/readyz")[0]

    containerd.start()
    status = node_image.ended(image.key, "v1")
    agent.until_ready()

    assert ("Waiting", 200, 503) == (waiting["phase"], alive, ready)
    assert ("Succeeded", 1) == (status["phase"], status["attempt"])


def test_the_runtime_gets_the_sandbox_config_of_the_repository(
    node_image: NodeImageOnServer, start_agent: StartAgent, workdir: Path
) -> None:
    """Labels and annotations as they stand there, with each pull of the repository and with no other; and who pulls."""
    config = {"labels": {"app": "web", "example.com/team": "a"}, "annotations": {"example.com/handler": "kata"}}
    by_us = {"apps.kruise.io/pulling-image-by": "kruise-daemon"}
    given = {"labels": config["labels"], "annotations": {**config["annotations"], **by_us}}
    with ScriptedCri(workdir / "cri.sock") as runtime:
        start_agent(node_image, runtime)
        node_image.want_all(
            {
                "registry.example/app": {"tags": [entry("v1"), entry("v2")], "sandboxConfig": config},
                "registry.example/other": {"tags": [entry("v1")]},
            }
        )
        status = node_image.until_status(lambda status: status.get("succeeded") == 3, what="all are there")

    assert "scripted://1" == status["prewarm"]["agent"]["runtime"]
    assert {
        "registry.example/app:v1": given,
        "registry.example/app:v2": given,
        "registry.example/other:v1": {"labels": {}, "annotations": by_us},
    } == {pull.image: {"labels": pull.labels, "annotations": pull.annotations} for pull in runtime.pulls}
