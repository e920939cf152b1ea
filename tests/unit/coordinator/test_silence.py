"""Which nodes are left out, by what they say of themselves and by what nobody says any more."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from daemon.api.nodeimage import EntryPrewarm, EntryPullPolicy, Phase, TagEntry, TagStatus
from daemon.api.reasons import Reason
from daemon.clock import Moment
from daemon.coordinator.seen import ImageKey, SeenAgent, SeenNode, SeenNodeImage
from daemon.coordinator.silence import Heard, Skip, heard_of, next_look, silent_keys, skip_of


BORN = datetime(2026, 1, 1, 12, tzinfo=UTC)
A, B = ImageKey("nginx", "1"), ImageKey("redis", "7")
NODE = SeenNode(name="node-a", uid="n", created_at=BORN)
AGENT = SeenAgent(version="1", reported_at="12:00:00")


def _at(seconds: float) -> datetime:
    return BORN + timedelta(seconds=seconds)


def _now(seconds: float) -> Moment:
    """An instant on both clocks; the one of durations has an epoch of its own."""
    return Moment(seconds=70_000 + seconds, at=_at(seconds))


def _entry(*, version: int = 1, created: float = 0, suspended: bool = False, **policy: int) -> TagEntry:
    return TagEntry(
        tag="x",
        version=version,
        created_at=_at(created),
        pull_policy=EntryPullPolicy(**policy),
        prewarm=EntryPrewarm(suspended=suspended),
    )


def _status(phase: Phase, *, version: int = 1, started: float | None = None, reason: str = "") -> TagStatus:
    start = None if started is None else _at(started)
    return TagStatus(tag="x", phase=phase, version=version, start_time=start, reason=reason)


def _image(
    entries: dict[ImageKey, TagEntry],
    statuses: dict[ImageKey, TagStatus] | None = None,
    *,
    agent: SeenAgent | None = None,
) -> SeenNodeImage:
    return SeenNodeImage(name="node-a", uid="i", entries=entries, statuses=statuses or {}, agent=agent)


def _reason(
    image: SeenNodeImage | None, *, now: float, heard: Heard | None = None, node: SeenNode | None = NODE
) -> str:
    skip = skip_of(node, image, heard=heard, now=_now(now))
    return "" if skip is None else skip.reason


def _heard(image: SeenNodeImage, *, at: float, before: Heard | None = None) -> Heard:
    return heard_of(before, image, now=_now(at))


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, None),
        ({"is_ready": False}, Skip(Reason.NODE_NOT_READY, "the node is not Ready")),
        ({"leaving": "deletionTimestamp"}, Skip(Reason.NODE_LEAVING, "the node is being deleted")),
        (
            {"leaving": "karpenter.sh/disrupted"},
            Skip(Reason.NODE_LEAVING, "the node has the taint karpenter.sh/disrupted"),
        ),
        ({"agentless": "a windows node"}, Skip(Reason.NO_AGENT, "no agent can run on a windows node")),
        (
            {"agentless": "a windows node", "is_ready": False},
            Skip(Reason.NO_AGENT, "no agent can run on a windows node"),
        ),
        (
            {"leaving": "deletionTimestamp", "agentless": "a windows node", "is_ready": False},
            Skip(Reason.NODE_LEAVING, "the node is being deleted"),
        ),
    ],
)
@pytest.mark.parametrize("image", [None, _image({})])
def test_a_node_is_left_out_by_what_it_says_of_itself(
    changes: dict[str, object], expected: Skip | None, image: SeenNodeImage | None
) -> None:
    """
    Leaving comes before agentless, agentless before not ready; words name what was seen.

    A dead node holds a slot for ten minutes in OpenKruise (8.2 number 4); here it leaves at once. Virtual nodes are
    kruise#1596.
    """
    node = msgspec.structs.replace(NODE, **changes)

    assert expected == skip_of(node, image, heard=None, now=_now(0))
    assert None is next_look(node, image, heard=None, now=_now(0))


def test_a_node_whose_node_image_is_not_there_yet_counts() -> None:
    """OpenKruise does not see a node before its NodeImage (8.2 number 3), nor find one just made (kruise#630)."""
    assert "" == _reason(None, now=9999)


def test_a_grant_that_nobody_answers_for_a_minute_has_no_agent() -> None:
    """By createdAt, so that a new coordinator does not wait for another minute."""
    image = _image({A: _entry(created=0)})

    assert ["", "NoAgent", "NoAgent"] == [_reason(image, now=now) for now in (59.9, 60, 9999)]
    assert _at(60) == next_look(NODE, image, heard=None, now=_now(0))
    assert None is next_look(NODE, image, heard=None, now=_now(60))


def test_without_an_agent_nothing_is_written_into_the_status() -> None:
    """Nobody would replace it."""
    image = _image({A: _entry(created=0)})

    assert () == silent_keys(image, heard=_heard(image, at=0), now=_now(9999))


def test_an_older_status_is_no_answer() -> None:
    """The daemon that once ended the version before is gone."""
    image = _image({A: _entry(version=2, created=0)}, {A: _status(Phase.SUCCEEDED, version=1, started=-900)})

    assert "NoAgent" == _reason(image, now=60)


def test_a_node_without_entries_needs_no_agent_yet() -> None:
    """It is left out when a grant has been unanswered, not before one."""
    assert "" == _reason(_image({}), now=9999)


def test_the_first_answer_brings_a_node_back() -> None:
    """An agent that is installed later."""
    image = _image({A: _entry(created=0)}, {A: _status(Phase.PULLING, started=400)}, agent=AGENT)

    assert "" == _reason(image, now=400, heard=_heard(image, at=400))


def test_an_agent_with_a_task_is_silent_after_three_minutes() -> None:
    """Counted from when its report was seen, on our clock: OpenKruise lets it hold a slot for ten (8.2 number 4)."""
    image = _image({A: _entry()}, {A: _status(Phase.PULLING, started=1)}, agent=AGENT)
    heard = _heard(image, at=20)

    assert ["", "AgentSilent"] == [_reason(image, now=now, heard=heard) for now in (199.9, 200)]
    assert [(), (A,)] == [silent_keys(image, heard=heard, now=_now(now)) for now in (199.9, 200)]
    assert _at(200) == next_look(NODE, image, heard=heard, now=_now(30))


@pytest.mark.parametrize("status", [None, _status(Phase.WAITING), _status(Phase.SUCCEEDED, version=0)])
def test_an_unanswered_task_of_an_agent_is_open(status: TagStatus | None) -> None:
    """An agent answers each within seconds; NoAgent is for nodes without one."""
    image = _image({A: _entry()}, {A: status} if status else {}, agent=AGENT)
    heard = _heard(image, at=0)

    assert ["", "AgentSilent"] == [_reason(image, now=now, heard=heard) for now in (179, 180)]


@pytest.mark.parametrize(
    "image",
    [
        _image({}, agent=AGENT),
        _image({A: _entry()}, {A: _status(Phase.SUCCEEDED)}, agent=AGENT),
        _image({A: _entry()}, {A: _status(Phase.FAILED)}, agent=AGENT),
        _image({A: _entry(suspended=True)}, {A: _status(Phase.WAITING)}, agent=AGENT),
    ],
)
def test_an_agent_without_an_open_task_may_be_silent(image: SeenNodeImage) -> None:
    """It has nothing to say: with nothing open it reports nothing."""
    heard = _heard(image, at=0)

    assert "" == _reason(image, now=86_400, heard=heard)
    assert None is next_look(NODE, image, heard=heard, now=_now(0))


@pytest.mark.parametrize(
    ("idle", "busy"),
    [
        ({}, {A: _entry(version=2, created=7200)}),
        ({A: _entry(version=1)}, {A: _entry(version=2, created=7200)}),
        ({A: _entry(version=2, suspended=True)}, {A: _entry(version=2)}),
    ],
)
def test_an_idle_agent_has_three_minutes_from_its_grant(
    idle: dict[ImageKey, TagEntry], busy: dict[ImageKey, TagEntry]
) -> None:
    """Its last report may be hours old when a task is granted, renewed or resumed."""
    told = {A: _status(Phase.SUCCEEDED, version=1)}
    heard = _heard(_image(idle, told, agent=AGENT), at=0)
    image = _image(busy, told, agent=AGENT)

    heard = _heard(image, at=7200, before=heard)

    assert ["", "AgentSilent"] == [_reason(image, now=now, heard=heard) for now in (7379, 7380)]


def test_every_report_begins_the_three_minutes_anew() -> None:
    """Whatever the node's clock says: only that reportedAt is another."""
    entries, statuses = {A: _entry()}, {A: _status(Phase.PULLING, started=1)}
    heard = _heard(_image(entries, statuses, agent=AGENT), at=0)
    earlier = msgspec.structs.replace(AGENT, reported_at="11:00:00")

    same = _heard(_image(entries, statuses, agent=AGENT), at=100, before=heard)
    later = _heard(_image(entries, statuses, agent=earlier), at=100, before=heard)

    assert heard == same
    assert "AgentSilent" == _reason(_image(entries, statuses, agent=AGENT), now=180, heard=same)
    assert "" == _reason(_image(entries, statuses, agent=earlier), now=180, heard=later)


def test_a_new_coordinator_gives_an_agent_three_minutes() -> None:
    """It can't know when the report that it finds was written."""
    image = _image({A: _entry(created=-9999)}, {A: _status(Phase.PULLING, started=-9998)}, agent=AGENT)
    heard = _heard(image, at=0)

    assert ["", "AgentSilent"] == [_reason(image, now=now, heard=heard) for now in (179, 180)]


def test_a_new_coordinator_knows_a_silent_node_by_what_the_last_one_wrote() -> None:
    """The status says AgentSilent until the agent's next report replaces it; it is written once."""
    said = {A: _status(Phase.FAILED, reason="AgentSilent")}
    image = _image({A: _entry()}, said, agent=AGENT)
    heard = _heard(image, at=0)

    assert "AgentSilent" == _reason(image, now=0, heard=heard)
    assert () == silent_keys(image, heard=heard, now=_now(9999))


def test_what_was_granted_to_a_silent_node_is_said_too() -> None:
    """A task that has come in between gets its own three minutes."""
    image = _image({A: _entry(), B: _entry()}, {A: _status(Phase.FAILED, reason="AgentSilent")}, agent=AGENT)
    heard = _heard(image, at=0)

    assert (B,) == silent_keys(image, heard=heard, now=_now(180))
    assert _at(180) == next_look(NODE, image, heard=heard, now=_now(0))


def test_an_agents_report_brings_its_node_back() -> None:
    """With the statuses that it writes, the node counts again."""
    entries = {A: _entry()}
    silent = _image(entries, {A: _status(Phase.FAILED, reason="AgentSilent")}, agent=AGENT)
    heard = _heard(silent, at=0)
    back = _image(
        entries, {A: _status(Phase.PULLING, started=300)}, agent=msgspec.structs.replace(AGENT, reported_at="12:05:00")
    )

    heard = _heard(back, at=300, before=heard)

    assert "" == _reason(back, now=300, heard=heard)


def test_a_fake_node_image_without_a_daemon_has_no_agent() -> None:
    """It has no Node that could be not ready; OpenKruise fails it after ten minutes."""
    image = _image({A: _entry(created=0)})

    assert ["", "NoAgent"] == [_reason(image, now=now, node=None) for now in (59, 60)]


def test_an_entry_without_a_time_is_not_waited_for() -> None:
    """Somebody else's; OpenKruise drops it."""
    image = _image({A: TagEntry(tag="x", version=1)})

    assert "" == _reason(image, now=9999)
    assert None is next_look(NODE, image, heard=_heard(image, at=0), now=_now(0))


def test_kruise_daemon_that_answers_and_pulls_for_long_is_there() -> None:
    """It reports a start and then nothing before the end: silence within its own bounds is no silence."""
    granted = {A: _entry(created=0, timeout_seconds=600, backoff_limit=3)}
    heard = _heard(_image(granted), at=0)
    pulling = _image(granted, {A: _status(Phase.PULLING, started=5)})

    heard = _heard(pulling, at=5, before=heard)

    # Four attempts of 600 s, 30 s between them, and OpenKruise's ten minutes.
    assert ["", "AgentSilent"] == [_reason(pulling, now=now, heard=heard) for now in (3119, 3120)]
    assert _at(3120) == next_look(NODE, pulling, heard=heard, now=_now(5))


def test_kruise_daemon_has_its_deadline_and_ten_minutes() -> None:
    """OpenKruise's own rule where the entry has a deadline."""
    image = _image({A: _entry(created=0, active_deadline_seconds=1800)}, {A: _status(Phase.PULLING, started=5)})
    heard = _heard(image, at=5)

    assert ["", "AgentSilent"] == [_reason(image, now=now, heard=heard) for now in (2399, 2400)]
    assert [(), (A,)] == [silent_keys(image, heard=heard, now=_now(now)) for now in (2399, 2400)]


def test_kruise_daemon_that_passes_over_one_entry_has_ten_minutes() -> None:
    """It has reported since, so there is a daemon; what it has not answered after OpenKruise's time is silent."""
    statuses = {B: _status(Phase.PULLING, started=30)}
    image = _image({A: _entry(created=0), B: _entry(created=20)}, statuses)
    heard = _heard(image, at=30)

    assert ["", "", "AgentSilent"] == [_reason(image, now=now, heard=heard) for now in (60, 599, 600)]
    assert (A,) == silent_keys(image, heard=heard, now=_now(600))


def test_what_a_coordinator_wrote_is_no_report_of_the_node() -> None:
    """Otherwise it would take its own word for an answer."""
    said = TagStatus(tag="x", phase=Phase.FAILED, version=1, reason="AgentSilent", completion_time=_at(700))
    entries = {A: _entry(created=0)}
    heard = _heard(_image(entries), at=0)

    after = _heard(_image(entries, {A: said}), at=700, before=heard)

    assert heard.seconds == after.seconds
    assert "NoAgent" == _reason(_image({B: _entry(created=650)}, {}), now=710, heard=after)


def test_a_foreign_daemon_that_goes_on_is_not_declared_silent_each_second() -> None:
    """A long queue on the node: what it puts back is a sign of life, worth another ten minutes."""
    entries = {A: _entry(created=0, active_deadline_seconds=60)}
    waiting = _image(entries, {A: _status(Phase.WAITING)})
    said = _image(entries, {A: _status(Phase.FAILED, reason="AgentSilent")})
    heard = _heard(said, at=661, before=_heard(waiting, at=0))

    heard = _heard(waiting, at=663, before=heard)

    assert ["", "AgentSilent"] == [_reason(waiting, now=now, heard=heard) for now in (1262, 1263)]


def test_an_absurd_deadline_is_far_away() -> None:
    """An int64 of seconds is beyond any calendar."""
    image = _image({A: _entry(created=0, active_deadline_seconds=2**63 - 1)}, {A: _status(Phase.PULLING)})

    assert "" == _reason(image, now=9999, heard=_heard(image, at=0))


def test_words_stay_the_same_while_a_node_is_left_out() -> None:
    """A status that is written anew with each second would cost a write a second."""
    image = _image({A: _entry()}, {A: _status(Phase.PULLING, started=1)}, agent=AGENT)
    heard = _heard(image, at=0)

    assert skip_of(NODE, image, heard=heard, now=_now(200)) == skip_of(NODE, image, heard=heard, now=_now(2000))
