"""
daemonset.yaml says what docs/security.md says, and what an operator may rely on; no API server is needed for it.

Here: the file as a whole, and the agent's Pods. The coordinator's are test_daemonset_coordinator.py's.
"""

from pathlib import Path, PurePosixPath
from typing import Any

import pytest
import yaml

from daemon import __version__
from daemon.cli import _parser
from daemon.config import AgentSettings
from daemon.coordinator.decoding import VIRTUAL_LABELS
from daemon.runtime.detection import CANDIDATES
from tests.rights import documented, granted


ROOT = Path(__file__).parents[2]
OBJECTS: list[dict[str, Any]] = list(yaml.safe_load_all((ROOT / "daemonset.yaml").read_text(encoding="utf-8")))
ACCOUNTS = ("prewarm-agent", "prewarm-coordinator")
POLICIES = [found for found in OBJECTS if found["kind"] == "ValidatingAdmissionPolicy"]
(DAEMONSET,) = (found for found in OBJECTS if found["kind"] == "DaemonSet")
POD: dict[str, Any] = DAEMONSET["spec"]["template"]["spec"]
(CONTAINER,) = POD["containers"]


def _of(*kinds: str) -> list[dict[str, Any]]:
    return [found for found in OBJECTS if found["kind"] in kinds]


def _subject(account: str) -> dict[str, str]:
    return {"kind": "ServiceAccount", "name": account, "namespace": "prewarm-system"}


def _places(*kinds: str) -> list[int]:
    return [index for index, found in enumerate(OBJECTS) if found["kind"] in kinds]


def test_the_image_is_of_the_package_s_version() -> None:
    """A release that moves the version moves the manifest with it."""
    assert f"prewarm:{__version__}" == CONTAINER["image"]


def test_the_version_label_is_the_package_s_version() -> None:
    """Whoever lists objects by their labels sees which version made them."""
    labels = [found["metadata"]["labels"] for found in (DAEMONSET, DAEMONSET["spec"]["template"])]

    assert [__version__, __version__] == [found["app.kubernetes.io/version"] for found in labels]


def test_the_selector_holds_only_what_never_changes() -> None:
    """A selector can't be changed, so a version or component in it would make the next release impossible to apply."""
    expected = {"app.kubernetes.io/name": "prewarm-agent", "app.kubernetes.io/instance": "prewarm"}

    assert {"matchLabels": expected} == DAEMONSET["spec"]["selector"]
    assert expected.items() <= DAEMONSET["spec"]["template"]["metadata"]["labels"].items()


def test_the_agent_runs_without_what_it_does_not_need() -> None:
    """Beside the socket it has no power: no root, no capability, no way to gain any, no file to write."""
    pod = {"runAsNonRoot": True, "runAsUser": 65532, "runAsGroup": 0, "seccompProfile": {"type": "RuntimeDefault"}}
    container = {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }

    assert pod == POD["securityContext"]
    assert container == CONTAINER["securityContext"]


def test_the_agent_shares_no_namespace_of_the_host() -> None:
    """It sees neither the host's network nor its processes."""
    assert set() == POD.keys() & {"hostNetwork", "hostPID", "hostIPC"}


def test_the_host_s_only_folder_is_the_one_of_containerd_s_socket() -> None:
    """Detection finds the socket at its usual place, and the folder, unlike the socket, survives a new one."""
    folder = f"/{PurePosixPath(CANDIDATES[0]).parent}"
    (volume,) = (found for found in POD["volumes"] if "hostPath" in found)
    (mount,) = (found for found in CONTAINER["volumeMounts"] if found["name"] == volume["name"])

    assert {"path": folder, "type": "Directory"} == volume["hostPath"]
    assert folder == mount["mountPath"]


def test_mounts_of_other_containers_end_when_the_host_ends_them() -> None:
    """The folder of containerd is full of mounts; without propagation the agent would keep a dead Pod's memory."""
    (mount,) = (found for found in CONTAINER["volumeMounts"] if found["name"] == "runtime")

    assert ("HostToContainer", True) == (mount["mountPropagation"], mount["readOnly"])


def test_the_agent_runs_on_every_linux_node_with_a_runtime() -> None:
    """No taint keeps it away, but virtual nodes and other systems do: those that the coordinator grants nothing."""
    (term,) = POD["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"]

    assert [{"operator": "Exists"}] == POD["tolerations"]
    assert {"kubernetes.io/os": "linux"} == POD["nodeSelector"]
    assert [{"key": key, "operator": "NotIn", "values": [value]} for key, value in VIRTUAL_LABELS.items()] == (
        term["matchExpressions"]
    )


def test_the_agent_pushes_no_pod_off_a_node() -> None:
    """Its priority lies below a Pod's default and it never preempts."""
    (priority,) = _of("PriorityClass")

    assert priority["metadata"]["name"] == POD["priorityClassName"]
    assert "Never" == priority["preemptionPolicy"]
    assert -10 <= priority["value"] < 0


