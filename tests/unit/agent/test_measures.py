"""What the metrics make of a node's changes: each attempt counts once, as what it came to."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from prometheus_client.parser import text_string_to_metric_families

from daemon.agent.measures import Ended, Measures, attempts_ended, images_by_state, state_of
from daemon.api.nodeimage import Phase, TagStatus
from daemon.api.reasons import Reason
from daemon.clock import Moment
from daemon.node import transitions
from daemon.node.task import AttemptEnd, CancelCause, Ending, NodeState, Running, Task
from daemon.node.wanted import Wanted
from daemon.observe.asked import Asked
from daemon.observe.metrics import AgentMetrics, Space
from tests.unit.agent.observed import ObservedNode, progress
from tests.unit.node.virtual_node import (
    DONE,
    LOW,
    PRESENT,
    RUNTIME_DOWN,
    THROTTLED,
    UNAVAILABLE,
    cancelled,
    image,
    key_of,
    moment,
)


REGISTRY = "registry.example"
UNCHANGED = replace(DONE, is_changed=False)
REFUSED = AttemptEnd(ending=Ending.FAILED, reason=Reason.REFUSED_BY_POLICY, message="no signature")


@pytest.fixture
def metrics() -> AgentMetrics:
    """The metrics of an agent."""
    return AgentMetrics(version="1", space=Asked(lambda: Space(free_bytes=1, size_bytes=1, floor_bytes=0)))


@pytest.fixture
def node(metrics: AgentMetrics) -> ObservedNode:
    """A node that has begun to bring one image."""
    node = ObservedNode(Measures(metrics))
    node.want(image())
    return node


def _values(metrics: AgentMetrics, name: str) -> dict[str, float]:
    """Return a metric's samples by the values of their labels."""
    return {
        "/".join(value for _, value in sorted(sample.labels.items()) if value): sample.value
        for family in text_string_to_metric_families(metrics.text().decode())
        for sample in family.samples
        if sample.name == name
    }


def _attempts(metrics: AgentMetrics) -> dict[str, float]:
    """Count attempts by `reason/result`."""
    return _values(metrics, "prewarm_attempts_total")


def _pulls(metrics: AgentMetrics) -> dict[str, float]:
    """Count pulls by result."""
    counts = _values(metrics, "prewarm_pull_duration_seconds_count")
    return {labels.removeprefix(f"{REGISTRY}/"): count for labels, count in counts.items()}


def _apart(node: ObservedNode, step: Callable[[], None]) -> None:
    del node
    step()


def _at_once(node: ObservedNode, step: Callable[[], None]) -> None:
    node.at_once(step)


@pytest.mark.parametrize("hear", [_apart, _at_once])
@pytest.mark.parametrize(
    ("expected", "pull", "end"),
    [
        ("pulled", "pulled", DONE),
        ("unchanged", "unchanged", UNCHANGED),
        ("present", None, PRESENT),
        ("RegistryUnavailable/failed", "failed", UNAVAILABLE),
        ("RefusedByPolicy/failed", "failed", REFUSED),
        ("RegistryThrottled/failed", "failed", THROTTLED),
        ("DiskLow/low_space", None, LOW),
    ],
)
def test_an_attempt_counts_as_what_it_came_to(
    node: ObservedNode,
    metrics: AgentMetrics,
    hear: Callable[[ObservedNode, Callable[[], None]], None],
    expected: str,
    pull: str | None,
    end: AttemptEnd,
) -> None:
    """Whether the loop hears of its first word and its end apart or at once; a pull is what asked the registry."""
    hear(node, lambda: node.end(end))

    assert {expected: 1} == _attempts(metrics)
    assert ({pull: 1} if pull else {}) == _pulls(metrics)


def test_a_runtime_that_went_away_is_an_interruption(node: ObservedNode, metrics: AgentMetrics) -> None:
    """And the fourth in a row, which costs the attempt, a failure."""
    for _ in range(4):
        node.end(RUNTIME_DOWN)
        node.runtime_answers()
        node.advance(31)

    assert {"RuntimeUnavailable/interrupted": 3, "RuntimeUnavailable/failed": 1} == _attempts(metrics)


def test_a_pull_that_met_the_floor_is_a_pull(node: ObservedNode, metrics: AgentMetrics) -> None:
    """It asked the registry, and was cancelled on its way."""
    node.ask_registry()
    node.end_worker(1, LOW)

    assert {"DiskLow/low_space": 1} == _attempts(metrics)
    assert {"low_space": 1} == _pulls(metrics)


