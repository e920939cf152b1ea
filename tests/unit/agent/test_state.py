"""What /state shows: everything that the loop knows of each image, readable, and no secret."""

from datetime import timedelta
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from daemon.agent.state import About, state_json
from daemon.api.nodeimage import ImagePullPolicy, OwnerReference, Phase, SecretReference
from daemon.api.reasons import Reason
from daemon.images import join
from daemon.node.task import CancelCause, Leaving, NodeState, Running, Task, Throttle
from daemon.node.wanted import Key, WantedImage
from daemon.observe.metrics import Space
from daemon.runtime.interface import Progress, Stage
from tests.unit.agent.observed import states_of_a_run_with_credentials
from tests.unit.node.virtual_node import EPOCH, image, key_of, moment


NOW = moment(5000)
ABOUT = About(node="n1", version="1.2.3", started_at=EPOCH, runtime_endpoint="unix:///run/x.sock")
# What a job says in its own words is left out: who reaches the port may not be who may read the job.
LEFT_OUT = {"sandbox_labels", "sandbox_annotations"}

TASK = Task(
    wanted=image(
        owners=(OwnerReference(kind="ImagePullJob", namespace="team", name="base", uid="u1"),),
        pull_secrets=(SecretReference(namespace="prewarm-system", name="regcred-1"),),
        created_at=EPOCH,
    ),
    seen_seconds=4000,
    phase=Phase.PULLING,
    running=Running(serial=3, since_seconds=4990, missing_bytes=80),
    attempt=2,
    started_at=EPOCH,
    progress=Progress(stage=Stage.DOWNLOADING, bytes_done=20, bytes_total=100, bytes_per_second=10.0, eta_seconds=8.0),
    evicted_seconds=(4400.0,),
)


def _shown(state: NodeState, *, about: About = ABOUT) -> Any:  # noqa: ANN401 - decoded JSON
    return msgspec.json.decode(state_json(state, about=about, now=NOW))


def _of(task: Task) -> Any:  # noqa: ANN401 - decoded JSON
    (shown,) = _shown(NodeState(tasks={task.wanted.key: task}))["images"]
    return shown


OTHER_TASK: dict[str, object] = {
    "wanted": replace(TASK.wanted, version=9),
    "seen_seconds": 4001,
    "phase": Phase.WAITING,
    "running": None,
    "attempt": 3,
    "not_before_seconds": 5003.0,
    "spent_seconds": 12.0,
    "low_since_seconds": 4999.0,
    "needed_bytes": 5,
    "interruptions": 2,
    "is_adopted": True,
    "is_pull_due_again": True,
    "is_refill": True,
    "is_held": True,
    "held_digest": "sha256:2",
    "is_hold_stale": True,
    "is_fetched": True,
    "started_at": EPOCH + timedelta(seconds=7),
    "completed_at": EPOCH + timedelta(seconds=9),
    "reason": Reason.DISK_LOW,
    "message": "words",
    "image_id": "app@sha256:3",
    "digest": "sha256:4",
    "is_changed": False,
    "progress": None,
    "evicted_seconds": (),
}
OTHER_WANTED: dict[str, object] = {
    "key": Key("registry.example/other", "v2"),
    "version": 7,
    "reference": join("registry.example/other", "v1"),
    "problem": "no such name",
    "image_pull_policy": ImagePullPolicy.ALWAYS,
    "timeout_seconds": 7,
    "backoff_limit": 7,
    "active_deadline_seconds": 7,
    "priority": 7,
    "min_free": "7Gi",
    "is_suspended": True,
    "created_at": EPOCH + timedelta(seconds=7),
    "owners": (),
    "pull_secrets": (),
}
OTHER_PROGRESS: dict[str, object] = {
    "stage": Stage.UNPACKING,
    "bytes_done": 21,
    "bytes_total": 101,
    "layers_unpacked": 1,
    "layers_total": 2,
    "bytes_per_second": None,
    "eta_seconds": None,
    "digest": "sha256:5",
}
OTHER_RUNNING: dict[str, object] = {
    "serial": 4,
    "since_seconds": 4991.0,
    "cause": CancelCause.TIMEOUT,
    "is_outdated": True,
    "missing_bytes": 81,
}


@pytest.mark.parametrize("name", Task.__struct_fields__)
def test_each_field_of_a_task_is_shown(name: str) -> None:
    """Whatever the loop knows of an image, a person can see."""
    assert _of(TASK) != _of(replace(TASK, **{name: OTHER_TASK[name]}))


@pytest.mark.parametrize("name", sorted({*WantedImage.__struct_fields__} - LEFT_OUT))
def test_each_field_of_an_entry_is_shown(name: str) -> None:
    """What is asked for, too, but for the job's own words."""
    wanted = replace(TASK.wanted, **{name: OTHER_WANTED[name]})
    idle = replace(TASK, running=None)

    assert _of(idle) != _of(replace(idle, wanted=wanted))


@pytest.mark.parametrize("name", Progress.__struct_fields__)
def test_each_field_of_the_progress_is_shown(name: str) -> None:
    """Stage, bytes, rate, time left, layers, digest."""
    assert TASK.progress is not None
    progress = replace(TASK.progress, **{name: OTHER_PROGRESS[name]})

    assert _of(TASK) != _of(replace(TASK, progress=progress))


