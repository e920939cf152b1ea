"""What happened to a node, as events: one test for each kind of change."""

from datetime import timedelta

import pytest

from daemon.api.reasons import Reason
from daemon.display.events import Event
from daemon.node.task import AttemptEnd, Ending
from daemon.runtime.interface import Progress, Stage
from tests.unit.display.told import HALF, ToldNode
from tests.unit.node.virtual_node import DONE, EPOCH, LOW, PRESENT, RUNTIME_DOWN, UNAVAILABLE, image


IMAGE = "registry.example/app:v1"


@pytest.fixture
def node() -> ToldNode:
    """A node that has begun to bring one image, and not yet asked the registry."""
    node = ToldNode()
    node.want(image())
    return node


@pytest.fixture
def pulling(node: ToldNode) -> ToldNode:
    """A node whose pull is under way."""
    node.ask_registry()
    return node


def _names(events: list[Event]) -> list[str]:
    return [event.event for event in events]


def test_a_wish_alone_is_no_event() -> None:
    """What is wanted is known to who asked for it; the pull's begin is what happens."""
    node = ToldNode()

    assert [] == node.events_of(lambda: node.want(image()))


def test_pull_started_when_the_registry_is_asked(node: ToldNode) -> None:
    """It names image, version, attempt and how many there may be."""
    (event,) = node.events_of(node.ask_registry)

    assert ("pull_started", IMAGE, 1, 1, 4) == (
        event.event,
        event.image,
        event.version,
        event.attempt,
        event.attempts_allowed,
    )
    assert EPOCH + timedelta(seconds=node.seconds) == event.time


def test_pull_progressed_with_bytes_and_time_left(pulling: ToldNode) -> None:
    """Bytes as they are, the rest in whole units."""
    (event,) = pulling.events_of(lambda: pulling.progress(HALF))

    assert ("pull_progressed", "Downloading", 50, 50, 100) == (
        event.event,
        event.stage,
        event.percent,
        event.bytes_done,
        event.bytes_total,
    )
    assert (10, 5, 0, 2) == (
        event.bytes_per_second,
        event.eta_seconds,
        event.layers_unpacked,
        event.layers_total,
    )


def test_the_same_progress_again_is_no_event(pulling: ToldNode) -> None:
    """A pull that stands still says nothing."""
    pulling.progress(HALF)

    assert [] == pulling.events_of(lambda: pulling.progress(HALF))


def test_a_percentage_is_never_invented(pulling: ToldNode) -> None:
    """Where the runtime tells no total there is none."""
    (event,) = pulling.events_of(lambda: pulling.progress(Progress(stage=Stage.DOWNLOADING, bytes_done=50)))

    assert (None, 50, 0) == (event.percent, event.bytes_done, event.bytes_total)


def test_a_running_pull_is_never_at_100_percent(pulling: ToldNode) -> None:
    """All bytes are here, but the image is not."""
    full = Progress(stage=Stage.UNPACKING, bytes_done=100, bytes_total=100, layers_unpacked=1, layers_total=2)

    (event,) = pulling.events_of(lambda: pulling.progress(full))

    assert (99, "Unpacking", 1) == (event.percent, event.stage, event.layers_unpacked)


def test_attempt_failed_says_why_and_when_the_next_is(pulling: ToldNode) -> None:
    """With the reason of the closed list and the runtime's words."""
    (event,) = pulling.events_of(lambda: pulling.end(UNAVAILABLE))

    assert ("attempt_failed", 1, 4, 1) == (
        event.event,
        event.attempt,
        event.attempts_allowed,
        event.retry_in_seconds,
    )
    assert (Reason.REGISTRY_UNAVAILABLE, "connection refused") == (event.reason, event.message)


def test_the_next_attempt_is_a_pull_started_with_its_number(pulling: ToldNode) -> None:
    """A person sees that it goes on."""
    pulling.end(UNAVAILABLE)
    pulling.advance(2)

    (event,) = pulling.events_of(pulling.ask_registry)

    assert ("pull_started", 2, "") == (event.event, event.attempt, event.reason)


