"""
`coordinator-growth`: how much more a coordinator does for an event when it knows ten times as many nodes.

Counted, not timed: the lines of Python that its loop executes for each message, over a hundred jobs on a thousand
nodes, beside a hundred jobs on a hundred nodes. Counted is the renewal of one job on all of its nodes, with all that
the coordinator writes for it, in the virtual time of the coordinator's simulation. A line that is executed again counts
again, so that whatever visits every node shows; decoding, which the loop does not do, has no part in it.

`coordinator-memory-1000` and `-5000`: the anonymous memory (RssAnon) of a coordinator that has brought ten images to so
many hollow nodes, at rest; the greater of the one that brought them and of one that has started afterwards.
"""

import sys
from collections.abc import Callable, Sequence
from types import FrameType, TracebackType
from typing import Any, Final, Self

from bench.coordinator_stage import LIFTED, CoordinatorStage, coordinator_stage, node_names
from bench.figure import Figure, Judged, conclude, limited, show
from bench.memory import at_rest
from tests.servers.jobs import JobOnServer, job
from tests.unit.coordinator.simulation.agents import Pull
from tests.unit.coordinator.simulation.cluster import Cluster, time_text


Trace = Callable[[FrameType, str, Any], Any]

NAME: Final = "coordinator-growth"
BOUND: Final = 1.1
SIZES: Final = (100, 1000)
JOBS: Final = 100
# The budget has no part in it.
RATE: Final = 100_000.0
RENEWAL_SECONDS: Final = 30.0
# Of daemon/coordinator/loop.py: what it does for a message, and how it gets one.
TURNS: Final = ("CoordinatorLoop._take_all", "CoordinatorLoop._act")
MESSAGE: Final = "CoordinatorLoop.post"

MEMORY: Final = "coordinator-memory"
# MiB by NodeImages.
MEMORY_BOUNDS: Final = {1000: 80.0, 5000: 250.0}
IMAGES: Final = 10
WARM_SECONDS: Final = 300.0


def main() -> int:
    """Count first, then weigh."""
    show(f"== {NAME}: {JOBS} jobs, {SIZES[0]} and {SIZES[1]} nodes")
    few, many = (_lines_a_message(nodes) for nodes in SIZES)
    growth = Figure(
        name=NAME, ours=many, reference=few, unit="lines", ratio=many / few, bound=BOUND, judged=Judged.RATIO
    )
    show(f"== {MEMORY}: NodeImages of {IMAGES} images")
    with coordinator_stage() as place:
        return conclude([growth, *_memory(place)])


def _lines_a_message(nodes: int) -> float:
    """Return the lines that the loop executes for a message, while one job is renewed on every node."""
    cluster = Cluster(nodes=nodes, rate=RATE, pulls=lambda _node, _key, _at: Pull(0.1))
    names = [f"job-{number}" for number in range(JOBS)]
    for name in names:
        cluster.job(name, kind="Never", image=f"registry.example.com/{name}:v1", parallelism=nodes)
    cluster.lead()
    cluster.until(lambda: all(cluster.is_ready(name) for name in names))
    cluster.run(RENEWAL_SECONDS)
    with Counted() as counted:
        cluster.edit(names[0], prewarm={"refresh": {"at": time_text(cluster.at)}})
        cluster.run(RENEWAL_SECONDS)
    if not counted.lines or counted.messages < 2 * nodes:
        raise RuntimeError(f"{counted.messages} messages, {counted.lines} lines: this was no renewal of {nodes} nodes")
    each = counted.lines / counted.messages
    show(f"{nodes} nodes: {counted.lines} lines for {counted.messages} messages, {each:.1f} each")
    return each


class Counted:
    """
    Counts the messages that a loop gets and the lines that it executes, while this is entered.

    Only this thread is counted, in which the simulation runs all that the loop does.
    """

    def __init__(self) -> None:
        self.messages = 0
        self.lines = 0
        self._depth = 0

    def __enter__(self) -> Self:
        sys.settrace(self._called)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        sys.settrace(None)

    def _called(self, frame: FrameType, _event: str, _argument: object) -> Trace | None:
        name = frame.f_code.co_qualname
        self.messages += name == MESSAGE
        if name in TURNS:
            self._depth += 1
            return self._turned
        return self._stepped if self._depth else None

    def _turned(self, _frame: FrameType, event: str, _argument: object) -> Trace:
        self._depth -= event == "return"
        self.lines += event == "line"
        return self._turned

    def _stepped(self, _frame: FrameType, event: str, _argument: object) -> Trace:
        self.lines += event == "line"
        return self._stepped


def _memory(place: CoordinatorStage) -> list[Figure]:
    jobs = [place.job(f"growth-{number}") for number in range(IMAGES)]
    for number, wanted in enumerate(jobs):
        wanted.create(job(f"registry.example/growth-{number}:1.0", kind="Never", parallelism=max(MEMORY_BOUNDS)))
    made, figures = 0, []
    for count, bound in MEMORY_BOUNDS.items():
        place.make_nodes(node_names(count)[made:])
        made = count
        figures.append(limited(f"{MEMORY}-{count}", _mib(place, jobs, nodes=count), limit=bound, unit="MiB"))
    return figures


def _mib(place: CoordinatorStage, jobs: Sequence[JobOnServer], *, nodes: int) -> float:
    with place.hollow():
        with place.coordinator(*LIFTED) as coordinator:
            for wanted in jobs:
                wanted.until_ready(nodes=nodes, timeout_seconds=WARM_SECONDS)
            worked = at_rest(coordinator.process.pid)
        with place.coordinator() as coordinator:
            started = at_rest(coordinator.process.pid)
    for label, sample in (("the one that brought them", worked), ("one that has started since", started)):
        show(f"{nodes} NodeImages, {label}: RssAnon {sample['RssAnon']:.1f} MiB, VmRSS {sample['VmRSS']:.1f} MiB")
    return max(worked["RssAnon"], started["RssAnon"])


if __name__ == "__main__":
    sys.exit(main())
