"""A hollow node answers each version once, at once or after its pull, and as its plan says."""

from datetime import UTC, datetime, timedelta

from msgspec.structs import replace

from bench.hollow.answer import Running, Said, begun, is_news, next_at, statuses_of
from bench.hollow.pulls import Failing, Pull, Pulls, instant, pulls_of
from bench.hollow.seen import Additions, Entry, Image, ImageKey, Metadata, SeenNodeImage, Spec
from daemon.api.nodeimage import Phase, TagStatus


NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
KEY = ImageKey("app", "1")


def wanted(*entries: Entry) -> SeenNodeImage:
    """Return a NodeImage that wants these of one repository."""
    return SeenNodeImage(metadata=Metadata(name="n-1", uid="u"), spec=Spec(images={"app": Image(tags=entries)}))


def answered(
    seen: SeenNodeImage, *, said: Said | None = None, pulls: Pulls = instant, after: timedelta = timedelta()
) -> dict[ImageKey, TagStatus]:
    """Return what a node says of its images a while after it has heard of them."""
    running = begun(seen, running={}, said=said or Said(), pulls=pulls, now=NOW)
    return statuses_of(seen, running=running, said=said or Said(), now=NOW + after)


def test_everything_that_is_open_is_answered_together() -> None:
    """Two entries, one answer, in the version of each."""
    found = answered(wanted(Entry("1", 4), Entry("2", 7)))

    assert [(Phase.SUCCEEDED, 4), (Phase.SUCCEEDED, 7)] == [(one.phase, one.version) for one in found.values()]


def test_an_answered_version_is_not_answered_again() -> None:
    """What is said stays as it is, until the version is another."""
    said = Said(statuses=answered(wanted(Entry("1", 4))))

    same = answered(wanted(Entry("1", 4)), said=said, after=timedelta(hours=1))
    newer = answered(wanted(Entry("1", 5)), said=said)

    assert said.statuses == same
    assert (5, False) == (newer[KEY].version, newer[KEY].changed)


def test_a_pull_that_lasts_is_told_when_it_begins_and_when_it_ends() -> None:
    """Pulling first, and the end when its time has come."""
    pulls = pulls_of(seconds=20.0)

    phases = [
        answered(wanted(Entry("1", 1)), pulls=pulls, after=timedelta(seconds=seconds))[KEY].phase for seconds in (0, 20)
    ]

    assert [Phase.PULLING, Phase.SUCCEEDED] == phases


def test_a_short_pull_is_told_once() -> None:
    """An end within a second comes alone."""
    assert {} == answered(wanted(Entry("1", 1)), pulls=pulls_of(seconds=0.5))


def test_nodes_fail_or_stay_silent_by_name() -> None:
    """The first pattern that fits gives the reason; a silent node says nothing."""
    failing = pulls_of(failing=[Failing(nodes="n-*", reason="ImageNotFound")])

    assert ("ImageNotFound", Phase.FAILED) == _end(answered(wanted(Entry("1", 1)), pulls=failing)[KEY])
    assert {} == answered(wanted(Entry("1", 1)), pulls=pulls_of(silent=["n-1"]))


def test_a_suspended_entry_waits_and_goes_on_in_the_same_version() -> None:
    """It is Waiting with the reason Suspended, and pulled when it is resumed."""
    suspended = answered(wanted(Entry("1", 1, Additions(suspended=True))))
    resumed = answered(wanted(Entry("1", 1)), said=Said(statuses=suspended))

    assert ("Suspended", Phase.WAITING) == _end(suspended[KEY])
    assert ("", Phase.SUCCEEDED) == _end(resumed[KEY])


def test_a_withdrawn_image_is_said_no_more() -> None:
    """Which is news."""
    said = Said(statuses=answered(wanted(Entry("1", 1))))

    left = answered(wanted(), said=said)

    assert {} == left
    assert is_news(left, running={}, said=said, now=NOW)


def test_a_running_pull_is_said_again_each_minute() -> None:
    """So that nobody takes the node for silent; in between there is nothing to say."""
    seen = wanted(Entry("1", 1))
    running = begun(seen, running={}, said=Said(), pulls=lambda _node, _key: Pull(seconds=600.0), now=NOW)
    said = Said(statuses=statuses_of(seen, running=running, said=Said(), now=NOW), at=NOW)

    news = [_has_news(seen, running, said=said, seconds=seconds) for seconds in (59, 60)]

    assert [False, True] == news
    assert NOW + timedelta(seconds=60) == next_at(running, said=said, now=NOW)
    assert NOW + timedelta(seconds=600) == next_at(
        running, said=replace(said, at=NOW + timedelta(seconds=550)), now=NOW + timedelta(seconds=550)
    )


def _has_news(seen: SeenNodeImage, running: dict[ImageKey, Running], *, said: Said, seconds: int) -> bool:
    now = NOW + timedelta(seconds=seconds)
    statuses = statuses_of(seen, running=running, said=said, now=now)
    return is_news(statuses, running=running, said=said, now=now)


def _end(status: TagStatus) -> tuple[str, Phase]:
    return status.reason, status.phase
