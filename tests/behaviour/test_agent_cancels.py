"""What becomes of a pull under way when its entry changes: suspended, withdrawn, or wanted in a newer version."""

from tests.behaviour.stuck import IN_FLIGHT_BYTES, LAYER_BYTES, StuckPull
from tests.servers.containerd import Containerd
from tests.servers.fixtures_agent import ON_NEWEST, StartAgent
from tests.servers.images import Push
from tests.servers.nodeimages import Json, NodeImageOnServer, entry
from tests.servers.processes import until
from tests.servers.proxy import FaultProxy


pytestmark = ON_NEWEST


def suspended(tag: str) -> Json:
    """Return an entry whose every owner is suspended."""
    return entry(tag, prewarm={"suspended": True})


def is_suspended(said: Json) -> bool:
    """Tell whether a status says so."""
    return bool(said.get("reason") == "Suspended")


def our_leases(containerd: Containerd) -> list[str]:
    """Name the holds."""
    return [name for name in containerd.leases() if name.startswith("prewarm-")]


def open_downloads(containerd: Containerd) -> list[str]:
    """List the downloads that containerd has open."""
    return containerd.ctr("content", "active").splitlines()[1:]


def test_a_suspended_entry_waits_until_it_is_resumed(
    node_image: NodeImageOnServer, start_agent: StartAgent, containerd: Containerd, push: Push, faults: FaultProxy
) -> None:
    """It is Waiting with reason Suspended, asks nothing of a registry and holds up nobody else."""
    image, other = push("app", tag="v1").at(faults.host), push("other", tag="v1")
    start_agent(node_image, containerd, options=["--max-concurrent-pulls", "1"])

    node_image.want_all({image.key: {"tags": [suspended("v1")]}, other.key: {"tags": [entry("v1")]}})
    node_image.ended(other.key, "v1")
    waiting = node_image.until(image.key, "v1", is_suspended, what="is suspended")
    asked = faults.traffic.requests()
    node_image.want(image.key, entry("v1"))
    resumed = node_image.ended(image.key, "v1")

    assert ("Waiting", 1, ()) == (waiting["phase"], waiting["version"], asked)
    assert ("Succeeded", 1) == (resumed["phase"], resumed["attempt"])
    assert "reason" not in resumed


def test_a_pull_that_is_suspended_goes_on_where_it_was(
    node_image: NodeImageOnServer, start_agent: StartAgent, containerd: Containerd, push: Push, faults: FaultProxy
) -> None:
    """Suspended in the midst, it keeps what it has; resumed, the same attempt fetches only the rest."""
    pull = StuckPull(push, faults)
    image = pull.image
    start_agent(node_image, containerd)
    node_image.want(image.key, entry(image.tag))
    pull.until_stuck()

    node_image.want(image.key, suspended(image.tag))
    waiting = node_image.until(image.key, image.tag, is_suspended, what="is suspended")
    kept = our_leases(containerd)
    node_image.want(image.key, entry(image.tag))
    status = node_image.ended(image.key, image.tag)

    assert ("Waiting", 1) == (waiting["phase"], len(kept))
    assert ("Succeeded", 1, image.digest) == (status["phase"], status["attempt"], status["digest"])
    assert 0 <= pull.sent_again_bytes <= IN_FLIGHT_BYTES
    assert [] == our_leases(containerd)


def test_a_pull_that_is_withdrawn_leaves_nothing_behind(
    node_image: NodeImageOnServer, start_agent: StartAgent, containerd: Containerd, push: Push, faults: FaultProxy
) -> None:
    """The status goes at once; the runtime's downloads, what they had fetched and our hold are gone soon after."""
    pull = StuckPull(push, faults)
    agent = start_agent(node_image, containerd)
    node_image.want(pull.image.key, entry(pull.image.tag))
    pull.until_stuck()
    held = our_leases(containerd)

    node_image.unwant(pull.image.key)
    status = node_image.until_status(lambda status: not status.get("imageStatuses"), what="the status is gone")
    agent.until_state(lambda state: not state["leaving"], what="nothing is left to let go of")

    assert 1 == len(held)
    assert {0} == {status[name] for name in ("desired", "succeeded", "failed", "pulling", "waiting")}
    assert ([], []) == (our_leases(containerd), open_downloads(containerd))
    assert ({}, set()) == (containerd.images(), containerd.blobs())


def test_a_newer_version_does_not_restart_a_running_pull(
    node_image: NodeImageOnServer, start_agent: StartAgent, containerd: Containerd, push: Push, faults: FaultProxy
) -> None:
    """The pull that runs answers the newer version too, so nothing is fetched twice."""
    image = push(layers=[LAYER_BYTES] * 3).at(faults.host)
    faults.limit(LAYER_BYTES)
    agent = start_agent(node_image, containerd)
    node_image.want(image.key, entry(image.tag))
    until(lambda: faults.traffic.blob_bytes() > LAYER_BYTES // 2, what="the pull is on its way", timeout_seconds=60)

    node_image.want(image.key, entry(image.tag, version=2))
    node_image.until(image.key, image.tag, lambda found: found["version"] == 2, what="is of version 2")
    faults.clear()
    status = node_image.ended(image.key, image.tag, version=2)

    assert ("Succeeded", image.digest) == (status["phase"], status["digest"])
    assert [layer.size_bytes for layer in image.layers] == [
        faults.traffic.bytes_of(layer.digest) for layer in image.layers
    ]
    assert 0 == agent.metric("prewarm_attempts_total", result="cancelled")