@pytest.mark.parametrize("step", ["withdraw", "suspend"])
def test_a_pull_that_nobody_wants_any_more_is_cancelled(node: ObservedNode, metrics: AgentMetrics, step: str) -> None:
    """It counts once, though it takes a while to end."""
    node.ask_registry()
    if step == "withdraw":
        node.want()
        node.end_worker(1, cancelled(CancelCause.WITHDRAWN))
    else:
        node.want(image(is_suspended=True))
        node.end_worker(1, cancelled(CancelCause.SUSPENDED))

    assert {"cancelled": 1} == _attempts(metrics)
    assert {"cancelled": 1} == _pulls(metrics)


def test_a_timeout_is_a_failure_with_its_reason(node: ObservedNode, metrics: AgentMetrics) -> None:
    """We cancelled it, but it is the attempt that failed."""
    node.ask_registry()
    node.advance(600)
    node.end_worker(1, cancelled(CancelCause.TIMEOUT))

    assert {"AttemptTimeout/failed": 1} == _attempts(metrics)


def test_a_stop_cancels(node: ObservedNode, metrics: AgentMetrics) -> None:
    """A restart is no failure."""
    node.ask_registry()

    node.end_worker(1, cancelled(CancelCause.STOPPING))

    assert {"cancelled": 1} == {key: count for key, count in _attempts(metrics).items() if key != "pulled"}


def test_a_pull_that_a_newer_version_adopts_counts_for_itself(node: ObservedNode, metrics: AgentMetrics) -> None:
    """And the cheap one that follows, too."""
    node.ask_registry()
    node.want(image(version=2, policy="Always"))
    node.end_worker(1, DONE)
    node.end(UNCHANGED)

    assert {"pulled": 1, "unchanged": 1} == _attempts(metrics)


@pytest.mark.parametrize(
    ("expected", "end"),
    [
        ("pulled", DONE),
        ("RegistryUnavailable/failed", UNAVAILABLE),
        ("DiskLow/low_space", LOW),
        ("RuntimeUnavailable/interrupted", RUNTIME_DOWN),
    ],
)
@pytest.mark.parametrize("policy", ["Always", "IfNotPresent"])
def test_an_end_that_comes_with_a_newer_version_counts_as_itself(
    node: ObservedNode, metrics: AgentMetrics, expected: str, end: AttemptEnd, policy: str
) -> None:
    """One wake of the loop can bring both."""
    node.end(UNAVAILABLE)
    node.advance(2)
    node.ask_registry()
    before = _attempts(metrics)

    node.at_once(lambda: node.take(image(version=2, policy=policy), end=end))

    counts = {key: count - before.get(key, 0) for key, count in _attempts(metrics).items()}
    assert {expected: 1} == {key: count for key, count in counts.items() if count}


@pytest.mark.parametrize("hear", [_apart, _at_once])
def test_a_cancelled_pull_that_a_newer_version_finds_is_cancelled(
    node: ObservedNode, metrics: AgentMetrics, hear: Callable[[ObservedNode, Callable[[], None]], None]
) -> None:
    """Its end says nothing of the new version."""
    node.ask_registry()
    node.want(image(is_suspended=True))

    hear(node, lambda: node.take(image(version=2), end=cancelled(CancelCause.SUSPENDED)))

    assert {"cancelled": 1} == _attempts(metrics)


def test_a_refill_is_pulled_and_its_removal_an_eviction(node: ObservedNode, metrics: AgentMetrics) -> None:
    """An image that was removed under a standing entry comes back by a pull."""
    node.end(DONE)
    node.lose()
    node.end(DONE)

    assert {"pulled": 2} == _attempts(metrics)
    assert {"": 1} == _values(metrics, "prewarm_evictions_total")


def test_a_pull_s_seconds_are_the_attempt_s(node: ObservedNode, metrics: AgentMetrics) -> None:
    """From its begin to its end, waiting between attempts not included."""
    node.advance(3)
    node.end(UNAVAILABLE)
    node.advance(1)
    node.advance(4)
    node.end(DONE)

    seconds = _values(metrics, "prewarm_pull_duration_seconds_sum")
    assert {f"{REGISTRY}/failed": 3, f"{REGISTRY}/pulled": 4} == seconds


def test_failures_are_final_ones_by_reason(metrics: AgentMetrics) -> None:
    """An attempt that is followed by another is none; one that names no image is, without an attempt."""
    node = ObservedNode(Measures(metrics))
    node.want(image(backoff_limit=1), image("bad", reference=None, problem="no such name"))
    node.end(UNAVAILABLE)
    node.advance(1)
    node.end(THROTTLED)

    assert {"RegistryThrottled": 1, "InvalidReference": 1} == _values(metrics, "prewarm_failures_total")


