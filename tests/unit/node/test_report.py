"""What a node says of itself, and when."""

from datetime import timedelta

import msgspec
import pytest

from daemon.api.nodeimage import Bytes, Phase, TagStatus
from daemon.api.reasons import Reason
from daemon.node.report import Pacing, Report, due_seconds, noted, percent_of, report_of, status_of, wrote
from daemon.node.task import AttemptEnd, NodeState, Task
from daemon.node.transitions import progressed
from daemon.runtime.interface import Progress, Stage
from tests.unit.node.virtual_node import DONE, EPOCH, RUNTIME_DOWN, UNAVAILABLE, VirtualNode, image, key_of


def pulling_node(*, bytes_done: int = 0, bytes_total: int = 1000) -> VirtualNode:
    """Return a node that pulls "app" and is so far."""
    node = VirtualNode()
    node.want(image())
    node.ask_registry()
    sample(node, bytes_done=bytes_done, bytes_total=bytes_total)
    return node


def sample(node: VirtualNode, *, bytes_done: int, bytes_total: int = 1000) -> None:
    """Let the pull of "app" be so far."""
    serial = next(iter(node.pulls))
    progress = Progress(stage=Stage.DOWNLOADING, bytes_done=bytes_done, bytes_total=bytes_total)
    node.state = progressed(node.state, key_of("app"), serial=serial, progress=progress)


def noted_after_write(node: VirtualNode) -> Pacing:
    """Return the pacing of a node whose report has just been written."""
    return wrote(report_of(node.state), now_seconds=node.seconds)


def due_after(pacing: Pacing, node: VirtualNode) -> float | None:
    """Return how many seconds from now the node's report is due."""
    report = report_of(node.state)
    due = due_seconds(noted(pacing, report, now_seconds=node.seconds), report)
    return None if due is None else due - node.seconds


def test_a_status_echoes_the_version_and_tells_the_attempt() -> None:
    """Only a status of the same version answers an entry."""
    node = VirtualNode()
    node.want(image(version=7))
    node.end(UNAVAILABLE)

    status = status_of(node.task())

    expected = TagStatus(
        tag="v1",
        phase=Phase.WAITING,
        version=7,
        start_time=EPOCH + timedelta(seconds=1000),
        message="connection refused",
        reason=Reason.REGISTRY_UNAVAILABLE,
        attempt=1,
    )
    assert expected == status


def test_an_attempt_is_told_when_it_asks_the_registry() -> None:
    """A process that dies before that repeats it, and must not find it counted as one that has ended."""
    node = VirtualNode()
    node.want(image())
    begun = status_of(node.task())
    node.ask_registry()
    asking = status_of(node.task())
    node.end(UNAVAILABLE)
    node.advance(60)
    again = status_of(node.task())

    assert [(Phase.WAITING, 0), (Phase.PULLING, 1), (Phase.WAITING, 1)] == [
        (status.phase, status.attempt) for status in (begun, asking, again)
    ]
    assert node.task().running is not None


def test_a_running_pull_tells_bytes_stage_and_percent() -> None:
    """As the runtime's own bookkeeping has them."""
    node = pulling_node(bytes_done=456)

    status = status_of(node.task())

    assert (Phase.PULLING, 45, Bytes(done=456, total=1000), Stage.DOWNLOADING) == (
        status.phase,
        status.progress,
        status.bytes,
        status.stage,
    )


def test_before_the_manifest_is_known_there_are_no_bytes() -> None:
    """A total of 0 is not a total."""
    node = pulling_node(bytes_done=0, bytes_total=0)

    assert (0, None) == (status_of(node.task()).progress, status_of(node.task()).bytes)


@pytest.mark.parametrize(("done", "percent"), [(0, 0), (999, 99), (1000, 99), (5000, 99)])
def test_progress_is_a_hundred_only_when_it_is_done(done: int, percent: int) -> None:
    """Every byte may be here and the layers not yet unpacked."""
    node = pulling_node(bytes_done=done)

    assert percent == percent_of(node.task())


