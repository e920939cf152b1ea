"""Which ends become Kubernetes events, about which objects, and which are told nobody."""

import msgspec
import pytest
from msgspec.structs import replace

from daemon.agent.announcer import Announcer
from daemon.api.nodeimage import OwnerReference, Phase, TagStatus
from daemon.cluster.recorder import Regarding
from daemon.node import transitions
from daemon.node.task import CancelCause
from daemon.node.wanted import Key, Wanted
from tests.unit.agent.observed import ObservedNode
from tests.unit.node.virtual_node import DONE, PRESENT, UNAVAILABLE, cancelled, image, key_of


VERSION = "apps.kruise.io/v1beta1"
JOB = OwnerReference(api_version=VERSION, kind="ImagePullJob", namespace="team", name="warm", uid="u-1")
LIST = OwnerReference(api_version=VERSION, kind="ImageListPullJob", namespace="team", name="all", uid="u-2")
NODE_IMAGE = Regarding(api_version=VERSION, kind="NodeImage", name="n1", uid="node")
UNCHANGED = replace(DONE, is_changed=False)


class Told(msgspec.Struct, frozen=True):
    """One event as it was recorded."""

    regarding: Regarding
    kind: str
    reason: str
    note: str
    action: str


class Events:
    """Events as they are recorded."""

    def __init__(self) -> None:
        self._told: list[Told] = []

    def record(self, regarding: Regarding, *, kind: str, reason: str, note: str, action: str) -> None:
        """Take an event."""
        self._told.append(Told(regarding, kind, reason, note, action))

    def take(self) -> list[Told]:
        """Return the events since the last time."""
        told, self._told = self._told, []
        return told

    def reasons(self) -> list[str]:
        """Return the reasons of the events since the last time."""
        return [told.reason for told in self.take()]


@pytest.fixture
def events() -> Events:
    """No event yet."""
    return Events()


def node_of(events: Events, *, has_owner_events: bool = False) -> ObservedNode:
    """Return the node n1, whose ends become events."""
    announcer = Announcer(events, node_name="n1", has_owner_events=has_owner_events)
    announcer.served(VERSION)
    return ObservedNode(announcer)


def test_a_pull_that_brought_an_image_is_an_event_on_the_node_image(events: Events) -> None:
    """It has the image and how long it took; the version is the one that the API server serves."""
    node = node_of(events)
    node.want(image())
    node.ask_registry()
    node.seconds += 2.5

    node.end_worker(1, DONE)

    note = "registry.example/app:v1: pulled in 2.5 s"
    assert [Told(NODE_IMAGE, "Normal", "PullImageSucceed", note, "PullImage")] == events.take()


@pytest.mark.parametrize("end", [PRESENT, UNCHANGED], ids=["present", "unchanged"])
def test_what_brought_nothing_new_is_no_event(events: Events, end: object) -> None:
    """A nightly refresh of an unchanged image must not fill a cluster with events."""
    node = node_of(events)
    node.want(image(policy="Always" if end is UNCHANGED else "IfNotPresent"))

    node.end(end)  # type: ignore[arg-type]

    assert (Phase.SUCCEEDED, []) == (node.phase(), events.take())


def test_a_failure_is_an_event_when_it_is_for_good(events: Events) -> None:
    """With the reason and the runtime's words; attempts that are followed by another are none."""
    node = node_of(events)
    node.want(image(backoff_limit=1))
    node.end(UNAVAILABLE)
    first = events.take()
    node.advance(2)

    node.end(UNAVAILABLE)

    note = "registry.example/app:v1: RegistryUnavailable: connection refused"
    assert [] == first
    assert [Told(NODE_IMAGE, "Warning", "PullImageFailed", note, "PullImage")] == events.take()


def test_an_entry_that_names_no_image_fails_without_an_attempt(events: Events) -> None:
    """Its author should see it."""
    node = node_of(events)

    node.want(image(reference=None, problem="no image has such a name"))

    assert ["PullImageFailed"] == events.reasons()


