"""Each overlay differs from the base in what deploy/README.md says and in nothing else, and overlays go together."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
import yaml

from daemon.runtime.detection import CANDIDATES
from deploy.render import BASE, ROOT
from tests.behaviour.deploy_document import IMAGE, OVERLAYS, apply, block, pod, rendered, section, shell
from tests.servers import namespaces
from tests.servers.apiserver import ApiServer
from tests.servers.apiserver_access import Json
from tests.servers.deployment import ACCOUNT, NAMESPACE, SECRETS


Objects = dict[tuple[str, str, str], Json]
FOLDERS = {"k3s": "/run/k3s/containerd", "cri-o": "/run/crio"}
COORDINATOR = "prewarm-coordinator"
POLICY_KINDS = {"ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"}
POLICIES = {(kind, f"{COORDINATOR}-{name}") for kind in POLICY_KINDS for name in ("nodes", "jobs", "secrets", "events")}
AGENT_POLICIES = {(kind, f"{ACCOUNT}-{name}") for kind in POLICY_KINDS for name in ("nodeimages", "events")}
READS_SECRETS = {(kind, f"{COORDINATOR}-secrets") for kind in ("ClusterRole", "ClusterRoleBinding")}
DEPLOYED = {("Deployment", COORDINATOR), ("PodDisruptionBudget", COORDINATOR)}
BOUND = {("ClusterRoleBinding", ACCOUNT), ("RoleBinding", ACCOUNT)}
DAEMONSET = {("DaemonSet", ACCOUNT)}
# What is gone and what is changed, of the base, by kind and name.
DIFFERENCES = {
    "k3s": (set(), DAEMONSET),
    "cri-o": (set(), DAEMONSET),
    "no-policy": (POLICIES | AGENT_POLICIES, DEPLOYED),
    "restricted-secrets": (READS_SECRETS, set()),
    "daemonset-only": (READS_SECRETS | AGENT_POLICIES | DEPLOYED | {("ServiceAccount", ACCOUNT)}, BOUND | DAEMONSET),
}
COMBINATIONS = [
    *((runtime, other) for runtime in FOLDERS for other in sorted({*DIFFERENCES, "with-openkruise"} - {*FOLDERS})),
    ("k3s", "no-policy", "daemonset-only"),
    ("k3s", "no-policy", "restricted-secrets"),
    ("k3s", "no-policy", "with-openkruise"),
]


def _named(objects: list[dict[str, Any]]) -> Objects:
    return {(each["kind"], each["metadata"]["name"], each["metadata"].get("namespace", "")): each for each in objects}


def _short(keys: set[tuple[str, str, str]]) -> set[tuple[str, str]]:
    return {(kind, name) for kind, name, _ in keys}


@pytest.fixture(scope="module")
def base() -> Objects:
    """What daemonset.yaml is made from."""
    return _named(rendered(BASE))


@pytest.fixture(scope="module")
def overlays() -> dict[str, Objects]:
    """What each overlay renders to."""
    return {name: _named(rendered(ROOT / f"deploy/overlays/{name}")) for name in OVERLAYS}


def test_every_overlay_has_its_row_and_its_component() -> None:
    """Whoever looks for theirs finds it in the table, and every one can be combined."""
    rows = {line.split("`")[1].removeprefix("overlays/") for line in section("Overlays").splitlines() if "| `" in line}

    assert set(OVERLAYS) == rows == {path.name for path in (ROOT / "deploy/components").iterdir()}
    assert set(OVERLAYS) == {*DIFFERENCES, "with-openkruise"}


@pytest.mark.parametrize("overlay", DIFFERENCES)
def test_an_overlay_differs_from_the_base_in_these_objects(
    base: Objects, overlays: dict[str, Objects], overlay: str
) -> None:
    """It brings nothing new, and every other object is the base's to the last field."""
    gone, changed = DIFFERENCES[overlay]
    found = overlays[overlay]

    assert found.keys() <= base.keys()
    assert gone == _short(base.keys() - found.keys())
    assert changed == _short({key for key, each in found.items() if each != base[key]}) | (changed & gone)


@pytest.mark.parametrize(("overlay", "folder"), FOLDERS.items())
def test_a_runtime_s_overlay_moves_its_folder_alone(
    base: Objects, overlays: dict[str, Objects], overlay: str, folder: str
) -> None:
    """Mount and host folder are the one where the agent looks for that runtime's socket."""
    key = ("DaemonSet", ACCOUNT, NAMESPACE)

    assert _moved(base[key], folder=folder) == overlays[overlay][key]
    assert PurePosixPath(folder) in [PurePosixPath("/") / PurePosixPath(each).parent for each in CANDIDATES]


def test_without_policies_two_fields_are_gone(base: Objects, overlays: dict[str, Objects]) -> None:
    """The ones that Kubernetes 1.25 does not know; everything else of Pods and budget is as ever."""
    budget, deployment = (
        json.loads(json.dumps(base[kind, COORDINATOR, NAMESPACE])) for kind in ("PodDisruptionBudget", "Deployment")
    )
    assert "AlwaysAllow" == budget["spec"].pop("unhealthyPodEvictionPolicy")
    (spread,) = deployment["spec"]["template"]["spec"]["topologySpreadConstraints"]
    assert ["pod-template-hash"] == spread.pop("matchLabelKeys")

    found = overlays["no-policy"]

    assert [budget, deployment] == [found[each["kind"], COORDINATOR, NAMESPACE] for each in (budget, deployment)]