def test_a_success_is_a_hundred_percent() -> None:
    """Also of an image that was there before."""
    node = VirtualNode()
    node.want(image())

    node.end(DONE)

    assert 100 == status_of(node.task()).progress


@pytest.mark.parametrize("phase", list(Phase))
def test_the_image_id_is_told_in_every_phase(phase: Phase) -> None:
    """It is what lies on the node now; stale and cold are told by it."""
    task = Task(wanted=image(), seen_seconds=0.0, phase=phase, image_id="r@sha256:1")

    assert "r@sha256:1" == status_of(task).image_id


def test_a_suspended_task_says_so_instead_of_what_it_waited_for() -> None:
    """Waiting, with reason Suspended."""
    node = VirtualNode()
    node.want(image())
    node.end(UNAVAILABLE)

    node.want(image(is_suspended=True))

    status = status_of(node.task())
    assert (Phase.WAITING, Reason.SUSPENDED) == (status.phase, status.reason)
    assert "connection refused" not in status.message


def test_a_report_answers_exactly_what_is_wanted() -> None:
    """One status for each wanted tag, none for a withdrawn one, and whose generation it answers."""
    node = VirtualNode()
    node.want(image("a"), image("b"))
    node.want(image("b"), uid="node")

    report = report_of(node.state)

    assert ("node", 1, {key_of("b")}) == (report.uid, report.generation, set(report.statuses))
    assert 1 == report.open_count


def test_a_node_with_nothing_to_say_writes_nothing() -> None:
    """Neither before anything is wanted nor when all of it has been told."""
    empty = Report()
    assert due_seconds(noted(Pacing(), empty, now_seconds=0.0), empty) is None

    node = VirtualNode()
    node.want(image())
    node.end(DONE)
    pacing = noted_after_write(node)
    node.advance(36000)
    assert due_after(pacing, node) is None


def test_an_end_is_written_at_once_when_nothing_else_is_open() -> None:
    """The job is done when the node has said so."""
    node = pulling_node()
    pacing = noted_after_write(node)

    node.end(DONE)

    assert 0.0 == due_after(pacing, node)


def test_an_end_is_written_within_a_second_while_others_are_open() -> None:
    """Many ends are one write."""
    node = VirtualNode()
    node.want(image("a"), image("b"))
    pacing = noted_after_write(node)

    node.end(DONE, name="a")

    assert 1.0 == due_after(pacing, node)


def test_news_after_news_does_not_put_the_write_off() -> None:
    """The second runs from the first difference, not from the last."""
    node = VirtualNode()
    node.want(image("a"), image("b"), image("c"))
    pacing = noted_after_write(node)
    node.end(DONE, name="a")
    pacing = noted(pacing, report_of(node.state), now_seconds=node.seconds)
    node.advance(0.7)

    node.end(DONE, name="b")

    due = due_after(pacing, node)
    assert due is not None
    assert 0.3 == pytest.approx(due)


def test_the_last_end_does_not_wait_for_the_second_of_an_earlier_one() -> None:
    """Once nothing is open, what was put off is due."""
    node = VirtualNode()
    node.want(image("a"), image("b"))
    pacing = noted_after_write(node)
    node.end(DONE, name="a")
    pacing = noted(pacing, report_of(node.state), now_seconds=node.seconds)
    node.advance(0.5)

    node.end(DONE, name="b")

    due = due_after(pacing, node)
    assert due is not None
    assert due <= 0.0


def test_every_task_not_ended_is_reported_a_second_after_it_was_seen() -> None:
    """OpenKruise's manager fails what stays unreported for ten minutes, also what only waits for a slot."""
    node = VirtualNode(slots=1)

    node.want(image("a"), image("b"))

    assert 1.0 == due_after(Pacing(), node)
    assert {Phase.WAITING} == {status.phase for status in report_of(node.state).statuses.values()}


def test_an_image_that_was_there_is_written_once() -> None:
    """A task that ends within its first second needs no report that it waits."""
    node = VirtualNode()
    node.want(image())
    pacing = noted(Pacing(), report_of(node.state), now_seconds=node.seconds)
    node.advance(0.2)

    node.end(DONE)

    due = due_after(pacing, node)
    assert due is not None
    assert due <= 0.0