def test_image_failed_after_the_last_attempt() -> None:
    """One event for the end, with the reason and how long it took."""
    node = ToldNode()
    node.want(image(backoff_limit=0))
    node.ask_registry()
    node.advance(3)

    (event,) = node.events_of(lambda: node.end(UNAVAILABLE))

    assert ("image_failed", "RegistryUnavailable", 3.0) == (event.event, event.reason, event.seconds)


def test_an_invalid_reference_fails_without_an_attempt() -> None:
    """Its words are the message."""
    node = ToldNode()

    (event,) = node.events_of(lambda: node.want(image(reference=None, problem="no such name")))

    assert ("image_failed", "InvalidReference", "no such name") == (event.event, event.reason, event.message)


def test_image_pulled_tells_whether_it_changed(pulling: ToldNode) -> None:
    """A pull that found the same image again is told apart from one that brought another."""
    pulling.advance(2)

    (event,) = pulling.events_of(lambda: pulling.end(DONE))

    assert ("image_pulled", True, 2.0) == (event.event, event.changed, event.seconds)
    assert DONE.image_id == event.image_id


def test_image_pulled_unchanged(pulling: ToldNode) -> None:
    """The registry was asked and had nothing new."""
    same = AttemptEnd(ending=Ending.DONE, image_id="registry.example/app@sha256:1", is_fetched=True, is_changed=False)

    (event,) = pulling.events_of(lambda: pulling.end(same))

    assert ("image_pulled", False) == (event.event, event.changed)


def test_image_present_when_the_registry_was_not_asked(node: ToldNode) -> None:
    """IfNotPresent found it."""
    (event,) = node.events_of(lambda: node.end(PRESENT))

    assert ("image_present", False) == (event.event, event.changed)


def test_a_renewed_image_ends_again(pulling: ToldNode) -> None:
    """A new version's end is told though the old one had ended."""
    pulling.end(DONE)
    renewal = pulling.events_of(lambda: pulling.want(image(version=2)))

    (event,) = pulling.events_of(lambda: pulling.end(PRESENT))

    assert [] == renewal
    assert ("image_present", 2) == (event.event, event.version)


def test_image_lost_when_a_standing_image_is_removed(pulling: ToldNode) -> None:
    """And its return is an end like any other."""
    pulling.end(DONE)

    (lost,) = pulling.events_of(pulling.lose)
    (back,) = pulling.events_of(lambda: pulling.end(DONE))

    assert ["image_lost", "image_pulled"] == _names([lost, back])


def test_image_withdrawn_when_it_is_no_longer_wanted(pulling: ToldNode) -> None:
    """By its name alone."""
    (event,) = pulling.events_of(pulling.want)

    assert ("image_withdrawn", IMAGE) == (event.event, event.image)


def test_image_suspended_at_first_sight() -> None:
    """It will not start."""
    node = ToldNode()

    assert ["image_suspended"] == _names(node.events_of(lambda: node.want(image(is_suspended=True))))


def test_image_suspended_while_it_is_pulled(pulling: ToldNode) -> None:
    """Once; the end of the cancelled pull adds nothing."""
    (event,) = pulling.events_of(lambda: pulling.want(image(is_suspended=True)))
    ended = pulling.events_of(lambda: pulling.end(UNAVAILABLE))

    assert "image_suspended" == event.event
    assert [] == ended


def test_waiting_for_space_is_said_once(node: ToldNode) -> None:
    """Every look at the disk that finds it full is no news."""
    (event,) = node.events_of(lambda: node.end(LOW))
    node.advance(2)
    again = node.events_of(lambda: node.end(LOW))

    assert ("waiting_for_space", "DiskLow", LOW.message) == (event.event, event.reason, event.message)
    assert [] == again


def test_runtime_lost_and_found_are_the_node_s(pulling: ToldNode) -> None:
    """A runtime that goes away costs no attempt, so none is said to have failed."""
    lost = pulling.events_of(lambda: pulling.end(RUNTIME_DOWN))
    found = pulling.events_of(pulling.runtime_answers)

    assert [("runtime_lost", "RuntimeUnavailable")] == [(event.event, event.reason) for event in lost]
    assert ["runtime_found"] == _names(found)


def test_nothing_is_said_of_what_stays(pulling: ToldNode) -> None:
    """Time alone is no event."""
    assert [] == pulling.events_of(lambda: pulling.advance(5))