def test_what_is_lost_without_policies_is_told_whole(base: Objects) -> None:
    """Each policy has its line: a person who goes without them knows what each token may then do."""
    told = {line.split("`")[1] for line in section("Kubernetes 1.25 to 1.29").splitlines() if line.startswith("| `")}

    assert {name for kind, name, _ in base if kind in POLICY_KINDS} | {
        "matchLabelKeys",
        "unhealthyPodEvictionPolicy",
    } == told


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of deploy/, for overlays of one's own."""
    folder = tmp_path_factory.mktemp("combined") / "deploy"
    shutil.copytree(ROOT / "deploy", folder)
    return folder


@pytest.mark.parametrize("parts", COMBINATIONS, ids="+".join)
def test_components_go_together(
    checkout: Path, base: Objects, overlays: dict[str, Objects], parts: tuple[str, ...]
) -> None:
    """What one takes away is gone, what one changes is changed, in either order; the rest is the base's."""
    runtime, *others = parts
    kept = set.intersection(*(set(overlays[part]) for part in others))
    changed = {key: overlays[part][key] for part in others for key in kept if overlays[part][key] != base[key]}
    daemonset = ("DaemonSet", ACCOUNT, NAMESPACE)
    expected = {key: changed.get(key, base[key]) for key in kept}
    expected[daemonset] = _moved(expected[daemonset], folder=FOLDERS[runtime])

    assert [expected] * 2 == [_combined(checkout, each) for each in (parts, parts[::-1])]


def _moved(daemonset: Json, *, folder: str) -> Json:
    moved: Json = json.loads(json.dumps(daemonset).replace('"/run/containerd"', f'"{folder}"'))
    return moved


def _combined(checkout: Path, parts: tuple[str, ...]) -> Objects:
    folder = checkout / "overlays/combined"
    folder.mkdir(exist_ok=True)
    wanted = {"sortOptions": {"order": "fifo"}, "resources": ["../../base"]}
    components = {"components": [f"../../components/{part}" for part in parts]}
    (folder / "kustomization.yaml").write_text(yaml.safe_dump(wanted | components), encoding="utf-8")
    return _named(rendered(folder))


@pytest.mark.parametrize(
    ("first", "second"), [("k3s", "cri-o"), ("no-policy", "k3s"), ("daemonset-only", "restricted-secrets")]
)
def test_overlays_come_and_go(apiserver: ApiServer, overlays: dict[str, Objects], first: str, second: str) -> None:
    """Applied again they change nothing, one takes another's place, and a folder takes away all that it brought."""
    with namespaces.ending(apiserver, (NAMESPACE, SECRETS)):
        apply(apiserver, list(overlays[first].values()))
        apply(apiserver, list(overlays[second].values()))
        said = apply(apiserver, list(overlays[second].values())).splitlines()
        apiserver.kubectl("delete", "-k", ROOT / f"deploy/overlays/{second}", "--ignore-not-found")

        # kubectl says so of each PodDisruptionBudget each time: its patch replaces the selector whole.
        assert ["poddisruptionbudget.policy/prewarm-coordinator configured"] == [
            line for line in said if not line.endswith(" unchanged")
        ]
        assert ["", ""] == [
            apiserver.kubectl("get", "-k", ROOT / f"deploy/overlays/{each}", "--ignore-not-found", "-o", "name")
            for each in (first, second)
        ]


@pytest.fixture
def private(apiserver: ApiServer, checkout: Path) -> Iterator[ApiServer]:
    """A cluster with the document's overlay of one's own, by its commands."""
    text = section("An overlay of your own")
    mine = checkout / "overlays/mine"
    mine.mkdir()
    (mine / "kustomization.yaml").write_text(block(text, language="yaml"), encoding="utf-8")
    with namespaces.ending(apiserver, (NAMESPACE, SECRETS)):
        shell(block(text), cluster=apiserver, folder=checkout.parent)
        yield apiserver
        apiserver.kubectl("delete", "-k", mine, "--ignore-not-found")


def test_an_image_of_a_private_registry_is_pulled_on_k3s(private: ApiServer) -> None:
    """By its digest, with the pull secret that every Pod gets through its account."""
    found = json.loads(private.kubectl("get", "daemonset,deployment", "-n", NAMESPACE, "-o", "json"))["items"]
    pods = [pod(found, kind) for kind in ("DaemonSet", "Deployment")]
    made = [private.request("POST", f"/api/v1/namespaces/{NAMESPACE}/pods?dryRun=All", each)["spec"] for each in pods]

    assert [IMAGE] * 2 == [container["image"] for each in made for container in each["containers"]]
    assert [[{"name": "registry"}]] * 2 == [each["imagePullSecrets"] for each in made]
    assert FOLDERS["k3s"] in json.dumps(made[0]["volumes"])
