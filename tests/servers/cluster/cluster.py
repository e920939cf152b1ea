"""
A cluster on one machine, for tests, benches and people: a control plane, nodes that join and leave, and a registry.

The registry runs outside, on the machine's loopback, behind a FaultProxy that can slow it, cut it and lie; the nodes
reach it as `registry.lab:5000`.
"""

import contextlib
import socket
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from tests.servers import binaries
from tests.servers.apiserver import ApiServer
from tests.servers.cluster import waiting
from tests.servers.cluster.control import ADDRESS, ControlPlaneWithNodes
from tests.servers.cluster.node import Node
from tests.servers.cluster.settings import REGISTRY
from tests.servers.containerd import Hosts
from tests.servers.images import Push
from tests.servers.network import Network, loopback
from tests.servers.processes import until
from tests.servers.proxy import FaultProxy
from tests.servers.registry import Registry


READY_SECONDS: Final = 60.0
USED_UP: Final = (
    "too many clusters at once: fs.inotify.max_user_instances of this machine is used up; end one, or raise it: "
    "sysctl fs.inotify.max_user_instances=512"
)
REGISTRY_PORT: Final = int(REGISTRY.rpartition(":")[2])


class LabCluster:
    """
    A running cluster; a context.

    Args:
        folder: its own, with a short path; credentials and logs are in it.
        nodes: how many there are at the start: node-1, node-2, ...; every third has containerd 2.x.
        flags: of kube-apiserver, beside ours.
    """

    def __init__(self, folder: Path, *, nodes: int = 3, flags: Sequence[str] = ()) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.control = ControlPlaneWithNodes(folder, flags=flags)
        self.apiserver = ApiServer(folder, server=self.control)
        self.registry = Registry(folder / "registry")
        self.network = FaultProxy("")
        self.hosts = Hosts(folder / "hosts")
        self.nodes: dict[str, Node] = {}
        self._first = nodes
        self._joined = 0
        self._open = contextlib.ExitStack()

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as opening:
            opening.enter_context(self.registry)
            self.network.upstream_url = self.registry.url
            opening.enter_context(self.network)
            Push(self.registry)("pause", tag="1", layers=[waiting.layer()], entrypoint=waiting.ENTRYPOINT)
            opening.enter_context(self.apiserver)
            opening.enter_context(self._served(REGISTRY, self.network.port, inside=REGISTRY_PORT))
            opening.callback(self._switch_off)
            for _ in range(self._first):
                self._start(f"node-{self._joined + 1}")
            for name in self.nodes:
                self.until_ready(name)
            self._open = opening.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.close()

    @property
    def kubeconfig(self) -> Path:
        """An administrator's, for use from outside."""
        return self.apiserver.kubeconfig

    def join(self, name: str, **options: Any) -> Node:  # noqa: ANN401 - Node has the types
        """Add a node, with Node's options, and return when it is registered; Ready comes later."""
        node = self._start(name, **options)
        self._until(lambda: bool(self.find(name)), name, what="is registered")
        return node

    def leave(self, name: str) -> None:
        """Cut a node's power, and delete its Node as a cloud's controller does."""
        self.nodes.pop(name).stop()
        self.apiserver.request("DELETE", f"/api/v1/nodes/{name}")

    def serve(self, name: str, port: int) -> None:
        """Let nodes have the registry at 127.0.0.1:port as `name`, from now on; pulls by no other name reach it."""
        self._open.enter_context(self._served(name, port, inside=port))

    def find(self, name: str) -> dict[str, Any]:
        """Return a Node, {} where there is none."""
        found: list[dict[str, Any]] = self.apiserver.request("GET", "/api/v1/nodes")["items"]
        return next((node for node in found if node["metadata"]["name"] == name), {})

    def until_ready(self, name: str) -> None:
        """Wait until a node is Ready."""
        self._until(lambda: _is_ready(self.find(name)), name, what="is Ready")

    def _until(self, condition: Callable[[], bool], name: str, *, what: str) -> None:
        try:
            until(condition, what=f"{name} {what}", timeout_seconds=READY_SECONDS)
        except TimeoutError as error:
            log = self.nodes[name].log()
            if "inotify" in log:
                error.add_note(USED_UP)
            error.add_note(log)
            raise

    def _start(self, name: str, **options: Any) -> Node:  # noqa: ANN401 - Node has the types
        self._joined += 1
        kind = binaries.NEWEST if self._joined % 3 == 0 else binaries.OLDEST
        node = Node(
            name,
            control=self.control,
            number=self._joined,
            folder=self.folder / f"n{self._joined}",
            containerd=options.pop("containerd", None) or binaries.containerd(kind),
            hosts=self.hosts,
            **options,
        )
        self.nodes[name] = node
        node.start()
        return node

    def _switch_off(self) -> None:
        for node in self.nodes.values():
            node.stop()

    def _served(self, name: str, port: int, *, inside: int) -> Network:
        def listen(_port: int) -> socket.socket:
            return self.control.machine.in_network(lambda: socket.create_server((ADDRESS, inside)))

        self.hosts.add(name, f"http://{ADDRESS}:{inside}")
        return Network(loopback(port), listen=listen)


def _is_ready(node: Mapping[str, Any]) -> bool:
    conditions = node.get("status", {}).get("conditions", [])
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)
