"""When a status is written and with which operations: pacing, foreign writers, pruning servers, refusals."""

from datetime import UTC, datetime

import msgspec

from daemon.agent import clerk
from daemon.agent.clerk import Clerk, Observed
from daemon.agent.document import Parts, parts_of
from daemon.agent.rival import QUIET_SECONDS
from daemon.api.nodeimage import Phase, TagStatus
from daemon.cluster.interface import Operation
from daemon.node.report import Report
from daemon.node.wanted import Key


NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
DONE = TagStatus(tag="v1", phase=Phase.SUCCEEDED, version=1)
OPEN = TagStatus(tag="v1", phase=Phase.PULLING, version=1)


def report(*statuses: TagStatus, uid: str = "u") -> Report:
    """Report these statuses of repository a."""
    found = {Key("a", status.tag): status for status in statuses}
    return Report(uid=uid, generation=1, statuses=found, runtime="containerd://2.3.7")


def observed(status: object = None, *, version: int = 1, uid: str = "u") -> Observed:
    """See the object in a version, with a status."""
    return Observed(uid=uid, resource_version=str(version), status=status)


def by_kruise(*, version: int) -> Observed:
    """See the object as a watch does after kruise-daemon wrote into its status once."""
    return Observed(
        uid="u",
        resource_version=str(version),
        status=STATUS,
        writer="kruise-daemon",
        writer_time="2026-01-01T00:00:09Z",
    )


def begun(said: Report, *, status: object = None, now_seconds: float = 0.0) -> Clerk:
    """Return a clerk that has seen its object and has something to say."""
    seen = clerk.saw(Clerk(), observed(status), now_seconds=now_seconds)
    return clerk.reported(seen, said, now_seconds=now_seconds)


def written(one: Clerk, parts: Parts, *, answer: object, version: int = 2, now_seconds: float = 0.0) -> Clerk:
    """Write what is to be said; the server stores `answer`."""
    return clerk.wrote_status(
        one, one.report, sent=parts, answer=observed(answer, version=version), now_seconds=now_seconds
    )


def paths(operations: tuple[Operation, ...]) -> list[str]:
    """Say in short what a patch does."""
    return [f"{operation.op} {operation.path}" for operation in operations]


PARTS: Parts = {("desired",): 1, ("imageStatuses", "a"): {"tags": [{"tag": "v1", "phase": "Succeeded"}]}}
STATUS = {"desired": 1, "imageStatuses": {"a": {"tags": [{"tag": "v1", "phase": "Succeeded"}]}}}


def test_the_first_report_is_due_at_once_though_nothing_is_wanted() -> None:
    """A coordinator should know that the node has an agent, before it grants anything."""
    one = begun(report())

    assert 0.0 == clerk.due(one)


def test_the_first_report_waits_a_moment_for_the_runtimes_name() -> None:
    """So that it need not be written twice; a runtime that is away is known at once."""
    unnamed = begun(msgspec.structs.replace(report(), runtime=""))
    away = begun(msgspec.structs.replace(report(), runtime="", is_runtime_up=False))

    assert (2.0, 0.0) == (clerk.due(unnamed), clerk.due(away))


def test_nothing_is_due_without_an_object() -> None:
    """There is nowhere to write it."""
    one = clerk.reported(Clerk(), report(DONE), now_seconds=0.0)

    assert clerk.due(one) is None


def test_a_report_of_another_object_is_never_written() -> None:
    """A NodeImage that was deleted and created anew is another: nothing of the old one's answers counts."""
    one = begun(report(DONE, uid="old"))

    assert clerk.due(one) is None


def test_what_was_written_is_not_due_again() -> None:
    """Nothing changes, nothing is written, for ever."""
    one = written(begun(report(DONE)), PARTS, answer=STATUS)

    assert clerk.due(one) is None


def test_an_end_is_due_at_once_when_nothing_else_is_open() -> None:
    """One write for a pull that ends within a second."""
    one = written(begun(report(OPEN)), {}, answer={})

    ended = clerk.reported(one, report(DONE), now_seconds=5.0)

    assert 5.0 == clerk.due(ended)


def test_a_failed_write_leaves_the_server_alone_for_a_while() -> None:
    """And then writes the newest."""
    one = clerk.failed(begun(report(DONE)), wait_seconds=7.0, now_seconds=1.0)

    assert (8.0, 1) == (clerk.due(one), one.failures)


