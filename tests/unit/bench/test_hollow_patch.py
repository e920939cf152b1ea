"""What a hollow node writes is what the real agent would write of the same."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from bench.hollow.answer import Said, Statuses, said_of
from bench.hollow.patch import RELEASE, RUNTIME, status_patch
from bench.hollow.seen import ImageKey, Metadata, node_image_of
from daemon.agent.clerk import Clerk, observed_of, operations, reported, saw
from daemon.agent.document import AgentIdentity, document_of
from daemon.api.nodeimage import Phase, TagStatus
from daemon.cluster.interface import Operation
from daemon.node.report import Report
from daemon.node.wanted import Key


NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
STARTED = NOW - timedelta(hours=1)
NEW = {
    ImageKey("b.example/x", "2"): TagStatus(tag="2", phase=Phase.SUCCEEDED, version=3, image_id="i", changed=True),
    ImageKey("a", "1"): TagStatus(tag="1", phase=Phase.FAILED, version=4, reason="ImageNotFound", start_time=NOW),
    ImageKey("a", "0"): TagStatus(tag="0", phase=Phase.PULLING, version=4),
}
BEFORE = {**NEW, ImageKey("gone", "1"): TagStatus(tag="1", phase=Phase.SUCCEEDED, version=1)}
Json = dict[str, object]


def node_image(status: Json | None) -> Json:
    """Return a NodeImage with this status."""
    metadata = {"name": "n", "uid": "u", "generation": 7, "resourceVersion": "9"}
    return {"metadata": metadata, "spec": {}, **({} if status is None else {"status": status})}


def told(statuses: Statuses, *, status: Json | None = None) -> list[Json]:
    """Return the hollow node's patch of a NodeImage with this status."""
    seen = node_image_of(msgspec.json.encode(node_image(status)))
    return plain(status_patch(seen.metadata, statuses, said=said_of(seen), started_at=STARTED, now=NOW))


def agents(statuses: Statuses, *, status: Json | None = None) -> list[Json]:
    """Return the real agent's patch of the same."""
    found = {Key(key.repository, key.tag): status for key, status in statuses.items()}
    report = Report(uid="u", generation=7, statuses=found, runtime=RUNTIME)
    clerk = saw(reported(Clerk(), report, now_seconds=0.0), observed_of(node_image(status)), now_seconds=0.0)
    agent = AgentIdentity(version=RELEASE, started_at=STARTED)
    earlier = clerk.observed.parts if clerk.observed else {}
    return plain(operations(clerk, document_of(report, agent=agent, earlier=earlier, now=NOW)))


def plain(patch: tuple[Operation, ...]) -> list[Json]:
    """Return a patch as it is sent, conditions without the time of their transition."""
    steps: list[Json] = msgspec.json.decode(msgspec.json.encode(patch))
    for step in steps:
        if step["path"] == "/status/conditions":
            assert isinstance(step["value"], list)
            for condition in step["value"]:
                condition.pop("lastTransitionTime")
    return sorted(steps, key=lambda step: (step["op"] != "test", str(step["path"])))


def standing(statuses: Statuses) -> Json:
    """Return the status that stands after a patch of a NodeImage that had none."""
    found: Json = {}
    for step in told(statuses):
        where, parts = found, [part.replace("~1", "/") for part in str(step["path"]).split("/")[2:]]
        for part in parts[:-1]:
            inner = where[part]
            assert isinstance(inner, dict)
            where = inner
        if parts and step["op"] == "add":
            where[parts[-1]] = step["value"]
    return found


@pytest.mark.parametrize("statuses", [{}, NEW], ids=["nothing wanted", "three images"])
def test_a_first_report_is_the_agents(statuses: Statuses) -> None:
    """It makes the maps that are absent, and sets every part."""
    assert agents(statuses) == told(statuses)


@pytest.mark.parametrize("before", [{}, BEFORE], ids=["first images", "others were there"])
def test_a_later_report_is_the_agents(before: Statuses) -> None:
    """It sets what is another, and removes a repository that is no longer wanted."""
    status = {**standing(before), "prewarm": {"agent": {"reportedAt": "2026-01-01T00:00:00Z"}}}
    status["observedGeneration"] = 6
    status["conditions"] = []

    assert agents(NEW, status=status) == told(NEW, status=status)


def test_a_patch_is_guarded_by_the_uid() -> None:
    """Another object under the same name is not touched."""
    patch = status_patch(Metadata(name="n", uid="u"), {}, said=Said(), started_at=STARTED, now=NOW)

    assert Operation(op="test", path="/metadata/uid", value="u") == patch[0]
