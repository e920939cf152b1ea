"""The scenes of a cluster that is ours: what is brought about, when it is recorded, and what is concluded of it."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from tests.recorded.book import Conclusion
from tests.recorded.stage import GONE, PUBLIC, Stage
from tests.servers import cri
from tests.servers.agent import AgentProcess
from tests.servers.containerd import Containerd
from tests.servers.faults import Fault, Reset
from tests.servers.jobs import JobOnServer
from tests.servers.nodeimages import Json, NodeImageOnServer
from tests.servers.openkruise.daemon import Daemon
from tests.servers.openkruise.manager_access import manager_client
from tests.servers.traffic import Kind


SLOW_BYTES_A_SECOND = 400_000
FAST_BYTES_A_SECOND = 1e9
SILENT_SECONDS = 240.0
PULLING = Conclusion(stand="Pulling", group="cold", takes_slot=True)
GRANTED = Conclusion(stand="Granted", group="cold", takes_slot=True)
# What others said in a silent agent's place answers nothing.
SILENT = Conclusion(stand="Granted", group="skipped", skip="AgentSilent")
WARM = Conclusion(stand="Succeeded", group="warm")


def tag_of(found: Json, image: str) -> Json:
    """Return what a NodeImage's status says of an image, {} for nothing."""
    repository, _, tag = image.rpartition(":")
    tags = found.get("status", {}).get("imageStatuses", {}).get(repository, {}).get("tags", [])
    return next((one for one in tags if one["tag"] == tag), {})


def until(node: NodeImageOnServer, image: str, condition: Callable[[Json], bool], *, seconds: float = 60) -> Json:
    """Return the NodeImage as it is when what is said of an image first fits."""
    return node.until_object(
        lambda found: condition(tag_of(found, image)), what=f"{image} on {node.name}", timeout_seconds=seconds
    )


def is_phase(phase: str, *, version: int = 0) -> Callable[[Json], bool]:
    """Return what tells whether an image is in a phase, of a version or later."""
    return lambda said: said.get("phase") == phase and said.get("version", 0) >= version


def record_all(stage: Stage) -> None:
    """Record every scene; a coordinator leads."""
    node = stage.node("worker-1")
    containerd = stage.containerd("c1")
    stage.agent(node.name, containerd, options=["--max-concurrent-pulls", "1"])
    _pulls(stage, node)
    _owners(stage, node)
    _failures(stage, node)
    _private(stage, node)
    _kept_warm(stage, node, containerd)
    _refresh(stage, node)
    _beside(stage)
    _silent(stage)


def _pulls(stage: Stage, node: NodeImageOnServer) -> None:
    slow, later = stage.image("slow", layers=4), stage.image("later", seed=1)
    stage.proxy.limit(SLOW_BYTES_A_SECOND)
    first = stage.job("slow", slow.reference, node=node, prewarm={"priority": 5, "minFree": "1%"})
    until(node, slow.reference, is_phase("Pulling"))
    second = stage.job("later", later.reference, node=node, sandboxConfig={"labels": {"team": "a"}})
    until(node, later.reference, is_phase("Waiting"))
    found = until(node, slow.reference, lambda said: said.get("bytes", {}).get("done", 0) > 0)
    both = {first: PULLING, second: GRANTED}
    stage.record_found(
        "pulling-and-waiting", tells="one pull with bytes, one that waits for a slot", found=found, jobs=both
    )
    first.edit({"prewarm": {"suspend": True}})
    found = until(node, slow.reference, lambda said: said.get("reason") == "Suspended")
    suspended = Conclusion(stand="Granted", group="cold")
    stage.record_found("suspended", tells="a pull that its job has suspended", found=found, jobs={first: suspended})
    stage.proxy.limit(FAST_BYTES_A_SECOND)
    first.edit({"prewarm": {"suspend": False}})
    until(node, slow.reference, is_phase("Succeeded"))
    until(node, later.reference, is_phase("Succeeded"))
    stage.record("succeeded", tells="two images that came", node=node, jobs={first: WARM, second: WARM})
    _end(node, first, second)


def _owners(stage: Stage, node: NodeImageOnServer) -> None:
    one, two = stage.image("app", tag="v1", seed=2), stage.image("app", tag="v2", seed=3)
    first = stage.job("app-v1", one.reference, node=node, imagePullPolicy="IfNotPresent")
    other = stage.job("app-v2", two.reference, node=node)
    pinned = stage.job("app-digest", one.reference_by_digest, node=node, kind="Never")
    first.ended()
    other.ended()
    pinned.until_ready(nodes=1)
    again = stage.job("app-v1-again", one.reference, node=node, imagePullPolicy="Always")
    again.ended()
    jobs = {first: WARM, other: WARM, pinned: WARM, again: WARM}
    stage.record(
        "two-owners-several-tags",
        tells="two tags and a digest of one repository; a second job asked the registry again",
        node=node,
        jobs=jobs,
    )
    _end(node, *jobs)