def test_an_entrys_own_words_act_on_no_terminal(events: Events) -> None:
    """Where it names no image its repository and tag can be anything, and people look at events with kubectl."""
    node = node_of(events)

    node.want(image(key=Key("\x1b[2J" + "x" * 9999, "v1"), reference=None, problem="no image has such a name"))

    (told,) = events.take()
    assert told.note.isprintable()
    assert len(told.note) < 1024


def test_an_end_is_told_once(events: Events) -> None:
    """Whatever else changes on the node afterwards."""
    node = node_of(events)
    node.want(image())
    node.end(DONE)
    first = events.reasons()

    node.want(image(), image("web"))
    node.end(UNCHANGED, name="web")

    assert (["PullImageSucceed"], []) == (first, events.reasons())


def test_each_version_has_its_own_end(events: Events) -> None:
    """Also where the new version's comes in the same step as the old one's was there."""
    node = node_of(events)
    node.want(image(backoff_limit=0))
    node.end(UNAVAILABLE)
    first = events.reasons()

    node.want(image(version=2, backoff_limit=0))
    node.end(UNAVAILABLE)

    assert (["PullImageFailed"], ["PullImageFailed"]) == (first, events.reasons())


def test_an_image_that_came_back_is_told_again(events: Events) -> None:
    """It had been evicted: something was fetched."""
    node = node_of(events)
    node.want(image())
    node.end(DONE)
    first = events.reasons()

    node.lose()
    node.end(DONE)

    assert (["PullImageSucceed"], ["PullImageSucceed"]) == (first, events.reasons())


def test_what_an_earlier_process_reached_is_not_told_again(events: Events) -> None:
    """A restart of the agent is no news of its images."""
    node = node_of(events)
    answers = {key_of("app"): TagStatus(tag="v1", phase=Phase.FAILED, version=1, reason="ImageNotFound")}

    node.state = transitions.want(
        node.state, Wanted(uid="node", generation=1, images=(image(),), answers=answers), now=node.now
    )

    assert (Phase.FAILED, []) == (node.phase(), events.take())


def test_a_withdrawal_is_no_end(events: Events) -> None:
    """Nobody wants to know (8.2 number 10: a failure is told of it)."""
    node = node_of(events)
    node.want(image())
    node.ask_registry()

    node.want()
    node.end_worker(1, cancelled(CancelCause.WITHDRAWN))

    assert [] == events.take()


def test_owners_hear_of_failures_where_that_is_asked_for(events: Events) -> None:
    """Each job that wants the image, in its own namespace and version; a list's owner is its child job."""
    node = node_of(events, has_owner_events=True)
    other = replace(JOB, api_version="apps.kruise.io/v1alpha1", namespace="other", name="too", uid="u-3")
    node.want(image(backoff_limit=0, owners=(JOB, LIST, other)))

    node.end(UNAVAILABLE)

    told = events.take()
    assert [
        NODE_IMAGE,
        Regarding(api_version=VERSION, kind="ImagePullJob", namespace="team", name="warm", uid="u-1"),
        Regarding(api_version=other.api_version, kind="ImagePullJob", namespace="other", name="too", uid="u-3"),
    ] == [one.regarding for one in told]
    assert 1 == len({(one.kind, one.reason, one.note) for one in told})


def test_owners_do_not_hear_of_successes(events: Events) -> None:
    """A job has a status for them, and a cluster has many nodes."""
    node = node_of(events, has_owner_events=True)
    node.want(image(owners=(JOB,)))

    node.end(DONE)

    assert [NODE_IMAGE] == [told.regarding for told in events.take()]


def test_owners_hear_nothing_by_default(events: Events) -> None:
    """It needs a right in every namespace, which an agent does not have."""
    node = node_of(events)
    node.want(image(backoff_limit=0, owners=(JOB,)))

    node.end(UNAVAILABLE)

    assert [NODE_IMAGE] == [told.regarding for told in events.take()]
