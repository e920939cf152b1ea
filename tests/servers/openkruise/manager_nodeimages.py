"""
One pass over a NodeImage: made for a ready Node, labelled as it, cleaned, watched, deleted after it.

What is decided stands in manager_collection.py and manager_watchdog.py; here it is written.
"""

from datetime import UTC
from typing import Final

import msgspec

from tests.servers.openkruise.manager_collection import Known, collected
from tests.servers.openkruise.manager_metadata import Node
from tests.servers.openkruise.manager_nodeimage import NodeImage
from tests.servers.openkruise.manager_objects import GROUP, Release
from tests.servers.openkruise.manager_pace import Limits, Pace
from tests.servers.openkruise.manager_store import Store
from tests.servers.openkruise.manager_watchdog import Failure, watched


FAKE_LABEL: Final = "apps.kruise.io/fake-nodeimage"

_SOURCE: Final = "nodeimage-controller"


class NodeImageController:
    """Keeps one NodeImage for each Node, one pass at a time."""

    def __init__(self, store: Store, *, release: Release, limits: Limits) -> None:
        self._store = store
        self._release = release
        self._limits = limits

    def reconcile(self, name: str, *, pace: Pace) -> None:
        """Do what a Node's NodeImage needs now, but for its status."""
        node, node_image = self._store.nodes.get(name), self._store.node_images.get(name)
        is_gone = node is None or node.metadata.deletion_timestamp is not None
        if node_image is None:
            if node is not None and not is_gone and self._is_due(node, pace=pace):
                self._store.create_node_image(name)
        elif is_gone and FAKE_LABEL not in node_image.metadata.labels:
            self._store.delete_node_image(name)
        else:
            self._store.change_node_image(name, lambda cached: self._kept(cached, node=node, pace=pace))

    def watch(self, node_image: NodeImage, *, pace: Pace) -> None:
        """Fail what takes too long, unless the spec is about to be written."""
        node = self._store.nodes.get(node_image.metadata.name)
        if self._kept(node_image, node=node, pace=pace) != node_image:
            return
        found = watched(node_image, pace=pace, limits=self._limits)
        if found is None:
            return
        self._store.put_node_image_status(found.node_image)
        for failure in found.failures:
            self._tell(failure, node_image=node_image, pace=pace)

    def _is_due(self, node: Node, *, pace: Pace) -> bool:
        if node.metadata.labels.get("type") == "virtual-kubelet":
            return False
        ready = next((each for each in node.status.conditions if each.type == "Ready" and each.status == "True"), None)
        since = ready.last_transition_time if ready else None
        return since is not None and pace.elapsed_seconds(since) >= self._limits.creation_delay_seconds

    def _kept(self, node_image: NodeImage, *, node: Node | None, pace: Pace) -> NodeImage:
        kept = collected(node_image, known=self._known(), pace=pace)
        if node is None:
            return kept
        metadata = msgspec.structs.replace(kept.metadata, labels=node.metadata.labels)
        return msgspec.structs.replace(kept, metadata=metadata)

    def _known(self) -> Known:
        jobs, secrets = self._store.jobs.all(), self._store.secrets.all()
        return Known(
            jobs={(job.metadata.namespace, job.metadata.name): job.metadata.uid for job in jobs},
            secrets={(secret.metadata.namespace, secret.metadata.name) for secret in secrets},
        )

    def _tell(self, failure: Failure, *, node_image: NodeImage, pace: Pace) -> None:
        at = pace.now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        own = {
            "apiVersion": f"{GROUP}/{self._release}",
            "kind": "NodeImage",
            "name": node_image.metadata.name,
            "uid": node_image.metadata.uid,
        }
        owners = [msgspec.to_builtins(owner) for owner in failure.entry.owner_references]
        for involved in (*owners, own):
            namespace = involved.get("namespace", "default")
            self._store.create_event(
                _event(failure, involved=involved, namespace=namespace, at=at), namespace=namespace
            )


def _event(failure: Failure, *, involved: dict[str, str], namespace: str, at: str) -> dict[str, object]:
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"generateName": f"{involved['name']}.", "namespace": namespace},
        "involvedObject": involved,
        "type": "Warning",
        "reason": "PullImageFailed",
        "message": f"{failure.repository}:{failure.entry.tag}: {failure.message}",
        "source": {"component": _SOURCE},
        "firstTimestamp": at,
        "lastTimestamp": at,
        "count": 1,
    }
