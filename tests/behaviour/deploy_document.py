"""
Commands of the documents, run as a person would; and of deploy/README.md its parts, and what its folders render to.

The commands are the document's own, with kubectl on PATH and a cluster as the context.
"""

import os
import re
import subprocess
import time
from pathlib import Path
from typing import Any

import yaml

from deploy.render import ROOT, render
from tests.servers.apiserver import ApiServer
from tests.servers.apiserver_access import Json
from tests.servers.binaries import kubernetes
from tests.servers.shell import programs


README = (ROOT / "deploy/README.md").read_text(encoding="utf-8")
OVERLAYS = sorted(path.parent.name for path in (ROOT / "deploy/overlays").glob("*/kustomization.yaml"))
DIGEST = f"sha256:{'0123456789abcdef' * 4}"
IMAGE = f"registry.example.com/prewarm@{DIGEST}"


def section(heading: str) -> str:
    """Return the text below a heading, up to the next of its level."""
    return README.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]


def block(text: str, words: str = "", *, language: str = "sh") -> str:
    """Return the first block of this language that begins so."""
    blocks: list[str] = re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)
    return next(each for each in blocks if each.startswith(words))


def shell(
    commands: str, *, cluster: ApiServer | None = None, kubeconfig: Path | None = None, folder: Path = ROOT
) -> str:
    """
    Run commands as a person would, with prewarm, kubectl and jq on their PATH, and return what they print.

    Their context is the cluster, or what another kubeconfig says; `image` is ours by digest, and `IMAGE` somebody's.
    A command that fails is a failure here.
    """
    environment = {
        **os.environ,
        **programs(),
        "KUBECONFIG": str(kubeconfig or (cluster.kubeconfig if cluster else "/dev/null")),
        "KUBERC": "off",
        "PASSWORD": "of-a-person",
        "image": IMAGE,
        "IMAGE": "registry.test/base:latest",
    }
    line = ["bash", "-o", "pipefail", "-c", commands]
    done = subprocess.run(line, capture_output=True, text=True, env=environment, cwd=folder, timeout=120, check=False)
    assert 0 == done.returncode, done.stderr
    return done.stdout


def timed(commands: str, *, cluster: ApiServer) -> float:
    """Run commands and return how many seconds they took."""
    began_at = time.monotonic()
    shell(commands, cluster=cluster)
    return time.monotonic() - began_at


def rendered(folder: Path) -> list[dict[str, Any]]:
    """Return the objects of a kustomization."""
    return list(yaml.safe_load_all(render(folder, kubectl=kubernetes().kubectl)))


def one(objects: list[dict[str, Any]], kind: str, name: str) -> Json:
    """Return the object of this kind and name."""
    (found,) = (each for each in objects if (each["kind"], each["metadata"]["name"]) == (kind, name))
    return found


def pod(objects: list[dict[str, Any]], kind: str) -> Json:
    """Return a Pod as a DaemonSet or Deployment among some objects would make it."""
    (found,) = (each for each in objects if each["kind"] == kind)
    template = found["spec"]["template"]
    metadata = {"generateName": "test-", **template["metadata"]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"]}


def images(objects: list[dict[str, Any]]) -> list[str]:
    """Return the image of each container of each Pod that the objects make."""
    pods = [each["spec"]["template"]["spec"] for each in objects if each["kind"] in {"DaemonSet", "Deployment"}]
    kinds = ("initContainers", "containers", "ephemeralContainers")
    return [container["image"] for pod in pods for kind in kinds for container in pod.get(kind, [])]


def apply(apiserver: ApiServer, objects: list[dict[str, Any]]) -> str:
    """Apply objects in their order, and return what kubectl said; a warning of the API server is an error."""
    return apiserver.kubectl("apply", "--warnings-as-errors", "-f", "-", stdin=yaml.safe_dump_all(objects))
