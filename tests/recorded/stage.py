"""
The servers that a recording needs: an API server, registries, nodes with a containerd and an agent, jobs.

All are the tests' own, and nothing is scripted. Names of registries are example.com's, so that a recording tells
nothing of the machine.
"""

import contextlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tests.recorded.book import Conclusion, write
from tests.servers import binaries
from tests.servers.agent import AgentProcess
from tests.servers.apiserver import ApiServer
from tests.servers.containerd import Containerd, Hosts
from tests.servers.faults import Fault
from tests.servers.images import Push, PushedImage
from tests.servers.jobs import JobOnServer, job
from tests.servers.nodeimages import Json, NodeImageOnServer
from tests.servers.nodes import NodeOnServer
from tests.servers.proxy import FaultProxy
from tests.servers.registry import Registry


NAMESPACE: Final = "team-a"
PUBLIC: Final = "registry.example.com"
PRIVATE: Final = "private.example.com"
GONE: Final = "gone.example.com"
USER: Final = ("anna", "anna's password")


class Stage(contextlib.ExitStack):
    """
    Everything of one recording.

    Args:
        folder: for its servers; its path has to be short.
        recordings: where scenes are written.
        apiserver: running, with the kinds in it.
        version: of the API that jobs and NodeImages are read and written in.
    """

    def __init__(self, folder: Path, *, recordings: Path, apiserver: ApiServer, version: str = "v1beta1") -> None:
        super().__init__()
        self.apiserver = apiserver
        self._folder = folder
        self._recordings = recordings
        self._version = version
        self.hosts = Hosts(folder / "hosts")
        registry = self.enter_context(Registry(folder / "registry"))
        private = self.enter_context(Registry(folder / "private", users=dict([USER])))
        self.proxy = self.enter_context(FaultProxy(registry.url))
        self._push, self._push_private = Push(registry), Push(private, user=USER)
        self.hosts.add(PUBLIC, self.proxy.url)
        self.hosts.add(PRIVATE, private.url)
        self.hosts.add(GONE, "http://127.0.0.1:9")
        apiserver.request("POST", "/api/v1/namespaces", {"metadata": {"name": NAMESPACE}})

    def node(self, name: str) -> NodeImageOnServer:
        """Bring a Node without anything on it; its NodeImage is made by whoever leads."""
        NodeOnServer(self.apiserver, name).create()
        return NodeImageOnServer(self.apiserver, name, version=self._version)

    def containerd(self, name: str) -> Containerd:
        """Start a node's runtime."""
        binary = binaries.containerd(binaries.NEWEST)
        return self.enter_context(Containerd(binary, self._folder / name, hosts=self.hosts, max_concurrent_downloads=1))

    def agent(self, name: str, containerd: Containerd, *, options: Sequence[str] = ()) -> AgentProcess:
        """Start a node's agent."""
        folder = self._folder / f"agent-{name}"
        return self.enter_context(
            AgentProcess(self.apiserver, folder, node_name=name, endpoint=containerd.endpoint, options=options)
        )

    def image(self, repository: str, *, tag: str = "v1", layers: int = 1, seed: int = 0) -> PushedImage:
        """Push an image, of mebibytes."""
        return self._push(repository, tag=tag, layers=[1 << 20] * layers, seed=seed).at(PUBLIC)

    def private_image(self, repository: str) -> PushedImage:
        """Push one that asks for a credential."""
        return self._push_private(repository, tag="v1").at(PRIVATE)

    def pull_secret(self, name: str) -> None:
        """Create a Secret beside the jobs that opens the private registry."""
        config = {"auths": {PRIVATE: {"username": USER[0], "password": USER[1]}}}
        secret = {
            "metadata": {"name": name},
            "type": "kubernetes.io/dockerconfigjson",
            "stringData": {".dockerconfigjson": json.dumps(config)},
        }
        self.apiserver.request("POST", f"/api/v1/namespaces/{NAMESPACE}/secrets", secret)

    def break_off(self, fault: Fault) -> None:
        """Have the registry break what fits."""
        self.proxy.add(fault)

    def job(
        self, name: str, image: str, *, node: NodeImageOnServer, kind: str = "Always", **spec: object
    ) -> JobOnServer:
        """Create a job for one node; one attempt each turn unless `spec` says otherwise."""
        one = JobOnServer(self.apiserver, NAMESPACE, name, version=self._version)
        policy = {"backoffLimit": 0, "timeoutSeconds": 120}
        one.create(job(image, kind=kind, **{"selector": {"names": [node.name]}, "pullPolicy": policy, **spec}))
        return one

    def record(self, name: str, *, tells: str, node: NodeImageOnServer, jobs: dict[JobOnServer, Conclusion]) -> Json:
        """Write the node as it is now."""
        found = node.read()
        self.record_found(name, tells=tells, found=found, jobs=jobs)
        return found

    def record_found(self, name: str, *, tells: str, found: Json, jobs: dict[JobOnServer, Conclusion]) -> None:
        """Write the node as it was when it was read."""
        concludes = {one.name: conclusion for one, conclusion in jobs.items()}
        objects = [one.read() for one in jobs]
        write(self._recordings, name, tells=tells, node_image=found, jobs=objects, concludes=concludes)
