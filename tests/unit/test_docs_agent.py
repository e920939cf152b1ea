"""docs/agent.md tells an operator all that there is to see of an agent: metrics, log, events, health, state, status."""

import inspect
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from typing import Any

import msgspec
import pytest
import yaml

from daemon.agent import announcer
from daemon.agent.document import AgentIdentity, document_of
from daemon.agent.state import About, state_json
from daemon.agent.view import _SHOWN_SETTINGS
from daemon.agent.watchman import Watchman
from daemon.api.nodeimage import OwnerReference, SecretReference
from daemon.clock import SystemClock
from daemon.cluster.errors import ClusterError, Unreachable
from daemon.node.report import Report
from daemon.node.task import Leaving, NodeState, Running, Task, Throttle
from daemon.observe.asked import Asked
from daemon.observe.catalogue import METRICS, Described, Result
from daemon.observe.metrics import AgentMetrics, Space
from daemon.runtime.interface import Progress, Stage
from tests.unit.documents import ROOT, event_names, logged, rows, text_of
from tests.unit.node.virtual_node import EPOCH, image, key_of, moment


OF_A_RUN_ALONE = {"notice", "run_finished"}
# What stands there for OpenKruise's sake, and nobody writes.
OF_NOBODY = {"firstSyncStatus"}
# Fields that one row tells as a whole.
WHOLE = {"pullSecrets", "sandboxConfig", "ownerReferences", "ended", "conditions"}
SPACE = Space(free_bytes=1, size_bytes=2, floor_bytes=3)


@pytest.fixture(scope="module")
def agent_rows() -> Mapping[str, str]:
    """The rows of its tables by the names in their first cells."""
    return rows(text_of("docs/agent.md"))


class Heard:
    """A logger that notes the names of its events."""

    def __init__(self) -> None:
        self.events: set[str] = set()

    def bind(self, **_values: object) -> "Heard":
        """Return itself: what is bound plays no part."""
        return self

    def info(self, event: str, **_values: object) -> None:
        """Note an event of whatever level."""
        self.events.add(event)

    debug = warning = error = exception = info


def _lines() -> list[tuple[str, tuple[str, ...]]]:
    """Return each event that the agent's code logs by a name of its own, with the fields that are named there."""
    paths = [*(ROOT / "daemon/agent").glob("*.py"), *(ROOT / "daemon/observe").glob("*.py")]
    return sorted({line for path in paths for line in logged(path)})


def _methods(watchman: Watchman, *, parameters: list[str]) -> list[Callable[..., None]]:
    """Return what it can be told by these arguments."""
    methods = [getattr(watchman, name) for name in vars(Watchman) if not name.startswith("_")]
    return [method for method in methods if list(inspect.signature(method).parameters) == parameters]


def _state() -> NodeState:
    """Make a state in which nothing is absent."""
    wanted = image(
        owners=(OwnerReference(kind="ImagePullJob", namespace="team", name="base", uid="u"),),
        pull_secrets=(SecretReference(namespace="copies", name="a"),),
    )
    progress = Progress(stage=Stage.DOWNLOADING, bytes_done=1, bytes_total=2)
    running = Running(serial=1, since_seconds=0)
    return NodeState(
        tasks={wanted.key: Task(wanted=wanted, seen_seconds=0, running=running, progress=progress)},
        leaving={key_of("gone"): Leaving(image="registry.example/gone:v1")},
        throttles={"registry.example": Throttle(until_seconds=1, pauses=1)},
    )


def _paths(value: object, prefix: str = "") -> Iterator[str]:
    """Name each leaf of decoded JSON, such as images[].running.seconds."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _paths(inner, f"{prefix}.{key}" if prefix else key)
    elif isinstance(value, list) and value and isinstance(value[0], dict):
        yield from _paths(value[0], f"{prefix}[]")
    else:
        yield prefix


def _state_fields() -> list[str]:
    about = About(node="n", version="1", started_at=EPOCH, space=SPACE, settings=dict.fromkeys(_SHOWN_SETTINGS, ""))
    return list(_paths(msgspec.json.decode(state_json(_state(), about=about, now=moment(0)))))


def _fields(schema: dict[str, Any], prefix: str = "") -> Iterator[str]:
    """Name each field of a part of the CRD; maps by repository and the list of tags are passed through."""
    for name, inner in schema.get("properties", {}).items():
        deeper = inner if inner["type"] == "object" else inner.get("items", {})
        if name in OF_NOBODY:
            continue
        if name in WHOLE or "properties" not in deeper:
            yield prefix + name
        else:
            yield from _fields(deeper, f"{prefix}{name}{'[]' * (inner['type'] == 'array')}.")


def _node_image(*path: str) -> dict[str, Any]:
    crd = yaml.safe_load(text_of("deploy/crds/nodeimages.yaml"))
    found: dict[str, Any] = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    for name in path:
        found = found["additionalProperties"] if name == "*" else found["items" if name == "[]" else "properties"]
        found = found if name in {"*", "[]"} else found[name]
    return found


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_each_metric_is_documented_with_its_type_and_labels(metric: Described, agent_rows: Mapping[str, str]) -> None:
    """Who writes an alert finds what there is to select by."""
    labels = ", ".join(f"`{label}`" for label in metric.labels)

    assert agent_rows.get(metric.name, "").startswith(f"| `{metric.name}` | {metric.kind} | {labels}".rstrip() + " |")


@pytest.mark.parametrize("result", list(Result))
def test_each_result_of_an_attempt_is_documented(result: Result, agent_rows: Mapping[str, str]) -> None:
    """The label's values have their meaning."""
    assert result.value in agent_rows


