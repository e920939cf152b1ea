"""The agent is killed at any moment, or has more to do than it can: every image comes, and every status is right."""

import random
import time

import msgspec
import pytest

from tests.faults.history import History
from tests.servers.agent import AgentProcess
from tests.servers.containerd import Containerd
from tests.servers.fixtures_agent import ON_NEWEST, StartAgent
from tests.servers.images import Push, PushedImage
from tests.servers.nodeimages import Json, NodeImageOnServer, entry
from tests.servers.processes import until
from tests.servers.proxy import FaultProxy


pytestmark = ON_NEWEST

KILLS = 20
LONGEST_LIFE_SECONDS = 3.0
LAYER_BYTES = 256 << 10
# What lies in buffers of an image's three layers when its pull is cut is sent once more, and is far below this.
AGAIN_BYTES = 3 * (64 << 10)
UNREPORTED_SECONDS = 3.0


class Kill(msgspec.Struct, frozen=True, kw_only=True):
    """One life of an agent: how long it was, from the first instruction on, and how much had come by its end."""

    life_seconds: float
    sent_bytes: int


class Story:
    """Images of three layers each in their own version, half of them under Always, from a slow registry."""

    def __init__(self, push: Push, faults: FaultProxy) -> None:
        self.faults = faults
        self.images = tuple(
            push(f"app-{number}", tag="v1", layers=[LAYER_BYTES] * 3, seed=number).at(faults.host)
            for number in range(8)
        )
        self.versions = {image.key: 10 + number for number, image in enumerate(self.images)}

    @property
    def total_bytes(self) -> int:
        """The size of all layers."""
        return sum(image.layer_bytes for image in self.images)

    def wish(self) -> Json:
        """Return what a manager writes into the NodeImage's spec."""
        bounds = {"backoffLimit": 3}
        return {
            image.key: {
                "tags": [
                    entry(
                        "v1",
                        version=self.versions[image.key],
                        policy="Always" if number % 2 else "IfNotPresent",
                        pullPolicy=bounds,
                    )
                ]
            }
            for number, image in enumerate(self.images)
        }

    def asked_after(self, image: PushedImage, *, at_seconds: float) -> list[str]:
        """Return what the registry was asked about an image after a moment."""
        asked = self.faults.traffic.requests()
        return [
            f"{one.kind} {one.reference}" for one in asked if one.repository == image.repository and one.at > at_seconds
        ]


@pytest.fixture
def dice() -> random.Random:
    """Dice of a seed that is printed where the test fails; --randomly-seed of the whole run gives the same again."""
    seed = random.getrandbits(32)
    print(f"the seed of this test is {seed}")  # noqa: T201 - pytest shows it with a failure
    return random.Random(seed)  # noqa: S311 - a test's dice


def live_and_die(agent: AgentProcess, faults: FaultProxy, *, life_seconds: float) -> Kill:
    """Start the agent and kill it after so long, wherever it is by then."""
    ends_at = time.monotonic() + life_seconds
    agent.process.start(lambda: time.monotonic() >= ends_at)
    agent.kill()
    return Kill(life_seconds=life_seconds, sent_bytes=faults.traffic.blob_bytes())


def ours(containerd: Containerd) -> list[str]:
    """Name what is held or half-fetched."""
    leases = [name for name in containerd.leases() if name.startswith("prewarm-")]
    return leases + containerd.ctr("content", "active").splitlines()[1:]