def test_five_percent_more_are_written_at_most_every_five_seconds() -> None:
    """Five seconds after the last write, not after the progress."""
    node = pulling_node(bytes_done=0)
    pacing = noted_after_write(node)
    node.advance(2)

    sample(node, bytes_done=50)

    assert 3.0 == due_after(pacing, node)


@pytest.mark.parametrize(("bytes_done", "due"), [(520, 58.0), (449, 3.0), (480, 58.0), (550, 3.0)])
def test_progress_is_compared_with_what_was_written(bytes_done: int, due: float) -> None:
    """From a half on it is the difference that counts, also backwards where a pull begins anew."""
    node = pulling_node(bytes_done=500)
    pacing = noted_after_write(node)
    node.advance(2)

    sample(node, bytes_done=bytes_done)

    assert due == due_after(pacing, node)


def test_less_than_five_percent_more_waits_for_the_sign_of_life() -> None:
    """So a slow pull of a large image costs a write a minute."""
    node = pulling_node(bytes_done=0)
    pacing = noted_after_write(node)
    node.advance(2)

    sample(node, bytes_done=49)

    assert 58.0 == due_after(pacing, node)


def test_with_a_task_open_there_is_a_report_each_minute() -> None:
    """A sign of life, though nothing has changed."""
    node = pulling_node()
    pacing = noted_after_write(node)

    assert 60.0 == due_after(pacing, node)


def test_what_came_back_to_what_was_written_is_no_news() -> None:
    """A difference that went away before it was written is forgotten."""
    node = pulling_node()
    pacing = noted_after_write(node)
    written = node.state
    node.want(image(is_suspended=True))
    pacing = noted(pacing, report_of(node.state), now_seconds=node.seconds)
    assert pacing.differs_since_seconds is not None

    node.state = written

    assert 60.0 == due_after(pacing, node)


def test_a_withdrawn_image_is_news() -> None:
    """Its status goes."""
    node = VirtualNode()
    node.want(image())
    node.end(DONE)
    pacing = noted_after_write(node)

    node.want()

    assert 0.0 == due_after(pacing, node)


@pytest.mark.parametrize("end", [RUNTIME_DOWN, UNAVAILABLE])
def test_a_failed_attempt_and_an_absent_runtime_are_news(end: AttemptEnd) -> None:
    """Within a second, since the image is not there yet."""
    node = pulling_node()
    pacing = noted_after_write(node)

    node.end(end)

    assert 1.0 == due_after(pacing, node)


def test_an_absent_runtime_is_told_though_nothing_is_wanted() -> None:
    """The condition RuntimeReady is about the node."""
    state = NodeState(is_runtime_up=False)

    report = report_of(state)

    assert not report.is_runtime_up
    assert 5.0 == due_seconds(noted(Pacing(), report, now_seconds=5.0), report)


def test_another_object_under_the_same_name_is_news() -> None:
    """Nothing has been written into it yet."""
    node = VirtualNode()
    node.want(image(), uid="first")
    node.end(DONE)
    written = report_of(node.state)

    other = msgspec.structs.replace(written, uid="second")

    assert 9.0 == noted(wrote(written, now_seconds=0.0), other, now_seconds=9.0).differs_since_seconds


def test_a_new_generation_is_news_by_itself() -> None:
    """A spec that changes nothing for this node's images is answered too: observedGeneration follows."""
    node = VirtualNode()
    node.want(image())
    node.end(DONE)
    pacing = noted_after_write(node)

    node.state = msgspec.structs.replace(node.state, generation=node.state.generation + 1)

    assert 0.0 == due_after(pacing, node)


def test_a_status_has_no_page_of_words() -> None:
    """A registry's proxy may answer with a page of HTML; every entry of a node has to fit into one object."""
    node = VirtualNode()
    node.want(image(backoff_limit=0))

    node.end(msgspec.structs.replace(UNAVAILABLE, message="x" * 100_000))

    assert 1024 == len(status_of(node.task()).message)
