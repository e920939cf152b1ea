"""daemonset.yaml is what deploy/base says, and a real API server takes it as it is."""

import base64
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.render import BASE, MANIFEST, ROOT, render
from tests.servers.apiserver import ApiServer
from tests.servers.apiserver_access import ApiFailed, Json
from tests.servers.binaries import kubernetes
from tests.servers.deployment import ACCOUNT, NAMESPACE, OWN, apply
from tests.servers.fixtures_apiserver import Names


def _objects() -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(MANIFEST.read_text(encoding="utf-8")))


def _template() -> Json:
    (daemonset,) = (found for found in _objects() if found["kind"] == "DaemonSet")
    template: Json = daemonset["spec"]["template"]
    return template


def _pod() -> Json:
    template = _template()
    metadata = {"generateName": f"{ACCOUNT}-", "labels": template["metadata"]["labels"]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"]}


def test_the_file_is_what_the_folder_says() -> None:
    """Whoever applies the file gets what `kubectl apply -k deploy/base` gives; `make manifest` renders it anew."""
    rendered = render(BASE, kubectl=kubernetes().kubectl)

    assert list(yaml.safe_load_all(rendered)) == _objects()


def test_the_folder_renders_without_a_complaint() -> None:
    """No part of the kustomization is on its way out."""
    done = subprocess.run(
        [kubernetes().kubectl, "kustomize", BASE], check=True, capture_output=True, text=True, timeout=60
    )

    assert "" == done.stderr


def test_a_clean_cluster_takes_the_file_in_one_go(deployed: ApiServer) -> None:
    """Each object is accepted in the order of the file, and the API server warns of nothing."""
    assert len(_objects()) == len(apply(deployed).splitlines())


def test_applying_the_file_again_changes_nothing(deployed: ApiServer) -> None:
    """A pipeline that applies it every hour restarts no agent and moves no version."""
    assert {"unchanged"} == {line.rpartition(" ")[2] for line in apply(deployed).splitlines()}


def test_the_agent_s_pod_is_admitted_in_its_namespace(deployed: ApiServer) -> None:
    """Pod Security lets it in, and its priority is the low one that never preempts."""
    said = deployed.kubectl(
        "create", "--warnings-as-errors", "--dry-run=server", "-n", NAMESPACE, "-f", "-", "-o", "json",
        stdin=json.dumps(_pod()),
    )  # fmt: skip

    spec = json.loads(said)["spec"]
    assert (-10, "Never") == (spec["priority"], spec["preemptionPolicy"])


def test_only_the_socket_s_folder_keeps_the_pod_from_the_strictest_level(deployed: ApiServer, names: Names) -> None:
    """The namespace is privileged for the hostPath; in every other way the Pod is what `restricted` asks for."""
    name = names("restricted")
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    deployed.request("POST", "/api/v1/namespaces", {"metadata": {"name": name, "labels": labels}})
    deployed.account(name, ACCOUNT)

    with pytest.raises(ApiFailed) as refused:
        deployed.request("POST", f"/api/v1/namespaces/{name}/pods?dryRun=All", _pod())

    violations = refused.value.body["message"].partition(' violates PodSecurity "restricted:latest": ')[2]
    assert 'restricted volume types (volume "runtime" uses restricted volume type "hostPath")' == violations


def test_the_token_that_the_pod_mounts_ends_after_an_hour(deployed: ApiServer) -> None:
    """A stolen one is of use for an hour; the one that Kubernetes mounts by itself is put off to a year."""
    (source,) = (volume["projected"]["sources"] for volume in _template()["spec"]["volumes"] if "projected" in volume)
    (seconds,) = (each["serviceAccountToken"]["expirationSeconds"] for each in source if "serviceAccountToken" in each)

    claims = _claims(deployed.token(NAMESPACE, ACCOUNT, node=OWN, seconds=seconds))

    assert 3600 == claims["exp"] - claims["iat"]


def test_the_overlay_of_the_document_renders(tmp_path: Path) -> None:
    """A person whose runtime is elsewhere, or whose image is in a registry of their own, copies it from the README."""
    shutil.copytree(ROOT / "deploy", tmp_path / "deploy")
    readme = (ROOT / "deploy/README.md").read_text(encoding="utf-8")
    overlay = tmp_path / "deploy/overlays/mine"
    overlay.mkdir(parents=True)
    (overlay / "kustomization.yaml").write_text(readme.split("```yaml\n")[1].split("```")[0])

    objects = list(yaml.safe_load_all(render(overlay, kubectl=kubernetes().kubectl)))

    spec = next(found["spec"]["template"]["spec"] for found in objects if found["kind"] == "DaemonSet")
    (container,) = spec["containers"]
    mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    paths = {volume["name"]: volume["hostPath"]["path"] for volume in spec["volumes"] if "hostPath" in volume}
    assert ("registry.example.com/prewarm:0.1.0", paths["runtime"]) == (container["image"], mounts["runtime"])
    assert "/run/k3s/containerd" == paths["runtime"]


def _claims(token: str) -> dict[str, int]:
    payload = token.split(".")[1]
    claims: dict[str, int] = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return claims
