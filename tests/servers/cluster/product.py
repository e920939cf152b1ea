"""Prewarm itself on a cluster: our image in its registry, and a manifest that names it by digest."""

import re
from pathlib import Path
from typing import Final

from deploy.render import MANIFEST, render
from tests.servers import image
from tests.servers.cluster.cluster import LabCluster
from tests.servers.cluster.settings import REGISTRY
from tests.servers.processes import until


NAMESPACE: Final = "prewarm-system"
REPOSITORY: Final = "prewarm"
ROLLOUT_SECONDS: Final = 120
_NAMED: Final = re.compile(r"(?<=image: )prewarm(?:[:@]\S+)?")


class Product:
    """Our image, pushed at construction, and what installs and removes it."""

    def __init__(self, cluster: LabCluster) -> None:
        self._cluster = cluster
        pushed = image.push_to(cluster.registry, image.built(), repository=REPOSITORY)
        self.image = f"{REGISTRY}/{REPOSITORY}@{pushed.digest}"

    def manifest(self, folder: Path | None = None) -> str:
        """Return daemonset.yaml, or what a kustomization renders, with our image in it."""
        kubectl = self._cluster.control.kubectl
        text = MANIFEST.read_text(encoding="utf-8") if folder is None else render(folder, kubectl=kubectl)
        return self.named(text)

    def named(self, text: str) -> str:
        """Return a manifest with our image by digest in place of its name in deploy/."""
        named, count = _NAMED.subn(self.image, text)
        if not count:
            raise ValueError("the manifest names no image of ours")
        return named

    def install(self, folder: Path | None = None) -> None:
        """Apply the manifest and wait until all that it asks for is up."""
        self.apply(self.manifest(folder))
        self.until_up()

    def apply(self, text: str) -> str:
        """Apply a manifest, and return what kubectl says."""
        return self._cluster.apiserver.kubectl("apply", "--filename=-", stdin=text)

    def until_up(self) -> None:
        """Wait until the DaemonSet, and the Deployment where there is one, are rolled out."""
        kubectl = self._cluster.apiserver.kubectl
        found = kubectl("get", "daemonset,deployment", "--namespace", NAMESPACE, "--output=name").split()
        for name in found:
            wait = ("rollout", "status", name, "--namespace", NAMESPACE, f"--timeout={ROLLOUT_SECONDS}s")
            kubectl(*wait, timeout_seconds=ROLLOUT_SECONDS + 10)

    def remove(self, folder: Path | None = None) -> None:
        """Delete everything as the documents say, and wait until its namespace is gone."""
        kubectl = self._cluster.apiserver.kubectl
        kubectl("delete", "--filename=-", "--ignore-not-found", stdin=self.manifest(folder), timeout_seconds=180)

        def is_gone() -> bool:
            return not kubectl("get", "namespace", NAMESPACE, "--ignore-not-found", "--output=name")

        until(is_gone, what=f"namespace {NAMESPACE} is gone", timeout_seconds=60)
