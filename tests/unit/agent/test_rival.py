"""When another counts as a daemon that writes this node's status too, what is said of it, and until when."""

import pytest

from daemon.agent import rival
from daemon.agent.document import Parts
from daemon.agent.rival import QUIET_SECONDS, Rival
from daemon.cluster.metadata import Writing


def writing(manager: str, *, time: str = "2026-01-01T00:00:00Z", subresource: str = "status") -> Writing:
    """Have been written by somebody."""
    return Writing(manager=manager, subresource=subresource, time=time)


def tags(**fields: str) -> Parts:
    """Say this of the one tag of repository a."""
    return {("imageStatuses", "a"): {"tags": [{"tag": "v1", **fields}]}}


def test_openkruises_daemon_counts_the_first_time() -> None:
    """Its name says what it is."""
    found = rival.sighted(None, name="kruise-daemon", now_seconds=5.0)

    assert Rival(name="kruise-daemon", seen_seconds=5.0, is_certain=True) == rival.standing(found, now_seconds=6.0)


def test_anybody_else_counts_the_second_time() -> None:
    """A person may overwrite a status once; whoever does it again will go on."""
    once = rival.sighted(None, name="kubectl-edit", now_seconds=5.0)

    twice = rival.sighted(once, name="kubectl-edit", now_seconds=60.0)

    assert rival.standing(once, now_seconds=6.0) is None
    assert twice == rival.standing(twice, now_seconds=61.0)


def test_once_in_a_long_while_is_nobody() -> None:
    """Two accidents are no daemon."""
    once = rival.sighted(None, name="", now_seconds=5.0)

    again = rival.sighted(once, name="", now_seconds=5.0 + QUIET_SECONDS)

    assert rival.standing(again, now_seconds=6.0 + QUIET_SECONDS) is None


def test_it_is_over_after_a_quarter_of_an_hour() -> None:
    """Nobody has to take it back."""
    found = rival.sighted(None, name="kruise-daemon", now_seconds=5.0)

    assert 900.0 == QUIET_SECONDS
    assert rival.standing(found, now_seconds=4.0 + QUIET_SECONDS)
    assert rival.standing(found, now_seconds=5.0 + QUIET_SECONDS) is None


@pytest.mark.parametrize("name", ["prewarm-coordinator", "kruise-manager"])
def test_who_writes_in_a_silent_agents_place_is_no_daemon(name: str) -> None:
    """They may do so again and again."""
    once = rival.sighted(None, name=name, now_seconds=5.0)

    assert rival.sighted(once, name=name, now_seconds=6.0) is None


def test_its_name_is_the_newest_other_writer_of_the_status() -> None:
    """Not the coordinator's, who writes the spec, nor our own."""
    writings = (
        writing("prewarm-agent", time="2026-01-01T00:00:09Z"),
        writing("prewarm-coordinator", time="2026-01-01T00:00:08Z", subresource=""),
        writing("kruise-daemon", time="2026-01-01T00:00:07Z"),
        writing("kubectl-edit", time="2026-01-01T00:00:01Z"),
    )

    assert writings[2] == rival.writing_of(writings)
    assert ["", ""] == [rival.writing_of(found).manager for found in ((), writings[:2])]


def test_it_is_told_by_its_name_where_that_is_known() -> None:
    """In the same words as long as it is the same."""
    known = Rival(name="kruise-daemon", seen_seconds=1.0, is_certain=True)
    unknown = Rival(name="", seen_seconds=1.0, is_certain=True)

    assert rival.words_of(known).startswith("kruise-daemon writes this status too")
    assert rival.words_of(unknown).startswith("another process writes this status too")
    assert "" == rival.words_of(None)


@pytest.mark.parametrize(
    ("observed", "is_silence"),
    [
        (tags(phase="Failed", reason="AgentSilent"), True),
        (tags(phase="Failed", message="node has not responded for a long time"), True),
        (tags(phase="Failed", message="by another"), False),
        ({("imageStatuses", "a"): {"tags": [7]}}, False),
        ({("imageStatuses", "a"): 7, ("desired",): 3}, False),
    ],
)
def test_words_about_a_silent_agent_are_known(observed: Parts, *, is_silence: bool) -> None:
    """Of a coordinator, and of OpenKruise's manager on CRDs that have no reasons."""
    assert is_silence == rival.is_for_silence(observed, accepted=tags(phase="Pulling"))


def test_what_stood_there_before_is_no_change_about_silence() -> None:
    """Another part has changed."""
    silent = tags(reason="AgentSilent")

    assert not rival.is_for_silence({**silent, ("desired",): 9}, accepted=silent)
