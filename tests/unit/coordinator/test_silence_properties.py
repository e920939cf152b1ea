"""Whatever a NodeImage holds: one who looks only when told to misses no change."""

import itertools
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from daemon.api.nodeimage import EntryPrewarm, EntryPullPolicy, Phase, TagEntry, TagStatus
from daemon.api.reasons import Reason
from daemon.clock import Moment
from daemon.coordinator.seen import ImageKey, SeenAgent, SeenNode, SeenNodeImage
from daemon.coordinator.silence import Heard, Skip, heard_of, next_look, silent_keys, skip_of


START = datetime(2026, 1, 1, 12, tzinfo=UTC)
KEYS = [ImageKey("nginx", "1"), ImageKey("nginx", "2"), ImageKey("redis", "7")]
SPAN = 3600.0

offsets = st.floats(-SPAN, SPAN) | st.sampled_from([-600.0, -180.0, -60.0, 0.0])
moments = (st.none() | offsets).map(lambda offset: None if offset is None else START + timedelta(seconds=offset))
entries = st.builds(
    TagEntry,
    tag=st.just("x"),
    created_at=moments,
    version=st.integers(1, 2),
    pull_policy=st.builds(
        EntryPullPolicy,
        timeout_seconds=st.integers(1, 100),
        backoff_limit=st.integers(0, 2),
        active_deadline_seconds=st.none() | st.integers(1, 1000),
    ),
    prewarm=st.builds(EntryPrewarm, suspended=st.booleans()),
)
statuses = st.builds(
    TagStatus,
    tag=st.just("x"),
    phase=st.sampled_from(Phase),
    version=st.integers(1, 2),
    start_time=moments,
    completion_time=moments,
    reason=st.sampled_from(["", "", "AgentSilent"]),
)
agents = st.none() | st.builds(SeenAgent, reported_at=st.sampled_from(["1", "2"]))
node_images = st.builds(
    SeenNodeImage,
    name=st.just("node-a"),
    uid=st.just("i"),
    entries=st.dictionaries(st.sampled_from(KEYS), entries),
    statuses=st.dictionaries(st.sampled_from(KEYS), statuses),
    agent=agents,
)
nodes = st.none() | st.builds(
    SeenNode,
    name=st.just("node-a"),
    uid=st.just("n"),
    created_at=st.just(START),
    is_ready=st.sampled_from([True, True, True, False]),
    leaving=st.sampled_from(["", "", "", "deletionTimestamp"]),
    agentless=st.sampled_from(["", "", "", "a windows node"]),
)


def _moment(seconds: float) -> Moment:
    return Moment(seconds=seconds, at=START + timedelta(seconds=seconds))


def _heard(images: list[SeenNodeImage]) -> Heard | None:
    """What has been heard when each was seen ten seconds after the one before, the last one at the start."""
    heard = None
    for place, image in enumerate(images):
        heard = heard_of(heard, image, now=_moment(10.0 * (place + 1 - len(images))))
    return heard


def _answers(
    node: SeenNode | None, image: SeenNodeImage, heard: Heard | None, seconds: float
) -> tuple[Skip | None, tuple[ImageKey, ...]]:
    """Why the node is left out, and what is to be said of it, which only matters where it is silent."""
    now = _moment(seconds)
    skip = skip_of(node, image, heard=heard, now=now)
    is_silent = skip is not None and skip.reason == Reason.AGENT_SILENT
    return skip, silent_keys(image, heard=heard, now=now) if is_silent else ()


def _looks(node: SeenNode | None, image: SeenNodeImage, heard: Heard | None) -> list[float]:
    """When one looks who looks at the start and then whenever told to, within the span."""
    looks = [0.0]
    while (at := next_look(node, image, heard=heard, now=_moment(looks[-1]))) is not None:
        seconds = (at - START).total_seconds()
        assert seconds > looks[-1]
        if seconds > SPAN:
            break
        looks.append(seconds)
    return looks


@given(
    node=nodes,
    images=st.lists(node_images, min_size=1, max_size=3),
    hears=st.booleans(),
    times=st.lists(st.floats(0, SPAN), max_size=20),
)
def test_time_changes_nothing_between_looks(
    node: SeenNode | None, images: list[SeenNodeImage], times: list[float], *, hears: bool
) -> None:
    """At any time, also just before the next look, the answers are those of the last look."""
    image, heard = images[-1], _heard(images) if hears else None
    looks = _looks(node, image, heard)
    before = [later - 0.002 for earlier, later in itertools.pairwise(looks) if later - 0.002 > earlier]

    for seconds in [*times, *before]:
        last = max(look for look in looks if look <= seconds)
        assert _answers(node, image, heard, last) == _answers(node, image, heard, seconds)


@given(node=nodes, images=st.lists(node_images, min_size=1, max_size=3), seconds=st.floats(0, SPAN))
def test_what_is_said_of_a_node_ends_what_is_to_be_said(
    node: SeenNode | None, images: list[SeenNodeImage], seconds: float
) -> None:
    """Once the coordinator's statuses are written, the node is still left out, and nothing more is written."""
    image, heard = images[-1], _heard(images)
    keys = silent_keys(image, heard=heard, now=_moment(seconds))
    if not keys:
        return
    said = {
        key: TagStatus(tag="x", phase=Phase.FAILED, version=image.entries[key].version, reason="AgentSilent")
        for key in keys
    }
    written = SeenNodeImage(
        name=image.name,
        uid=image.uid,
        entries=image.entries,
        statuses={**image.statuses, **said},
        agent=image.agent,
    )

    after = heard_of(heard, written, now=_moment(seconds))

    assert () == tuple(key for key in silent_keys(written, heard=after, now=_moment(seconds)) if key in keys)
    assert None is not skip_of(node, written, heard=after, now=_moment(seconds))


@given(image=node_images, seconds=st.floats(0, SPAN))
def test_a_node_that_is_silent_is_skipped(image: SeenNodeImage, seconds: float) -> None:
    """No status is written of a node that still counts."""
    heard = heard_of(None, image, now=_moment(0))
    keys = silent_keys(image, heard=heard, now=_moment(seconds))

    skip = skip_of(None, image, heard=heard, now=_moment(seconds))

    assert not keys or (skip is not None and skip.reason == "AgentSilent")
    assert all(image.entries[key].prewarm.suspended is False for key in keys)


@given(images=st.lists(node_images, min_size=1, max_size=5))
def test_what_was_heard_never_lies_in_the_future_and_repeats_nothing(images: list[SeenNodeImage]) -> None:
    """The same NodeImage again, as a list brings it, is no sign of life."""
    heard = _heard(images)
    assert heard is not None

    again = heard_of(heard, images[-1], now=_moment(100))

    assert heard is again
    assert heard.seconds <= 0
