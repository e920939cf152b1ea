"""
`agent-idle-writes`: what an agent writes in ten idle minutes, and `agent-idle-cpu`: the processor time that it takes.

Within them its list is gone (the API server starts again with its history compacted, so the watch must list anew), its
watch ends by the server's own timeout, and its token is rotated. Twenty images lie there and are answered.
"""

import sys
import time

from bench.agent_stage import AgentStage, agent_stage, writes
from bench.figure import conclude, limited, show
from bench.memory import cpu_seconds
from bench.stage import MB, layers
from tests.servers.agent import ACCOUNT, NAMESPACE, AgentProcess
from tests.servers.nodeimages import NodeImageOnServer, entry
from tests.servers.processes import until


NAME = "agent-idle"
LISTS = "lists"
ENDED = "watches that the server ended"
BOUND_WRITES = 0.0
BOUND_CPU_PERCENT = 0.5
IMAGES = 20
# The longest that a watch lasts, and a little more for the next to begin.
IDLE_SECONDS = 615.0
NODE = "idle"


def main() -> int:
    """Measure ten minutes, once."""
    with agent_stage() as place, place.agent(NODE) as (agent, node_image):
        _answer_all(place, node_image)
        show(f"== {NAME}: {IDLE_SECONDS:g} s with {IMAGES} images that are answered")
        before, began = _counts(agent), cpu_seconds(agent.process.pid)
        version = node_image.read()["metadata"]["resourceVersion"]
        _disturb(place, agent)
        ends_at = time.monotonic() + IDLE_SECONDS
        until(lambda: time.monotonic() >= ends_at, what="the time is over", timeout_seconds=IDLE_SECONDS + 10)
        after, cpu = _counts(agent), cpu_seconds(agent.process.pid) - began
        is_untouched = version == node_image.read()["metadata"]["resourceVersion"]
    for name, count in after.items():
        show(f"{name}: {count - before[name]:g}")
    _check_it_was_disturbed(before, after)
    show(f"the object is untouched: {is_untouched}")
    percent = 100 * cpu / IDLE_SECONDS
    writes_made = max(after["writes"] - before["writes"], 0.0 if is_untouched else 1.0)
    return conclude(
        [
            limited(f"{NAME}-writes", writes_made, limit=BOUND_WRITES, unit="writes"),
            limited(f"{NAME}-cpu", percent, limit=BOUND_CPU_PERCENT, unit="% of a core"),
        ]
    )


def _answer_all(place: AgentStage, node_image: NodeImageOnServer) -> None:
    images = [
        place.place.push(f"idle-{number}", layers=layers(1, size_bytes=MB, seed=number)) for number in range(IMAGES)
    ]
    node_image.want_all({image.key: {"tags": [entry(image.tag)]} for image in images})
    node_image.until_status(lambda status: status.get("succeeded") == IMAGES, what="all are there")


def _disturb(place: AgentStage, agent: AgentProcess) -> None:
    """Take the agent's list from under it, and rotate its token."""
    place.apiserver.service_account_folder(agent.folder / "account", NAMESPACE, ACCOUNT, node=agent.node_name)
    for name in ("a", "b"):
        place.apiserver.account("default", f"noise-{name}")
    place.apiserver.compact()
    place.apiserver.restart()
    agent.until_ready()


def _check_it_was_disturbed(before: dict[str, float], after: dict[str, float]) -> None:
    """
    Make sure that the silence is worth something.

    Raises:
        RuntimeError: nothing happened that could have made the agent write.
    """
    for name in (LISTS, ENDED):
        if after[name] <= before[name]:
            raise RuntimeError(f"the time held no {name}, so that nothing was written shows nothing")


def _counts(agent: AgentProcess) -> dict[str, float]:
    requests = {
        LISTS: agent.metric("prewarm_api_requests_total", verb="list", resource="nodeimages", code="200"),
        "watches": agent.metric("prewarm_api_requests_total", verb="watch", resource="nodeimages", code="200"),
        ENDED: agent.metric("prewarm_watch_restarts_total", reason="ended"),
    }
    return {**requests, "writes": float(writes(agent))}


if __name__ == "__main__":
    sys.exit(main())
