"""The gate's taint comes off when its images are there, when there is none to wait for, or when time is up."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.cluster.interface import Operation
from daemon.coordinator.gate import Opening, closes_at, open_patch, opening_of
from daemon.coordinator.seen import SeenNode, Taint


GATE = "startup-taint.cluster-autoscaler.kubernetes.io/prewarm"
BORN = datetime(2026, 1, 1, 12, tzinfo=UTC)
OTHER = Taint(key="dedicated", value="gpu", effect="NoSchedule")
CLOSED = Taint(key=GATE, value="true", effect="NoSchedule")


def _node(*taints: Taint) -> SeenNode:
    return SeenNode(name="node-a", uid="u", created_at=BORN, taints=taints)


def _opening(node: SeenNode, warm_by_job: dict[str, bool], *, age_seconds: float = 0) -> Opening | None:
    now = BORN + timedelta(seconds=age_seconds)
    return opening_of(node, taint_key=GATE, warm_by_job=warm_by_job, deadline_seconds=600, now=now)


@pytest.mark.parametrize("warm_by_job", [{}, {"a": True}, {"a": False}])
def test_a_node_without_the_taint_has_no_gate(warm_by_job: dict[str, bool]) -> None:
    """Nothing is written to it, however old it is."""
    assert None is _opening(_node(OTHER), warm_by_job, age_seconds=9999)


def test_a_node_that_no_gating_job_selects_opens_at_once() -> None:
    """It would wait for nothing."""
    assert Opening("no-jobs") == _opening(_node(OTHER, CLOSED), {})


def test_a_gate_opens_once_every_gating_job_is_warm() -> None:
    """Not before."""
    assert None is _opening(_node(CLOSED), {"a": True, "b": False})
    assert Opening("warm") == _opening(_node(CLOSED), {"a": True, "b": True})


@pytest.mark.parametrize(
    ("age_seconds", "expected"),
    [(599.9, None), (600, Opening("deadline", ("a", "c"))), (9999, Opening("deadline", ("a", "c")))],
)
def test_a_gate_opens_cold_at_its_deadline_and_names_what_is_missing(
    age_seconds: float, expected: Opening | None
) -> None:
    """Counted from the node's creation, so that a new coordinator goes on with the same deadline."""
    assert expected == _opening(_node(CLOSED), {"c": False, "b": True, "a": False}, age_seconds=age_seconds)


def test_a_warm_node_opens_warm_also_after_its_deadline() -> None:
    """A coordinator that comes late says what is so."""
    assert Opening("warm") == _opening(_node(CLOSED), {"a": True}, age_seconds=9999)


@given(warm_by_job=st.dictionaries(st.text(max_size=3), st.booleans(), max_size=4), age_seconds=st.floats(0, 1200))
def test_a_gate_is_closed_only_while_a_job_is_cold_and_time_is_left(
    warm_by_job: dict[str, bool], age_seconds: float
) -> None:
    """No node waits for ever, and none opens cold in silence."""
    opening = _opening(_node(CLOSED), warm_by_job, age_seconds=age_seconds)

    is_cold = not all(warm_by_job.values())
    has_time = BORN + timedelta(seconds=age_seconds) < closes_at(_node(CLOSED), deadline_seconds=600)
    assert (is_cold and has_time) == (opening is None)
    assert opening is None or is_cold == (opening.reason == "deadline") == bool(opening.cold)


def test_the_patch_tests_what_it_takes_off() -> None:
    """The same node, and the taint where it stood, with its value and effect."""
    assert open_patch(_node(OTHER, CLOSED), taint_key=GATE) == (
        Operation(op="test", path="/metadata/uid", value="u"),
        Operation(op="test", path="/spec/taints/1/key", value=GATE),
        Operation(op="test", path="/spec/taints/1/value", value="true"),
        Operation(op="test", path="/spec/taints/1/effect", value="NoSchedule"),
        Operation(op="remove", path="/spec/taints/1"),
    )


def test_a_value_that_is_absent_is_not_tested() -> None:
    """A test of what is not there fails on the server."""
    patch = open_patch(_node(Taint(key=GATE, effect="NoSchedule")), taint_key=GATE)

    assert ["/metadata/uid", "/spec/taints/0/key", "/spec/taints/0/effect"] == [
        each.path for each in patch if each.op == "test"
    ]


@given(keys=st.lists(st.sampled_from([GATE, "a", "b"]), max_size=6))
def test_every_taint_of_the_key_goes_and_no_other(keys: list[str]) -> None:
    """NoSchedule and NoExecute may both be there; removing one must not move the next out of sight."""
    node = _node(*(Taint(key=key, effect="NoSchedule") for key in keys))

    left = list(keys)
    for operation in open_patch(node, taint_key=GATE):
        if operation.op == "remove":
            del left[int(operation.path.rsplit("/", 1)[1])]

    assert [key for key in keys if key != GATE] == left