@pytest.mark.timeout(240)
def test_an_agent_that_is_killed_at_twenty_moments_brings_every_image(
    node_image: NodeImageOnServer,
    start_agent: StartAgent,
    containerd: Containerd,
    push: Push,
    faults: FaultProxy,
    dice: random.Random,
) -> None:
    """Every status is a success of the first attempt, nothing is left held, and next to nothing is fetched twice."""
    story = Story(push, faults)
    # Nearly all of it comes while the agent lives so, since it needs a part of each life to begin.
    faults.limit(story.total_bytes / (KILLS * LONGEST_LIFE_SECONDS / 4))
    agent = start_agent(node_image, containerd)
    node_image.want_all(story.wish())
    agent.kill()

    with History(node_image) as history:
        kills = [
            live_and_die(agent, faults, life_seconds=dice.uniform(0.0, LONGEST_LIFE_SECONDS)) for _ in range(KILLS)
        ]
        cut_in_the_midst = sum(1 for kill in kills if 0 < kill.sent_bytes < story.total_bytes)
        faults.clear()
        agent.start()
        status = node_image.until_status(
            lambda status: status.get("succeeded") == len(story.images), what="all have ended"
        )
        agent.until_state(lambda state: not state["leaving"], what="nothing is left to let go of")
    again = {
        image.key: story.asked_after(image, at_seconds=history.first_seconds(image.key, "v1", phase="Succeeded"))
        for image in story.images
    }

    print(kills)  # noqa: T201 - pytest shows it with a failure
    said = {key: value["tags"][0] for key, value in status["imageStatuses"].items()}
    assert {image.key: (story.versions[image.key], "Succeeded", image.digest, 1) for image in story.images} == {
        key: (tag["version"], tag["phase"], tag["digest"], tag["attempt"]) for key, tag in said.items()
    }
    assert {image.reference: image.digest for image in story.images}.items() <= containerd.images().items()
    assert [] == ours(containerd)
    assert {image.key: [] for image in story.images} == again
    assert {"Waiting", "Pulling", "Succeeded"} >= history.phases
    assert story.total_bytes + cut_in_the_midst * AGAIN_BYTES >= faults.traffic.blob_bytes()


def test_a_pull_that_was_cut_in_its_last_moments_is_completed(
    node_image: NodeImageOnServer, start_agent: StartAgent, containerd: Containerd, push: Push, faults: FaultProxy
) -> None:
    """
    The runtime had named the image by its tag and not yet by its digest: it is asked for again, which brings no layer.

    An image that looks so without ever having been pulled by us, as from an archive, is left as it is.
    """
    image = push("app", tag="v1", layers=[LAYER_BYTES] * 2).at(faults.host)
    foreign = push("foreign", tag="v1", seed=1).at(faults.host)
    agent = start_agent(node_image, containerd)
    faults.limit(LAYER_BYTES / 4)
    node_image.want(image.key, entry("v1"))
    until(lambda: faults.traffic.blob_bytes() > LAYER_BYTES // 4, what="the pull is on its way", timeout_seconds=60)
    agent.kill()
    faults.clear()
    for one in (image, foreign):
        containerd.pull(one.reference)
        containerd.ctr("images", "rm", one.reference_by_digest)
    sent = {layer.digest: faults.traffic.bytes_of(layer.digest) for layer in image.layers}
    killed_seconds = time.monotonic()

    node_image.want(foreign.key, entry("v1"))
    agent.start()
    complete, left = node_image.ended(image.key, "v1"), node_image.ended(foreign.key, "v1")

    assert ("Succeeded", image.digest, 1) == (complete["phase"], complete["digest"], complete["attempt"])
    assert image.digest == containerd.images()[image.reference_by_digest]
    assert sent == {layer.digest: faults.traffic.bytes_of(layer.digest) for layer in image.layers}
    assert [] == ours(containerd)
    assert ("Succeeded", False) == (left["phase"], "digest" in left)
    assert {image.repository} == {one.repository for one in faults.traffic.requests() if one.at > killed_seconds}


def test_twenty_images_on_two_slots_are_all_reported_at_once(
    node_image: NodeImageOnServer, start_agent: StartAgent, containerd: Containerd, push: Push, faults: FaultProxy
) -> None:
    """
    Who waits for a slot says so: a manager takes what nobody reports for lost.

    OpenKruise's does after ten minutes, our coordinator after one.
    """
    images = [
        push(f"app-{number:02}", tag="v1", layers=[LAYER_BYTES], seed=number).at(faults.host) for number in range(20)
    ]
    start_agent(node_image, containerd, options=["--max-concurrent-pulls", "2"])
    node_image.until_status(lambda status: "prewarm" in status, what="the first report")
    faults.limit(LAYER_BYTES / 10)

    with History(node_image) as history:
        node_image.want_all({image.key: {"tags": [entry("v1", version=5)]} for image in images})
        granted_seconds = time.monotonic()
        reported = node_image.until_status(
            lambda status: len(status.get("imageStatuses", {})) == len(images), what="all are reported"
        )
        seconds = time.monotonic() - granted_seconds
        faults.clear()
        status = node_image.until_status(lambda status: status["succeeded"] == len(images), what="all have ended")

    assert UNREPORTED_SECONDS > seconds
    assert (20, 2, 18) == (reported["desired"], reported["pulling"], reported["waiting"])
    assert 0 == status["failed"]
    assert {5} == {tag["version"] for sight in history.sights for tag in sight.tags().values()}
    assert {"Waiting", "Pulling", "Succeeded"} == history.phases