def test_an_end_that_an_earlier_process_reached_is_not_counted_again(metrics: AgentMetrics) -> None:
    """A restart changes no counter."""
    wanted = image()
    answer = TagStatus(tag="v1", phase=Phase.FAILED, version=1, reason="Unauthorized")
    wish = Wanted(uid="node", generation=1, images=(wanted,), answers={wanted.key: answer})
    state = transitions.want(NodeState(), wish, now=moment(1))

    Measures(metrics).changed(NodeState(), state, now=moment(1))

    assert {} == _values(metrics, "prewarm_failures_total")
    assert {} == _attempts(metrics)
    assert 1 == _values(metrics, "prewarm_images")["failed"]


def test_bytes_are_what_arrived_between_samples_and_the_rest_with_success(
    node: ObservedNode, metrics: AgentMetrics
) -> None:
    """What the first sample finds may have lain there before."""
    node.ask_registry()
    node.progress(progress(0, 0, digest=""))
    node.progress(progress(40))
    node.progress(progress(55))
    early = _values(metrics, "prewarm_pull_bytes_total")
    node.progress(progress(70))
    node.end_worker(1, DONE)

    assert {REGISTRY: 15} == early
    assert {REGISTRY: 60} == _values(metrics, "prewarm_pull_bytes_total")


def test_bytes_of_a_failed_pull_count_as_far_as_they_came(node: ObservedNode, metrics: AgentMetrics) -> None:
    """They were on the wire."""
    node.ask_registry()
    node.progress(progress(10))
    node.progress(progress(30))
    node.end_worker(1, UNAVAILABLE)

    assert {REGISTRY: 20} == _values(metrics, "prewarm_pull_bytes_total")


def test_another_manifest_begins_from_nothing(node: ObservedNode, metrics: AgentMetrics) -> None:
    """Bytes of two manifests are not compared."""
    node.ask_registry()
    node.progress(progress(10))
    node.progress(progress(90, digest="sha256:2"))

    assert {} == _values(metrics, "prewarm_pull_bytes_total")


def test_a_registry_s_pauses_are_counted(metrics: AgentMetrics) -> None:
    """Once a pause, however many pulls met it."""
    node = ObservedNode(Measures(metrics), slots=2)
    node.want(image("app"), image("web"), image("other.example/app"))
    node.ask_registry("app")
    node.ask_registry("web")
    node.end_worker(1, THROTTLED)
    node.end_worker(2, THROTTLED)
    node.advance(5)
    node.end(THROTTLED, name="app")

    assert {REGISTRY: 2} == _values(metrics, "prewarm_registry_throttles_total")


def test_gauges_follow_the_node(node: ObservedNode, metrics: AgentMetrics) -> None:
    """How many run, wait, and stand in each state; a withdrawn pull runs until it has ended."""
    node.want(image("app"), image("web"), image("db"), image("off", is_suspended=True))
    many = _values(metrics, "prewarm_images"), _running_and_waiting(metrics)
    node.want(image("web"), image("db"), image("off", is_suspended=True))
    withdrawn = _running_and_waiting(metrics)
    node.end_worker(1, cancelled(CancelCause.WITHDRAWN))
    node.end(DONE, name="web")
    node.end(DONE, name="db")

    assert ({"pulling": 2, "waiting": 1, "suspended": 1, "succeeded": 0, "failed": 0}, (2, 1)) == many
    assert (2, 1) == withdrawn
    assert {"pulling": 0, "waiting": 0, "suspended": 1, "succeeded": 2, "failed": 0} == _values(
        metrics, "prewarm_images"
    )
    assert (0, 0) == _running_and_waiting(metrics)


def test_images_are_counted_by_the_reason_of_their_status(metrics: AgentMetrics) -> None:
    """What waits for space, and what is suspended; a reason that is over holds of none."""
    node = ObservedNode(Measures(metrics))
    node.want(image("app"), image("off", is_suspended=True))
    node.end(LOW)
    short = _values(metrics, "prewarm_images_by_reason")
    node.advance(3600)
    node.end(DONE)

    assert {"DiskLow": 1, "Suspended": 1} == short
    assert {"DiskLow": 0, "Suspended": 1} == _values(metrics, "prewarm_images_by_reason")