@pytest.mark.parametrize(("event", "fields"), _lines())
def test_each_event_of_the_log_is_documented_with_its_fields(
    event: str, fields: tuple[str, ...], agent_rows: Mapping[str, str]
) -> None:
    """Who filters a log finds the names and what stands beside them."""
    row = agent_rows.get(event, "")

    assert row
    assert [] == [field for field in fields if field and f"`{field}`" not in row]


@pytest.mark.parametrize("event", sorted(event_names() - OF_A_RUN_ALONE))
def test_each_event_of_an_image_is_documented(event: str, agent_rows: Mapping[str, str]) -> None:
    """The agent logs what `prewarm run` shows, but for what concerns a run as a whole."""
    assert event in agent_rows


def test_each_word_about_the_api_server_is_documented(agent_rows: Mapping[str, str]) -> None:
    """What fails, and that it works again."""
    heard = Heard()
    metrics = AgentMetrics(version="1", space=Asked(lambda: SPACE))
    watchman = Watchman(heard, metrics=metrics, clock=SystemClock())

    for say in _methods(watchman, parameters=[]):
        for say_failed in _methods(watchman, parameters=["error"]):
            say_failed(Unreachable("no answer"))
        say()

    assert {"watch_failed", "status_works_again"} <= heard.events
    assert set() == heard.events - set(agent_rows)


def test_each_error_of_the_api_server_is_documented() -> None:
    """`error` in the log and the first word of a problem are of a closed list."""
    text = text_of("docs/agent.md")

    assert [] == [kind.__name__ for kind in ClusterError.__subclasses__() if f"`{kind.__name__}`" not in text]


@pytest.mark.parametrize(
    ("reason", "kind"),
    [(announcer.SUCCEEDED, "Normal"), (announcer.FAILED, "Warning"), (announcer.OTHER_DAEMON, "Warning")],
)
def test_each_event_of_the_cluster_is_documented(reason: str, kind: str, agent_rows: Mapping[str, str]) -> None:
    """With its type, by which one selects."""
    assert agent_rows.get(reason, "").startswith(f"| `{reason}` | {kind} |")


@pytest.mark.parametrize("path", re.findall(r'"(/[a-z]+)":', text_of("daemon/agent/view.py")))
def test_each_path_is_documented(path: str, agent_rows: Mapping[str, str]) -> None:
    """What the port answers."""
    assert path in agent_rows


@pytest.mark.parametrize("field", _state_fields())
def test_each_field_of_the_state_is_documented(field: str, agent_rows: Mapping[str, str]) -> None:
    """Whoever looks into an agent knows what they see."""
    assert field in agent_rows


@pytest.mark.parametrize(
    "field",
    [
        *_fields(_node_image("spec", "images", "*")),
        *(name for name in _fields(_node_image("status")) if name != "imageStatuses"),
        *_fields(_node_image("status", "imageStatuses", "*", "tags", "[]")),
    ],
)
def test_each_field_of_a_node_image_is_documented(field: str, agent_rows: Mapping[str, str]) -> None:
    """What is wanted, and what the node says of it."""
    assert field in agent_rows


@pytest.mark.parametrize(
    ("report", "other_daemon"),
    [(Report(), ""), (Report(is_runtime_up=False, space_problem="1 GiB free"), "another writes too")],
)
def test_each_condition_is_documented_with_its_reasons(
    report: Report, other_daemon: str, agent_rows: Mapping[str, str]
) -> None:
    """In its good state and in its bad one."""
    agent = AgentIdentity(version="1", started_at=EPOCH)
    now = EPOCH + timedelta(seconds=1)
    parts = document_of(report, agent=agent, earlier={}, now=now, other_daemon=other_daemon)
    conditions: Any = parts["conditions",]

    assert 3 == len(conditions)
    assert [] == [one for one in conditions if f"`{one['reason']}`" not in agent_rows[one["type"]]]
