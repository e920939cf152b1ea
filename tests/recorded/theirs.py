"""The scenes of a cluster with OpenKruise's manager and CRDs, by the stand-ins of its manager and daemon."""

from tests.behaviour.openkruise.cluster import SHAPES, Cluster
from tests.recorded.book import Conclusion
from tests.recorded.scenes import PULLING, SILENT, SLOW_BYTES_A_SECOND, WARM, is_phase, until
from tests.recorded.stage import NAMESPACE, PUBLIC, Stage
from tests.servers.jobs import JobOnServer
from tests.servers.nodeimages import NodeImageOnServer
from tests.servers.openkruise.daemon import Daemon
from tests.servers.openkruise.manager import Manager
from tests.servers.openkruise.manager_access import manager_client
from tests.servers.openkruise.manager_pace import Limits


def record_all(stage: Stage, *, shape: str) -> None:
    """Record every scene on the CRDs of a shape, such as like-1.9."""
    release = SHAPES[shape].release
    cluster = Cluster(stage.apiserver, release=release, namespace=NAMESPACE)

    def on(name: str) -> NodeImageOnServer:
        cluster.create_node(name)
        return NodeImageOnServer(stage.apiserver, name, version=str(release))

    def job(name: str, image: str, node: NodeImageOnServer) -> JobOnServer:
        cluster.create_job(name, image=image, node=node.name, pullPolicy={"backoffLimit": 0})
        return JobOnServer(stage.apiserver, NAMESPACE, name, version=str(release))

    limits = Limits(creation_delay_seconds=0)
    with Manager(manager_client(stage.apiserver), release=release, limits=limits) as manager:
        manager.start()
        theirs, ours = on("worker-1"), on("worker-2")
        for node in (theirs, ours):
            node.until_object(lambda _: True, what="its NodeImage")
        stage.agent(ours.name, stage.containerd("c2"))
        image = stage.image("app", layers=4)
        stage.proxy.limit(SLOW_BYTES_A_SECOND * 2)
        client = manager_client(stage.apiserver, user_agent="kruise-daemon/v1.9.0")
        with Daemon(client, node=theirs.name, endpoint=stage.containerd("c1").endpoint, release=release):
            app = job("app", image.reference, theirs)
            found = until(theirs, image.reference, is_phase("Pulling"))
            stage.record_found(
                f"openkruise-{shape}-pulling", tells="kruise-daemon pulls", found=found, jobs={app: PULLING}
            )
            until(theirs, image.reference, is_phase("Succeeded"))
            missing = f"{PUBLIC}/missing:v1"
            gone = job("missing", missing, theirs)
            found = until(theirs, missing, is_phase("Failed"))
            failed = Conclusion(stand="Failed", group="cold", reason="PullFailed")
            stage.record_found(
                f"openkruise-{shape}-ended",
                tells="kruise-daemon has one image, and failed at another",
                found=found,
                jobs={app: WARM, gone: failed},
            )
        app = job("app-ours", image.reference, ours)
        found = until(ours, image.reference, is_phase("Succeeded"))
        stage.record_found(
            f"openkruise-{shape}-our-agent",
            tells="our agent, told by OpenKruise's manager",
            found=found,
            jobs={app: WARM},
        )
    _watchdog(stage, cluster, on("worker-3"), shape=shape)


def _watchdog(stage: Stage, cluster: Cluster, node: NodeImageOnServer, *, shape: str) -> None:
    limits = Limits(creation_delay_seconds=0, response_seconds=-1e9)
    image = f"{PUBLIC}/nobody:v1"
    with Manager(manager_client(stage.apiserver), release=SHAPES[shape].release, limits=limits) as manager:
        manager.start()
        node.until_object(lambda _: True, what="its NodeImage")
        cluster.create_job("nobody", image=image, node=node.name)
        found = until(node, image, is_phase("Failed"))
    job = JobOnServer(stage.apiserver, NAMESPACE, "nobody", version=str(SHAPES[shape].release))
    stage.record_found(
        f"openkruise-{shape}-watchdog",
        tells="OpenKruise's manager speaks for a silent daemon",
        found=found,
        jobs={job: SILENT},
    )