def test_an_image_that_keeps_being_removed_is_an_eviction_loop(node: ObservedNode, metrics: AgentMetrics) -> None:
    """From the third removal of one image in a day; also while the image is there, until it is renewed."""
    node.end(DONE)
    for _ in range(2):
        node.lose()
        node.advance(60)
        node.end(DONE)
    twice = _values(metrics, "prewarm_images_by_reason")
    node.lose()
    waits = _values(metrics, "prewarm_images_by_reason")
    node.advance(60)
    node.end(DONE)

    assert {} == twice
    assert ({"EvictionLoop": 1}, {"EvictionLoop": 1}) == (waits, _values(metrics, "prewarm_images_by_reason"))


def _running_and_waiting(metrics: AgentMetrics) -> tuple[float, float]:
    return _values(metrics, "prewarm_pulls_running")[""], _values(metrics, "prewarm_pulls_waiting")[""]


def test_the_runtime_is_up_or_not(node: ObservedNode, metrics: AgentMetrics) -> None:
    """As the loop last found it."""
    node.end(RUNTIME_DOWN)
    away = _values(metrics, "prewarm_runtime_up")
    node.runtime_answers()

    assert ({"": 0}, {"": 1}) == (away, _values(metrics, "prewarm_runtime_up"))


def test_nothing_is_counted_where_nothing_changed(node: ObservedNode, metrics: AgentMetrics) -> None:
    """A loop that only goes round moves no counter."""
    node.end(UNAVAILABLE)
    before = metrics.text().split(b"# HELP process_")[0]

    node.tick()

    assert before == metrics.text().split(b"# HELP process_")[0]


@pytest.mark.parametrize(
    ("expected", "changes"),
    [
        ("waiting", {}),
        ("pulling", {"running": Running(serial=1, since_seconds=0)}),
        ("succeeded", {"phase": Phase.SUCCEEDED}),
        ("failed", {"phase": Phase.FAILED}),
    ],
)
def test_an_image_is_in_one_state(expected: str, changes: dict[str, object]) -> None:
    """The five add up to all that is wanted; an ended one is not suspended."""
    task = replace(Task(wanted=image(), seen_seconds=0), **changes)
    state = NodeState(tasks={key_of("app"): task})

    assert expected == state_of(task)
    assert {expected: 1} == {name: count for name, count in images_by_state(state).items() if count}


class Remembering:
    """An observer that keeps the ends that it is told of."""

    def __init__(self) -> None:
        self.ended: list[Ended] = []

    def changed(self, before: NodeState, after: NodeState, *, now: Moment) -> None:
        """Keep what ended."""
        self.ended += attempts_ended(before, after, now_seconds=now.seconds)


_ENDS = st.sampled_from([DONE, UNAVAILABLE, LOW, RUNTIME_DOWN, THROTTLED, PRESENT, UNCHANGED, REFUSED])
_STEPS = st.one_of(
    st.tuples(st.just("end"), _ENDS),
    st.tuples(st.just("want"), st.integers(0, 3), st.booleans(), st.booleans()),
    st.tuples(st.just("advance"), st.sampled_from([1, 40, 700])),
)


@settings(deadline=None)
@given(steps=st.lists(_STEPS, max_size=40), is_busy=st.booleans())
def test_every_attempt_of_any_story_is_counted_once(steps: list[tuple[Any, ...]], *, is_busy: bool) -> None:
    """Whatever comes, in whatever order: the ends that are told are the attempts that were begun and do not run."""
    told = Remembering()
    node = ObservedNode(told)
    node.want(*(image(f"app{number}", policy="Always", backoff_limit=2) for number in range(4)))

    for version, step in enumerate(steps, start=2):
        take = partial(_take_step, node, step, version=version)
        (partial(node.at_once, take) if is_busy and step[0] == "end" else take)()

    running = sum(1 for task in node.state.tasks.values() if task.running)
    assert len(node.started) - running == len(told.ended)
    assert all(end.seconds >= 0 for end in told.ended)


def _take_step(node: ObservedNode, step: tuple[Any, ...], *, version: int) -> None:
    match step:
        case ("end", end):
            for serial in sorted(node.pulls)[:1]:
                node.ask(serial)
                cause = node.told.get(serial)
                node.end_worker(serial, cancelled(cause) if cause else end)
            node.runtime_answers()
        case ("want", first, is_renewed, is_suspended):
            images = (image(f"app{number}", is_suspended=is_suspended, policy="Always") for number in range(first, 4))
            node.want(*(replace(one, version=version if is_renewed else 1) for one in images))
        case ("advance", seconds):
            node.advance(seconds)
