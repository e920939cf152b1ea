"""The coordinator's Pods in daemonset.yaml: what an operator may rely on; no API server is needed for it."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from daemon import __version__
from daemon.cli import _parser
from daemon.config import COORDINATOR_SETTINGS, CoordinatorSettings
from daemon.coordinator.secrets.names import SOURCE_KEY


ROOT = Path(__file__).parents[2]
OBJECTS: list[dict[str, Any]] = list(yaml.safe_load_all((ROOT / "daemonset.yaml").read_text(encoding="utf-8")))
NAME = "prewarm-coordinator"
DEFAULTS = CoordinatorSettings(identity="any")
SELECTOR = {"app.kubernetes.io/name": NAME, "app.kubernetes.io/instance": "prewarm"}


def _one(kind: str) -> dict[str, Any]:
    (found,) = (each for each in OBJECTS if (each["kind"], each["metadata"]["name"]) == (kind, NAME))
    return found


def _namespaces(kind: str) -> set[str]:
    return {
        each["metadata"]["namespace"] for each in OBJECTS if (each["kind"], each["metadata"]["name"]) == (kind, NAME)
    }


DEPLOYMENT = _one("Deployment")
POD: dict[str, Any] = DEPLOYMENT["spec"]["template"]["spec"]
(CONTAINER,) = POD["containers"]


def test_the_image_and_the_labels_are_of_the_package_s_version() -> None:
    """A release that moves the version moves the manifest with it."""
    labels = [found["metadata"]["labels"] for found in (DEPLOYMENT, DEPLOYMENT["spec"]["template"])]

    assert f"prewarm:{__version__}" == CONTAINER["image"]
    assert [__version__, __version__] == [found["app.kubernetes.io/version"] for found in labels]


def test_each_selector_holds_only_what_never_changes() -> None:
    """A selector can't be changed, so a version or component in it would make the next release impossible to apply."""
    (spread,) = POD["topologySpreadConstraints"]

    assert SELECTOR.items() <= DEPLOYMENT["spec"]["template"]["metadata"]["labels"].items()
    assert [{"matchLabels": SELECTOR}] * 3 == [
        DEPLOYMENT["spec"]["selector"],
        _one("PodDisruptionBudget")["spec"]["selector"],
        spread["labelSelector"],
    ]


def test_one_stands_by_on_another_node() -> None:
    """A node that dies takes one of two; a cluster of one node runs both all the same."""
    (spread,) = POD["topologySpreadConstraints"]

    assert 2 == DEPLOYMENT["spec"]["replicas"]
    assert ("kubernetes.io/hostname", 1, "ScheduleAnyway") == (
        spread["topologyKey"],
        spread["maxSkew"],
        spread["whenUnsatisfiable"],
    )


def test_a_drain_takes_one_at_a_time_and_never_waits_for_a_broken_one() -> None:
    """An upgrade of the cluster is neither held up nor leaves it without a coordinator."""
    budget = _one("PodDisruptionBudget")["spec"]

    assert (1, "AlwaysAllow") == (budget["maxUnavailable"], budget["unhealthyPodEvictionPolicy"])


def test_a_node_that_runs_one_can_be_scaled_away() -> None:
    """It keeps nothing on its node."""
    annotations = DEPLOYMENT["spec"]["template"]["metadata"]["annotations"]

    assert {"cluster-autoscaler.kubernetes.io/safe-to-evict": "true"} == annotations


def test_it_starts_on_a_node_whose_gate_is_closed() -> None:
    """Where every node is new, one must run somewhere to open the first."""
    assert [{"key": DEFAULTS.gate_taint, "operator": "Exists"}] == POD["tolerations"]


def test_the_policy_s_taint_is_the_one_of_the_setting() -> None:
    """A coordinator with its defaults is refused no gate."""
    assert f"'{DEFAULTS.gate_taint}'" == _variables("nodes")["taint"]


def test_the_policy_s_copies_are_those_of_the_setting_and_of_openkruise_s_annotation() -> None:
    """A coordinator with its defaults is refused no copy of a pull secret."""
    variables = _variables("secrets")

    assert (f"'{DEFAULTS.secret_namespace}'", f"'{SOURCE_KEY}'") == (variables["place"], variables["key"])


def test_it_runs_without_what_it_does_not_need() -> None:
    """No root, no capability, no way to gain any, no file to write, nothing of the host."""
    pod = {
        "runAsNonRoot": True,
        "runAsUser": 65532,
        "runAsGroup": 65532,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    container = {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }

    assert pod == POD["securityContext"]
    assert container == CONTAINER["securityContext"]
    assert set() == POD.keys() & {"hostNetwork", "hostPID", "hostIPC"}
    assert [["projected"]] == [sorted(volume.keys() - {"name"}) for volume in POD["volumes"]]


def test_it_is_not_throttled() -> None:
    """A limit of CPU could make it miss the renewal of its Lease."""
    assert {"requests": {"cpu": "50m", "memory": "128Mi"}, "limits": {"memory": "384Mi"}} == CONTAINER["resources"]


@pytest.mark.parametrize(
    ("probe", "path"), [("startupProbe", "/healthz"), ("livenessProbe", "/healthz"), ("readinessProbe", "/readyz")]
)
def test_a_probe_asks_its_own_question(probe: str, path: str) -> None:
    """A loop that stands still is restarted; an API server that is away only makes the Pod unready."""
    assert {"path": path, "port": "http"} == CONTAINER[probe]["httpGet"]


def test_a_slow_start_is_no_standstill() -> None:
    """On a busy node it may take two minutes, and where it does not the Pod is ready within a second of it."""
    startup = CONTAINER["startupProbe"]

    assert (1, 120) == (startup["periodSeconds"], startup["failureThreshold"])


def test_the_arguments_are_ones_that_the_command_takes() -> None:
    """The container's command is the coordinator's, with options that exist."""
    options = _parser().parse_args(CONTAINER["args"])

    assert "prewarm coordinator" == options.parser.prog


def test_the_port_of_the_probes_is_where_it_listens() -> None:
    """The coordinator's default address and the manifest's port are one."""
    (port,) = CONTAINER["ports"]

    assert (DEFAULTS.listen, "http") == (f":{port['containerPort']}", port["name"])


def test_it_is_told_its_pod_and_its_namespace() -> None:
    """The Lease is held by the Pod's name, in the Pod's namespace, where its role lets it."""
    told = {each["name"]: each["valueFrom"]["fieldRef"]["fieldPath"] for each in CONTAINER["env"]}
    taken = {name for setting in COORDINATOR_SETTINGS for name in setting.variables}

    assert {"POD_NAME": "metadata.name", "POD_NAMESPACE": "metadata.namespace"} == told
    assert taken == told.keys()
    assert DEFAULTS.lease_namespace == DEPLOYMENT["metadata"]["namespace"]
    assert {DEFAULTS.lease_namespace, DEFAULTS.secret_namespace} == _namespaces("Role") == _namespaces("RoleBinding")


def _variables(policy: str) -> dict[str, str]:
    name = f"{NAME}-{policy}"
    (found,) = (
        each for each in OBJECTS if (each["kind"], each["metadata"]["name"]) == ("ValidatingAdmissionPolicy", name)
    )
    return {each["name"]: each["expression"] for each in found["spec"]["variables"]}