@pytest.mark.parametrize("name", Running.__struct_fields__)
def test_each_field_of_a_running_attempt_is_shown(name: str) -> None:
    """Since when, and whether it is being cancelled."""
    assert TASK.running is not None
    running = replace(TASK.running, **{name: OTHER_RUNNING[name]})

    assert _of(TASK) != _of(replace(TASK, running=running))


def test_an_image_is_shown_as_it_stands() -> None:
    """Times are RFC 3339, distances are seconds, secrets and owners are names."""
    shown = _of(TASK)

    assert ("registry.example/app", "v1", "registry.example/app:v1") == (
        shown["repository"],
        shown["tag"],
        shown["image"],
    )
    assert (1, "pulling", "Pulling", 2, 4) == (
        shown["version"],
        shown["state"],
        shown["phase"],
        shown["attempt"],
        shown["attempts_allowed"],
    )
    assert ("2026-01-01T00:00:00Z", None, 0, 1000, [600]) == (
        shown["started_at"],
        shown["completed_at"],
        shown["next_attempt_in_seconds"],
        shown["seen_seconds_ago"],
        shown["evictions"],
    )
    assert {"seconds": 10, "cancelled_for": "", "outdated": False, "missing_bytes": 80, "worker": 3} == shown["running"]
    assert (20, 20, 100, 10, 8) == tuple(
        shown["progress"][name] for name in ("percent", "bytes_done", "bytes_total", "bytes_per_second", "eta_seconds")
    )
    assert ["prewarm-system/regcred-1"] == shown["wanted"]["pull_secrets"]
    assert [{"kind": "ImagePullJob", "namespace": "team", "name": "base", "uid": "u1"}] == shown["wanted"]["owners"]


def test_the_node_is_shown_around_its_images() -> None:
    """Who runs where, the API server, the runtime, the disk, the object, the counts, what is paused and what leaves."""
    state = NodeState(
        uid="u9",
        generation=4,
        tasks={key_of("app"): TASK},
        leaving={key_of("old"): Leaving(image="registry.example/old:v1", serial=2)},
        throttles={"registry.example": Throttle(until_seconds=5007.5, pauses=2)},
        runtime="containerd://2.3.7",
        is_wanted_known=True,
    )
    about = replace(
        ABOUT,
        is_synced=True,
        last_contact_at=EPOCH,
        other_daemon="another",
        space=Space(free_bytes=7, size_bytes=9, floor_bytes=2),
        settings={"min_free": "20%", "max_concurrent_pulls": 2},
    )

    shown = _shown(state, about=about)

    assert "2026-01-01T01:23:20Z" == shown["time"]
    assert {"version": "1.2.3", "started_at": "2026-01-01T00:00:00Z", "node": "n1"} == shown["agent"]
    assert {"min_free": "20%", "max_concurrent_pulls": 2} == shown["settings"]
    api = {"synced": True, "last_contact_at": "2026-01-01T00:00:00Z", "problem": "", "other_daemon": "another"}
    assert api == shown["api"]
    assert {
        "endpoint": "unix:///run/x.sock",
        "version": "containerd://2.3.7",
        "up": True,
        "problem": "",
    } == shown["runtime"]
    assert {"free_bytes": 7, "size_bytes": 9, "floor_bytes": 2} == shown["space"]
    assert {"known": True, "uid": "u9", "generation": 4} == shown["node_image"]
    assert {
        "waiting": 0,
        "pulling": 1,
        "suspended": 0,
        "succeeded": 0,
        "failed": 0,
        "attempts_running": 2,
    } == shown["counts"]
    assert [{"registry": "registry.example", "seconds_left": 7.5, "pauses": 2}] == shown["registries_paused"]
    assert [
        {"repository": "registry.example/old", "tag": "v1", "image": "registry.example/old:v1", "ending": True}
    ] == shown["leaving"]


def test_a_node_that_knows_nothing_yet_is_shown() -> None:
    """Before the first answer of the API server and of the runtime."""
    shown = _shown(NodeState())

    assert ([], None, {"known": False, "uid": "", "generation": 0}) == (
        shown["images"],
        shown["space"],
        shown["node_image"],
    )


def test_a_runtime_that_is_away_is_shown_with_why() -> None:
    """What a person would look for first."""
    shown = _shown(NodeState(is_runtime_up=False, runtime_problem="no such socket"))

    assert (False, "no such socket") == (shown["runtime"]["up"], shown["runtime"]["problem"])


def test_a_person_can_read_it() -> None:
    """Each field on a line of its own, and a last line that ends."""
    shown = state_json(NodeState(), about=ABOUT, now=NOW)

    assert b'\n  "registries_paused": [],\n' in shown
    assert shown.endswith(b"}\n")


def test_no_state_of_a_run_with_credentials_shows_them() -> None:
    """Neither of a pull that they opened, nor of one whose registry refused them and repeated them in its words."""
    states = states_of_a_run_with_credentials("sentinel-word")

    shown = b"".join(state_json(state, about=ABOUT, now=NOW) for state in states)

    assert b"prewarm-system/regcred-1" in shown
    assert b"Unauthorized" in shown
    assert b"sentinel-word" not in shown