def _failures(stage: Stage, node: NodeImageOnServer) -> None:
    private = stage.private_image("secret")
    images = {
        "missing": (f"{PUBLIC}/missing:v1", "ImageNotFound"),
        "locked": (private.reference, "Unauthorized"),
        "away": (f"{GONE}/app:v1", "RegistryUnavailable"),
    }
    jobs = {
        stage.job(name, image, node=node): Conclusion(stand="Failed", group="cold", reason=reason)
        for name, (image, reason) in images.items()
    }
    for image, _ in images.values():
        until(node, image, is_phase("Failed"))
    stage.record("failed", tells="no such image, no credential, no registry", node=node, jobs=jobs)
    _end(node, *jobs)


def _private(stage: Stage, node: NodeImageOnServer) -> None:
    image = stage.private_image("private")
    stage.pull_secret("regcred")
    job = stage.job("private", image.reference, node=node, pullSecrets=["regcred"])
    job.ended()
    stage.record("pull-secret", tells="a private image, by a copy of its job's secret", node=node, jobs={job: WARM})
    _end(node, job)


def _kept_warm(stage: Stage, node: NodeImageOnServer, containerd: Containerd) -> None:
    image = stage.image("kept", layers=2, seed=4)
    kept = stage.job("kept", image.reference, node=node, kind="Never")
    kept.until_ready(nodes=1)
    stage.proxy.limit(SLOW_BYTES_A_SECOND)
    cri.remove(containerd.endpoint, image.reference, timeout_seconds=30)
    found = until(node, image.reference, is_phase("Pulling"))
    stage.record_found(
        "evicted-and-pulled-again",
        tells="the image was removed and is brought back, same version",
        found=found,
        jobs={kept: PULLING},
    )
    stage.proxy.limit(FAST_BYTES_A_SECOND)
    until(node, image.reference, is_phase("Succeeded"))
    for _ in range(2):
        cri.remove(containerd.endpoint, image.reference, timeout_seconds=30)
        until(node, image.reference, lambda said: said.get("phase") != "Succeeded")
        until(node, image.reference, is_phase("Succeeded"))
    stage.record("eviction-loop", tells="removed three times, and there", node=node, jobs={kept: WARM})
    _end(node, kept)


def _refresh(stage: Stage, node: NodeImageOnServer) -> None:
    image = stage.image("nightly", seed=5)
    job = stage.job("nightly", image.reference, node=node, kind="Never", imagePullPolicy="Always")
    job.until_ready(nodes=1)
    version: int = tag_of(node.read(), image.reference)["version"]
    stage.break_off(Fault(Reset(), kind=Kind.MANIFEST, times=None))
    at = datetime.now(UTC) + timedelta(seconds=2)
    job.edit({"prewarm": {"refresh": {"at": f"{at:%Y-%m-%dT%H:%M:%SZ}"}}})
    until(node, image.reference, is_phase("Failed", version=version + 1))
    stale = Conclusion(stand="Failed", group="stale", reason="RegistryUnavailable")
    stage.record(
        "refresh-failed", tells="yesterday's image is there, and its refresh has failed", node=node, jobs={job: stale}
    )
    stage.proxy.clear()
    _end(node, job)


def _beside(stage: Stage) -> None:
    node = stage.node("worker-2")
    containerd = stage.containerd("c2")
    node.until_object(lambda _: True, what="its NodeImage")
    image = stage.image("theirs", seed=6)
    client = manager_client(stage.apiserver, user_agent="kruise-daemon/v1.9.0")
    with Daemon(client, node=node.name, endpoint=containerd.endpoint):
        job = stage.job("theirs", image.reference, node=node)
        job.ended()
    stage.record(
        "kruise-daemon", tells="our coordinator, and kruise-daemon in our agent's place", node=node, jobs={job: WARM}
    )


def _silent(stage: Stage) -> None:
    alone, silent = stage.node("worker-3"), stage.node("worker-4")
    containerd = stage.containerd("c4")
    agent: AgentProcess = stage.agent(silent.name, containerd)
    image = stage.image("big", layers=4, seed=7)
    stage.proxy.limit(SLOW_BYTES_A_SECOND)
    job = stage.job("no-agent", image.reference, node=alone)
    open_job = stage.job("big", image.reference, node=silent)
    until(silent, image.reference, is_phase("Pulling"))
    agent.kill()
    found = until(silent, image.reference, lambda said: said.get("reason") == "AgentSilent", seconds=SILENT_SECONDS)
    stage.record_found("agent-silent", tells="the agent has died in a pull", found=found, jobs={open_job: SILENT})
    nobody = Conclusion(stand="Granted", group="skipped", skip="NoAgent")
    stage.record("no-agent", tells="nobody answers there", node=alone, jobs={job: nobody})


def _end(node: NodeImageOnServer, *jobs: JobOnServer) -> None:
    """Take jobs away, and wait until the node wants nothing."""
    for job in jobs:
        job.delete()
    node.until_object(lambda found: not found["spec"].get("images"), what=f"{node.name} wants nothing")