def test_a_success_ends_the_pause() -> None:
    """The next news is on time again."""
    one = clerk.failed(begun(report(OPEN)), wait_seconds=7.0, now_seconds=1.0)

    ended = clerk.reported(written(one, {}, answer={}, now_seconds=8.0), report(DONE), now_seconds=8.5)

    assert (8.5, 0) == (clerk.due(ended), ended.failures)


def test_a_foreign_change_is_mended_at_once_and_then_at_most_every_ten_seconds() -> None:
    """OpenKruise's manager drops our fields with each of its writes; two writers must not fight."""
    one = written(begun(report(DONE)), PARTS, answer=STATUS)

    contested = clerk.saw(one, observed({"desired": 9}, version=3), now_seconds=20.0)
    mended = written(contested, PARTS, answer=STATUS, version=4, now_seconds=20.0)
    again = clerk.saw(mended, observed({"desired": 9}, version=5), now_seconds=21.0)

    assert clerk.due(contested) is not None
    assert clerk.due(contested) <= 20.0  # type: ignore[operator]
    assert 30.0 == clerk.due(again)


def test_another_daemon_is_noticed_by_a_foreign_change_and_told_until_it_is_quiet() -> None:
    """Said with the mend; then nothing is due until it has been quiet for so long."""
    one = written(begun(report(DONE)), PARTS, answer=STATUS)
    theirs = msgspec.structs.replace(observed({"desired": 9}, version=3), writer="kruise-daemon")

    contested = clerk.saw(one, theirs, now_seconds=20.0)
    mended = written(contested, PARTS, answer=STATUS, version=4, now_seconds=20.0)
    alone = written(mended, PARTS, answer=STATUS, version=5, now_seconds=920.0)

    assert clerk.other_daemon(one, now_seconds=20.0) is None
    assert clerk.other_daemon(contested, now_seconds=20.0)
    assert (20.0 + QUIET_SECONDS, None) == (clerk.due(mended), clerk.due(alone))
    assert [True, False] == [clerk.other_daemon(mended, now_seconds=at) is not None for at in (919.0, 920.0)]


def test_kruise_daemon_is_noticed_though_it_says_what_this_agent_says() -> None:
    """Or ours stands where its words stood before the watch could tell: the API server notes who wrote, and when."""
    one = written(begun(report(DONE)), PARTS, answer=STATUS)

    seen = clerk.saw(one, by_kruise(version=3), now_seconds=5.0)

    assert not seen.is_contested
    found = clerk.other_daemon(seen, now_seconds=5.0)
    assert found
    assert "kruise-daemon" == found.name


def test_what_kruise_daemon_wrote_before_is_no_other_daemon() -> None:
    """It has left the node: its name stays in the managed fields, which a write's answer does not tell, nor a read."""
    one = clerk.saw(Clerk(), by_kruise(version=1), now_seconds=0.0)
    one = written(clerk.reported(one, report(DONE), now_seconds=0.0), PARTS, answer=STATUS)

    echoed = clerk.saw(one, by_kruise(version=2), now_seconds=1.0)
    read = clerk.saw(echoed, observed(STATUS, version=3), now_seconds=2.0)
    again = clerk.saw(read, by_kruise(version=4), now_seconds=3.0)
    later = msgspec.structs.replace(
        by_kruise(version=5), writer="prewarm-coordinator", writer_time="2026-01-01T00:00:20Z"
    )
    replaced = clerk.saw(clerk.saw(again, later, now_seconds=4.0), by_kruise(version=6), now_seconds=5.0)

    assert [None] * 4 == [clerk.other_daemon(each, now_seconds=5.0) for each in (echoed, read, again, replaced)]


def test_a_change_that_only_the_answer_tells_counts_as_another_daemons_too() -> None:
    """The watch tells later whose it was."""
    whole = {**STATUS, "succeeded": 1, "failed": 0}
    both: Parts = {**PARTS, ("succeeded",): 1, ("failed",): 0}
    one = written(begun(report(DONE)), both, answer=whole)

    once = written(one, {**both, ("desired",): 3}, answer={**whole, "desired": 3, "succeeded": 7}, version=3)
    theirs = {**whole, "desired": 4, "failed": 9}
    twice = written(once, {**both, ("desired",): 4}, answer=theirs, version=4)
    seen = msgspec.structs.replace(observed(theirs, version=4), writer="x")
    named = clerk.saw(twice, seen, now_seconds=1.0)

    assert clerk.other_daemon(once, now_seconds=1.0) is None
    found = clerk.other_daemon(named, now_seconds=1.0)
    assert found
    assert "x" == found.name