def test_the_agent_asks_for_little_and_is_not_throttled() -> None:
    """A limit of CPU would make it late just when a pull ends."""
    assert {
        "requests": {"cpu": "10m", "memory": "48Mi"},
        "limits": {"memory": "96Mi"},
    } == CONTAINER["resources"]


def test_a_new_version_replaces_a_tenth_of_the_agents_at_a_time() -> None:
    """An update takes minutes on a large cluster, not a day, and gives each agent time to write its last status."""
    assert {"maxUnavailable": "10%"} == DAEMONSET["spec"]["updateStrategy"]["rollingUpdate"]
    assert 30 == POD["terminationGracePeriodSeconds"]


@pytest.mark.parametrize(
    ("probe", "path"), [("startupProbe", "/healthz"), ("livenessProbe", "/healthz"), ("readinessProbe", "/readyz")]
)
def test_a_probe_asks_its_own_question(probe: str, path: str) -> None:
    """A loop that stands still is restarted; a runtime or API server that is away only makes the Pod unready."""
    assert {"path": path, "port": "http"} == CONTAINER[probe]["httpGet"]


def test_a_slow_start_is_no_standstill() -> None:
    """On a busy node it may take two minutes, and where it does not the Pod is ready within a second of it."""
    startup = CONTAINER["startupProbe"]

    assert (1, 120) == (startup["periodSeconds"], startup["failureThreshold"])


def test_the_arguments_are_ones_that_the_command_takes() -> None:
    """The container's command is the agent's, with options that exist."""
    options = _parser().parse_args(CONTAINER["args"])

    assert "prewarm agent" == options.parser.prog


def test_the_port_of_the_probes_is_where_the_agent_listens() -> None:
    """The agent's default address and the manifest's port are one."""
    (port,) = CONTAINER["ports"]

    assert AgentSettings(node_name="any").listen == f":{port['containerPort']}"
    assert "http" == port["name"]


def test_the_agent_is_told_its_node_and_its_pod() -> None:
    """The node's name is never guessed, and events name the Pod that tells them."""
    told = {each["name"]: each["valueFrom"]["fieldRef"]["fieldPath"] for each in CONTAINER["env"]}

    assert {"NODE_NAME": "spec.nodeName", "POD_NAME": "metadata.name"} == told


@pytest.mark.parametrize("account", ACCOUNTS)
def test_roles_grant_what_the_document_says(account: str) -> None:
    """Every right stands in docs/security.md with its reason, and nothing else is granted."""
    assert documented(account) == granted(OBJECTS, account=account)


def test_every_right_goes_to_the_account_that_it_is_named_after() -> None:
    """No group and no other account gains anything by installing Prewarm."""
    bindings = _of("ClusterRoleBinding", "RoleBinding")
    accounts = [binding["metadata"]["name"].removesuffix("-secrets") for binding in bindings]

    assert set(ACCOUNTS) == set(accounts)
    assert [[_subject(account)] for account in accounts] == [binding["subjects"] for binding in bindings]


@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: policy["metadata"]["name"])
def test_each_policy_fails_closed_and_denies(policy: dict[str, Any]) -> None:
    """A policy that can't be evaluated refuses, and each has a binding that makes it hold."""
    bindings = [each["spec"] for each in _of("ValidatingAdmissionPolicyBinding")]
    actions = [each["validationActions"] for each in bindings if each["policyName"] == policy["metadata"]["name"]]

    assert "Fail" == policy["spec"]["failurePolicy"]
    assert [["Deny", "Audit"]] == actions


@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: policy["metadata"]["name"])
def test_each_policy_looks_at_the_account_alone_that_it_is_named_after(policy: dict[str, Any]) -> None:
    """A fault in a policy of ours can't stop anybody else's work."""
    account, _, _ = policy["metadata"]["name"].rpartition("-")
    name = f"system:serviceaccount:prewarm-system:{account}"

    assert account in ACCOUNTS
    assert [f"request.userInfo.username == '{name}'"] == [
        condition["expression"] for condition in policy["spec"]["matchConditions"]
    ]


@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: policy["metadata"]["name"])
def test_each_refusal_is_told_as_forbidden(policy: dict[str, Any]) -> None:
    """422, a policy's default, is what ours take for a test of their patch that failed, and so decide anew."""
    validations = policy["spec"]["validations"]

    assert ["Forbidden"] * len(validations) == [validation["reason"] for validation in validations]


def test_one_pass_through_the_file_is_enough() -> None:
    """Everything comes after what it needs."""
    assert [0, 1] == _places("Namespace")
    assert max(_places("CustomResourceDefinition")) < min(_places("ServiceAccount"))


@pytest.mark.parametrize(("account", "kind"), list(zip(ACCOUNTS, ("DaemonSet", "Deployment"), strict=True)))
def test_each_account_is_bound_before_it_may_do_anything(account: str, kind: str) -> None:
    """Its policies come before its rights, and its Pods last."""
    kinds = [found["kind"] for found in OBJECTS if found["metadata"]["name"].startswith(account)]

    assert "ValidatingAdmissionPolicyBinding" in kinds
    assert "ValidatingAdmissionPolicyBinding" not in kinds[kinds.index("ClusterRole") :]
    assert kind == kinds[-1]
