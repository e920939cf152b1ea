"""What a NodeImage's status says while things go on, how often it is written, and what others write into it."""

import time
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import pytest

from daemon import __version__
from tests.servers.apiserver import ApiServer
from tests.servers.containerd import Containerd
from tests.servers.deployment import nodeimages
from tests.servers.fixtures_agent import ON_NEWEST, StartAgent
from tests.servers.images import Push
from tests.servers.nodeimages import Json, NodeImageOnServer, entry
from tests.servers.processes import until
from tests.servers.proxy import FaultProxy


pytestmark = ON_NEWEST

COUNTERS = ("succeeded", "failed", "pulling", "waiting")
FOREIGN = {
    "type": "Foreign",
    "status": "True",
    "reason": "SaidByAnother",
    "message": "not ours",
    "lastTransitionTime": "2026-01-01T00:00:00Z",
}


def condition(status: Json, name: str) -> Json:
    """Return one condition, {} where it is absent."""
    return next((found for found in status.get("conditions", []) if found["type"] == name), {})


def is_true(name: str, *, value: str = "True", reason: str = "") -> Any:  # noqa: ANN401 - a condition of until_status
    """Return what tells whether a status has this condition with this value, and this reason where one is given."""

    def tell(status: Json) -> bool:
        found = condition(status, name)
        return found.get("status") == value and reason in ("", found["reason"])

    return tell


def has_succeeded(count: int) -> Any:  # noqa: ANN401 - a condition of until_status
    """Return what tells whether so many images are there."""
    return lambda status: status.get("succeeded") == count