def test_a_write_whose_answer_was_lost_is_no_other_daemon() -> None:
    """It may have been done all the same: what the watch then tells is what we said ourselves, as often as it is so."""
    one = written(begun(report(DONE)), PARTS, answer=STATUS)

    for version, desired in ((3, 2), (4, 3)):
        one = clerk.sending(one, {**PARTS, ("desired",): desired})
        one = clerk.failed(one, wait_seconds=1.0, now_seconds=1.0)
        one = clerk.saw(one, observed({**STATUS, "desired": desired}, version=version), now_seconds=2.0)
    ours = clerk.other_daemon(one, now_seconds=3.0)
    for version, desired in ((5, 8), (6, 9)):
        one = clerk.saw(one, observed({**STATUS, "desired": desired}, version=version), now_seconds=3.0)

    assert ours is None
    assert clerk.other_daemon(one, now_seconds=3.0)


def test_what_still_stands_there_is_no_second_change() -> None:
    """A change of the spec shows the same foreign status once more."""
    one = written(begun(report(DONE)), PARTS, answer=STATUS)

    for version in (3, 4):
        one = clerk.saw(one, observed({"desired": 9}, version=version), now_seconds=20.0)

    assert one.is_contested
    assert clerk.other_daemon(one, now_seconds=20.0) is None


def test_what_is_said_of_a_silent_agent_is_no_other_daemon() -> None:
    """It is mended, and nobody is accused."""
    one = written(begun(report(DONE)), PARTS, answer=STATUS)

    for version, word in ((3, "a"), (4, "b")):
        tags = [{"tag": "v1", "phase": "Failed", "reason": "AgentSilent", "message": word}]
        one = clerk.saw(one, observed({"imageStatuses": {"a": {"tags": tags}}}, version=version), now_seconds=20.0)

    assert one.is_contested
    assert clerk.other_daemon(one, now_seconds=20.0) is None


def test_what_others_keep_beside_ours_is_no_foreign_change() -> None:
    """A label, a condition of another, firstSyncStatus: not our business."""
    one = written(begun(report(DONE)), PARTS, answer=STATUS)

    touched = {**STATUS, "firstSyncStatus": {}, "conditions": [{"type": "Foreign"}]}
    seen = clerk.saw(one, observed(touched, version=3), now_seconds=20.0)

    assert clerk.due(seen) is None


def test_a_server_that_prunes_our_fields_is_not_written_to_for_ever() -> None:
    """The answer is what counts as written, never what was sent."""
    parts: Parts = {**PARTS, ("prewarm",): {"agent": {}}}
    one = written(begun(report(DONE)), parts, answer=STATUS)

    seen = clerk.saw(one, observed(STATUS, version=2), now_seconds=20.0)

    assert clerk.due(seen) is None


def test_what_is_older_than_our_own_write_says_nothing() -> None:
    """The watch tells of it later than the answer did."""
    one = written(begun(report(DONE)), PARTS, answer=STATUS, version=10)

    late = clerk.saw(one, observed({"desired": 0}, version=9), now_seconds=20.0)

    assert clerk.due(late) is None
    assert one is late


def test_a_recreated_object_gets_its_first_report() -> None:
    """Nothing has been written to it yet."""
    one = written(begun(report(DONE)), PARTS, answer=STATUS)

    other = clerk.saw(one, observed(None, version=20, uid="new"), now_seconds=50.0)

    assert clerk.due(other) is None
    assert 50.0 == clerk.due(clerk.reported(other, report(uid="new"), now_seconds=51.0))


def test_a_patch_begins_with_whose_object_it_is_for() -> None:
    """A late status of a replaced object is refused by the API server."""
    one = begun(report(DONE))

    assert [
        "test /metadata/uid",
        "add /status",
        "add /status/imageStatuses",
        "add /status/desired",
        "add /status/imageStatuses/a",
    ] == paths(clerk.operations(one, PARTS))


def test_a_patch_names_only_what_differs() -> None:
    """And removes the repositories that nobody wants any more."""
    status = {"desired": 1, "imageStatuses": {"a": STATUS["imageStatuses"]["a"], "b/c": {"tags": []}}}  # type: ignore[index]
    one = begun(report(DONE), status=status)

    desired: Parts = {**PARTS, ("desired",): 2}

    assert ["test /metadata/uid", "remove /status/imageStatuses/b~1c", "add /status/desired"] == paths(
        clerk.operations(one, desired)
    )


def test_what_the_server_has_pruned_is_not_sent_again_with_every_write() -> None:
    """Only what is new goes over the wire, also to a server that does not know our fields."""
    sent: Parts = {**PARTS, ("prewarm",): {"agent": {"version": "1"}}}
    one = written(begun(report(DONE)), sent, answer=STATUS)

    desired: Parts = {**sent, ("desired",): 2}

    assert ["test /metadata/uid", "add /status/desired"] == paths(clerk.operations(one, desired))


def test_a_part_that_was_changed_by_another_is_sent_again() -> None:
    """Also where the server prunes: what stands there is not what it made of ours."""
    one = written(begun(report(DONE)), PARTS, answer=STATUS)
    contested = clerk.saw(one, observed({"desired": 1, "imageStatuses": {}}, version=3), now_seconds=1.0)

    assert ["test /metadata/uid", "add /status/imageStatuses/a"] == paths(clerk.operations(contested, PARTS))


def test_a_change_that_the_watch_was_too_late_to_tell_is_mended() -> None:
    """Another took a repository away before our patch, which left it out: only the answer to that says so."""
    both: Parts = {**PARTS, ("imageStatuses", "b"): {"tags": [{"tag": "v2", "phase": "Failed"}]}}
    news: Parts = {**both, ("imageStatuses", "b"): {"tags": [{"tag": "v2", "phase": "Pulling"}]}}
    whole = {"desired": 1, "imageStatuses": {"a": both["imageStatuses", "a"], "b": both["imageStatuses", "b"]}}
    one = written(begun(report(DONE)), both, answer=whole)

    torn = written(one, news, answer={"desired": 1, "imageStatuses": {"b": news["imageStatuses", "b"]}}, version=4)

    assert torn.is_contested
    assert clerk.due(torn) is not None
    assert ["test /metadata/uid", "add /status/imageStatuses/a"] == paths(clerk.operations(torn, news))


def test_a_recreated_object_does_not_wait_for_what_the_old_one_was_refused() -> None:
    """Its status may well be taken."""
    refused = clerk.failed(begun(report(DONE, uid="new")), wait_seconds=clerk.REFUSED_SECONDS, now_seconds=1.0)

    one = clerk.saw(refused, observed(uid="new"), now_seconds=3.0)

    assert (3.0, 0) == (clerk.due(one), one.failures)


def test_conditions_of_others_are_kept() -> None:
    """The list is one value, so theirs are written with ours."""
    foreign = {"type": "Foreign", "status": "True"}
    own = {"type": "RuntimeReady", "status": "True"}
    one = begun(report(DONE), status={"conditions": [foreign]})

    operations = clerk.operations(one, {("conditions",): [own]})

    assert [foreign, own] == operations[-1].value


def test_last_words_are_what_is_not_written() -> None:
    """Progress too, which pacing alone would hold back."""
    one = written(begun(report(OPEN)), {}, answer={})
    further = clerk.reported(one, report(msgspec.structs.replace(OPEN, progress=1)), now_seconds=1.0)

    assert (False, True) == (clerk.has_unwritten(one), clerk.has_unwritten(further))


def test_an_object_is_read_from_its_json() -> None:
    """Whatever its metadata looks like."""
    resource = {"metadata": {"uid": "u", "resourceVersion": "7"}, "status": {"desired": 1}}

    assert Observed(uid="u", resource_version="7", status={"desired": 1}) == clerk.observed_of(dict(resource))
    assert {("desired",): 1} == parts_of(clerk.observed_of(dict(resource)).status)
    assert Observed(uid="", resource_version="") == clerk.observed_of({"metadata": []})