def now() -> str:
    """Return the time as a status has it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def names_runtime(status: Json) -> bool:
    """Tell whether the node has said all that it says of itself when nothing is wanted."""
    return "runtime" in status.get("prewarm", {}).get("agent", {})


def said(status: Json) -> Json:
    """Return a status without what moves with time alone."""
    return {name: value for name, value in status.items() if name != "prewarm"}


def test_an_agent_says_who_it_is_though_nothing_is_wanted(
    node_image: NodeImageOnServer, start_agent: StartAgent, containerd: Containerd
) -> None:
    """Its release, its runtime, since when it runs, and which spec it has seen."""
    start_agent(node_image, containerd)

    status = node_image.until_status(names_runtime, what="says who it is")

    agent = status["prewarm"]["agent"]
    assert __version__ == agent["version"]
    assert f"containerd://{containerd.binaries.version}" == agent["runtime"].partition("+")[0]
    assert agent["startedAt"] <= agent["reportedAt"]
    assert {"desired": 0, **dict.fromkeys(COUNTERS, 0), "observedGeneration": 1}.items() <= status.items()
    assert dict.fromkeys(("RuntimeReady", "SpaceSufficient", "SoleReporter"), "True") == {
        one["type"]: one["status"] for one in status["conditions"]
    }


def test_a_pull_that_ends_within_a_second_is_one_write(
    node_image: NodeImageOnServer, start_agent: StartAgent, containerd: Containerd, push: Push
) -> None:
    """After the write of the entry a watcher sees one change, and in it the end, of the generation that it is about."""
    image = push("app", tag="v1")
    containerd.pull(image.reference)
    start_agent(node_image, containerd)
    node_image.until_status(names_runtime, what="the first report is there")

    states = node_image.states()
    next(states)
    node_image.want(image.key, entry("v1"))
    wanted, ended = next(states), next(states)

    assert "imageStatuses" not in wanted["status"]
    assert "Succeeded" == ended["status"]["imageStatuses"][image.key]["tags"][0]["phase"]
    assert wanted["metadata"]["generation"] == ended["status"]["observedGeneration"] == 2
    assert [2, 2, 2] == [one["observedGeneration"] for one in ended["status"]["conditions"]]


def test_a_watcher_sees_a_slow_pull_move(
    node_image: NodeImageOnServer, start_agent: StartAgent, containerd: Containerd, push: Push, faults: FaultProxy
) -> None:
    """
    Waiting, Pulling with bytes and percent, Succeeded: each task within seconds, progress at most every five.

    Percent never falls, bytes are those of the image's layers, and the counters add up in every state.
    """
    slow = push("slow", layers=[1 << 20] * 6).at(faults.host)
    later = push("later", layers=[1000], seed=1).at(faults.host)
    faults.limit(500_000)
    start_agent(node_image, containerd, options=["--max-concurrent-pulls", "1"])
    node_image.until_status(names_runtime, what="the first report is there")
    node_image.want_all(
        {
            slow.key: {"tags": [entry(slow.tag, prewarm={"priority": 1})]},
            later.key: {"tags": [entry(later.tag)]},
        }
    )

    seen: list[tuple[float, Json]] = []
    for found in node_image.states():
        seen.append((time.monotonic(), found["status"]))
        if found["status"]["succeeded"] == 2:
            break

    def of(key: str) -> list[Json]:
        return [one["imageStatuses"][key]["tags"][0] for _, one in seen if "imageStatuses" in one]

    phases = {key: list(dict.fromkeys(one["phase"] for one in of(key))) for key in (slow.key, later.key)}
    pulling = [at for at, one in seen if one["pulling"] and one["waiting"]]
    percents = [one.get("progress", 0) for one in of(slow.key)]
    sizes = {one["bytes"]["total"] for one in of(slow.key) if "bytes" in one}
    assert ["Pulling", "Succeeded"] == phases[slow.key]
    assert "Waiting" == phases[later.key][0]
    assert "Succeeded" == phases[later.key][-1]
    assert 2 <= len(pulling) <= 5
    assert all(4 < after - before for before, after in pairwise(pulling))
    assert sorted(percents) == percents
    assert {0, 100} < set(percents)
    assert len(sizes) == 1
    assert slow.layer_bytes <= sizes.pop() < slow.layer_bytes + 10_000
    assert all(one["desired"] == sum(one[name] for name in COUNTERS) for _, one in seen)
    assert "bytes" not in of(slow.key)[-1]


def test_a_report_moves_reported_at_and_a_restart_started_at(
    node_image: NodeImageOnServer, start_agent: StartAgent, containerd: Containerd, push: Push
) -> None:
    """Whoever waits for a silent agent goes by the first; the second tells of restarts."""
    image = push("app", tag="v1")
    agent = start_agent(node_image, containerd)
    first = node_image.until_status(names_runtime, what="the first report is there")["prewarm"]["agent"]

    agent.stop()
    # Times have whole seconds.
    until(lambda: now() > first["reportedAt"], what="the next second", timeout_seconds=5)
    agent.start()
    second = node_image.until_status(
        lambda status: status["prewarm"]["agent"]["startedAt"] > first["startedAt"], what="the second process reports"
    )["prewarm"]["agent"]
    node_image.want(image.key, entry("v1"))
    third = node_image.until_status(has_succeeded(1), what="the image is there")["prewarm"]["agent"]

    assert first["reportedAt"] < second["reportedAt"] <= third["reportedAt"]
    assert second["startedAt"] == third["startedAt"]


def test_a_runtime_that_goes_away_is_told_and_that_it_is_back(
    node_image: NodeImageOnServer, start_agent: StartAgent, containerd: Containerd, push: Push
) -> None:
    """RuntimeReady is False with the reason, though nothing is wanted; readiness says so; what comes then waits."""
    image = push("app", tag="v1")
    agent = start_agent(node_image, containerd)
    before = node_image.until_status(is_true("RuntimeReady"), what="the runtime answers")

    containerd.stop()
    away = node_image.until_status(is_true("RuntimeReady", value="False"), what="the runtime is away")
    readiness = agent.get("/readyz")
    node_image.want(image.key, entry("v1"))
    waiting = node_image.until(image.key, "v1", lambda _: True, what="is reported")
    containerd.start()
    back = node_image.until_status(has_succeeded(1), what="the image is there")
    agent.until_ready()

    gone, here = condition(away, "RuntimeReady"), condition(back, "RuntimeReady")
    assert "RuntimeUnavailable" == gone["reason"]
    assert gone["message"]
    assert condition(before, "RuntimeReady")["lastTransitionTime"] <= gone["lastTransitionTime"]
    assert 503 == readiness[0]
    assert "RuntimeUnavailable" in readiness[1]
    assert "Waiting" == waiting["phase"]
    assert ("True", "RuntimeAnswers") == (here["status"], here["reason"])
    assert gone["lastTransitionTime"] <= here["lastTransitionTime"]
    assert back["prewarm"]["agent"]["runtime"] == before["prewarm"]["agent"]["runtime"]


def test_a_disk_below_its_floor_is_told_until_nothing_waits_for_it(
    node_image: NodeImageOnServer, start_agent: StartAgent, containerd: Containerd, push: Push, faults: FaultProxy
) -> None:
    """SpaceSufficient is False with the reason and figures; the image waits, then fails with DiskLow, unfetched."""
    image = push("app", tag="v1").at(faults.host)
    start_agent(node_image, containerd, options=["--min-free", "1Ei"])

    node_image.want(image.key, entry("v1", pullPolicy={"timeoutSeconds": 3}))
    waiting = node_image.until(image.key, "v1", lambda found: bool(found.get("reason")), what="says why it waits")
    short = node_image.until_status(is_true("SpaceSufficient", value="False"), what="the disk is short")
    failed = node_image.ended(image.key, "v1")
    node_image.unwant(image.key)
    node_image.until_status(is_true("SpaceSufficient"), what="nothing waits for space")

    found = condition(short, "SpaceSufficient")
    assert ("Waiting", "DiskLow") == (waiting["phase"], waiting["reason"])
    assert "DiskLow" == found["reason"]
    assert "free" in found["message"]
    assert "True" == condition(short, "RuntimeReady")["status"]
    assert ("Failed", "DiskLow") == (failed["phase"], failed["reason"])
    assert () == faults.traffic.requests()


@pytest.mark.parametrize(
    "written",
    [
        pytest.param({"desired": 0}, id="everything dropped"),
        pytest.param({"desired": 7, "succeeded": 7, "failed": 3, "pulling": 1, "waiting": 2}, id="other counts"),
    ],
)
def test_a_status_that_another_overwrites_is_mended(
    node_image: NodeImageOnServer, start_agent: StartAgent, containerd: Containerd, push: Push, written: Json
) -> None:
    """A manager that puts a whole old object takes nothing away for long: the same status stands there again."""
    image = push("app", tag="v1")
    start_agent(node_image, containerd)
    node_image.want(image.key, entry("v1"))
    before = node_image.until_status(has_succeeded(1), what="the image is there")

    node_image.replace_status(written)
    after = node_image.until_status(lambda status: "imageStatuses" in status, what="the status is mended")

    assert said(before) == said(after)
    assert before["prewarm"]["agent"]["startedAt"] == after["prewarm"]["agent"]["startedAt"]


def test_what_others_keep_in_the_object_is_left_alone(
    node_image: NodeImageOnServer, start_agent: StartAgent, containerd: Containerd, push: Push, deployed: ApiServer
) -> None:
    """Labels, annotations, others' conditions, firstSyncStatus: no reason to write, and kept by the next write."""
    image = push("app", tag="v1")
    containerd.pull(image.reference)
    start_agent(node_image, containerd)
    node_image.until_status(names_runtime, what="the first report is there")
    states = node_image.states()
    next(states)
    sync = {"syncAt": "2026-01-01T00:00:00Z", "status": "Succeeded", "message": "by another"}
    words = {"labels": {"example.com/a": "b"}, "annotations": {"example.com/c": "d"}}

    deployed.request("PATCH", nodeimages(node_image.name), {"metadata": words})
    node_image.patch_status(
        {"op": "add", "path": "/status/conditions/-", "value": FOREIGN},
        {"op": "add", "path": "/status/firstSyncStatus", "value": sync},
    )
    node_image.want(image.key, entry("v1"))
    _labelled, _patched, _wanted, found = (next(states) for _ in range(4))

    assert 1 == found["status"]["succeeded"]
    assert words == {name: found["metadata"][name] for name in words}
    assert sync == found["status"]["firstSyncStatus"]
    assert FOREIGN == condition(found["status"], "Foreign")
    assert {"Foreign", "RuntimeReady", "SpaceSufficient", "SoleReporter"} == {
        one["type"] for one in found["status"]["conditions"]
    }
