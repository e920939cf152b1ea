"""The copies over time: who waits for what, when a source is read again, and what follows from each answer."""

import pytest

from daemon.cluster.errors import Denied, ServerFailed, Unreachable
from daemon.coordinator.secrets.copies import MOST_AT_ONCE, REREAD_SECONDS
from daemon.coordinator.secrets.listing import LIST_SECONDS
from daemon.coordinator.secrets.names import MODE, REFERENCES, SOURCE_KEY, Source, annotations_of, copy_names
from daemon.coordinator.secrets.record import JITTER
from daemon.coordinator.secrets.work import DENIED_SECONDS
from tests.unit.coordinator.secrets.api import PLACE, SecretsApi
from tests.unit.coordinator.secrets.bench import GET, NAME, SOURCE, TEAM, TIME, Bench


@pytest.fixture
def bench() -> Bench:
    """A bench with the source, started, with no job yet."""
    bench = Bench()
    bench.api.put(*SOURCE)
    bench.start()
    return bench


def test_a_job_waits_for_its_secrets_and_has_them_then(bench: Bench) -> None:
    """One that names none waits for nothing."""
    bench.job("plain")
    bench.job("a", "regcred")
    bench.look()
    held = [bench.is_held("plain"), bench.is_held("a")]

    bench.turn()

    assert [False, True] == held
    assert not bench.is_held("a")
    assert [(PLACE, NAME, "batch")] == [(one.namespace, one.name, one.mode) for one in bench.fleet.secrets["a"]]
    assert "plain" not in bench.fleet.secrets
    assert [f"copied {SOURCE.key} {NAME}"] == bench.told


def test_a_job_that_joins_waits_until_the_copy_names_it(bench: Bench) -> None:
    """An agent gives a copy to no job that it does not name."""
    bench.job("b", "regcred")
    bench.turn()
    bench.job("a", "regcred")
    bench.look()
    held = bench.is_held("a"), bench.is_held("b")

    bench.turn()

    assert (True, False) == held
    assert f"{TEAM}/a,{TEAM}/b" == bench.references()
    assert bench.fleet.secrets["a"] == bench.fleet.secrets["b"]


def test_the_last_user_s_end_releases_the_copy(bench: Bench) -> None:
    """By its deletion, also while another still holds it with a finalizer; or by an edit."""
    for name in ("a", "b", "c"):
        bench.job(name, "regcred")
    bench.turn()

    bench.learning.job_gone("a")
    bench.turn()
    two = bench.references()
    bench.job("b", "regcred", metadata={"deletionTimestamp": TIME})
    bench.turn()
    one = bench.references()
    bench.job("c", generation=2)
    bench.turn()

    assert (f"{TEAM}/b,{TEAM}/c", f"{TEAM}/c") == (two, one)
    assert [] == bench.api.names()
    assert "a" not in bench.fleet.secrets
    assert () == bench.fleet.secrets["c"]


def test_an_answer_that_is_heard_behind_the_end_of_its_job_is_of_use_to_the_others(bench: Bench) -> None:
    """The loop takes several messages before the side looks again, and the job's end may be one of them."""
    for name in ("gone", "stays"):
        bench.job(name, "regcred")
    bench.look()
    request = bench.next()
    assert request is not None

    bench.learning.job_gone("gone")
    bench.answer(request)
    bench.turn()

    assert (f"{TEAM}/stays", False) == (bench.references(), bench.is_held("stays"))
    assert "gone" not in bench.fleet.secrets


def test_a_finished_job_uses_its_secret_while_a_node_keeps_its_image(bench: Bench) -> None:
    """What is removed there is brought back; when its last entry has gone, the copy goes within a minute or so."""
    done = {"completionTime": TIME, "observedGeneration": 1}
    bench.job("a", "regcred")
    bench.turn()
    bench.says("Succeeded", owner="a")
    bench.job("a", "regcred", status=done)
    bench.pass_time(3 * REREAD_SECONDS)
    kept = bench.references()

    bench.says("Succeeded", owner="somebody", version=2)
    bench.pass_time(REREAD_SECONDS * (1 + JITTER))

    assert (f"{TEAM}/a", []) == (kept, bench.api.names())


def test_a_source_in_use_is_read_each_minute_and_its_copy_is_not(bench: Bench) -> None:
    """Give or take a tenth; without a write, and without a token for one."""
    bench.job("a", "regcred")
    bench.turn()
    before, asked = bench.reads(), len(bench.api.asked)

    bench.pass_time(4 * REREAD_SECONDS)

    assert bench.reads() - before in {3, 4}
    assert bench.reads() - before == len(bench.api.asked) - asked
    assert 1 == len(bench.api.writes)


def test_a_rotation_is_copied_and_what_failed_runs_again(bench: Bench) -> None:
    """Each job of the source is taken for edited; one whose nodes have not begun needs nothing."""
    bench.job("a", "regcred")
    bench.job("b", "regcred", namespace=TEAM)
    bench.turn()
    bench.says("Failed", owner="a", reason="RegistryUnavailable")
    bench.turn()
    before = bench.fleet.jobs["a"].edited_at

    bench.api.put(*SOURCE, "another")
    bench.pass_time(REREAD_SECONDS * (1 + JITTER))

    assert before is None
    assert bench.fleet.jobs["a"].edited_at is not None
    assert None is bench.fleet.jobs["b"].edited_at
    assert 1 == bench.fleet.jobs["a"].tally.candidates
    assert 2 == bench.told.count(f"copied {SOURCE.key} {NAME}")


def test_a_denied_pull_is_looked_into_at_once_and_the_job_has_not_ended_before(bench: Bench) -> None:
    """Though all its nodes have failed; found the same, the failure stands."""
    bench.job("a", "regcred")
    bench.turn()
    before = bench.reads()
    bench.says("Failed", owner="a", reason="Unauthorized")
    bench.look()
    checking = set(bench.fleet.checking)
    bench.fleet.todo.dirty.clear()

    bench.turn()

    assert ({"a"}, set()) == (checking, bench.fleet.checking)
    assert before + 1 == bench.reads()
    assert "a" in bench.fleet.todo.dirty
    assert 0 == bench.fleet.jobs["a"].tally.candidates


def test_a_job_that_would_not_end_is_not_held_from_its_status(bench: Bench) -> None:
    """One that never ends, and one with nodes to come."""
    bench.job("a", "regcred", kind="Never")
    bench.turn()
    bench.says("Failed", owner="a", reason="Unauthorized")

    bench.look()

    assert set() == bench.fleet.checking


def test_denials_have_a_source_read_at_most_each_five_seconds(bench: Bench) -> None:
    """The last one is looked into all the same, after that."""
    bench.job("a", "regcred", kind="Never")
    bench.turn()
    before = bench.reads()
    for version in range(1, 6):
        bench.says("Failed", owner="a", reason="Unauthorized", version=version)
        bench.turn(0.1)
    at_once = bench.reads() - before

    bench.pass_time(DENIED_SECONDS)

    assert (1, 2) == (at_once, bench.reads() - before)


def test_a_rotation_that_a_denied_pull_tells_of_is_copied_at_once(bench: Bench) -> None:
    """And the node has its next turn, though its job was at its end."""
    bench.job("a", "regcred")
    bench.turn()
    bench.api.put(*SOURCE, "another")
    bench.says("Failed", owner="a", reason="Forbidden")

    bench.turn()
    candidates, reads = bench.fleet.jobs["a"].tally.candidates, bench.reads()
    bench.says("Succeeded", owner="a", version=2)
    bench.turn()

    assert (1, set()) == (candidates, bench.fleet.checking)
    assert reads == bench.reads()


def test_a_copy_that_was_tampered_with_is_mended_after_a_denied_pull(bench: Bench) -> None:
    """A person deleted it; the next list would find that too."""
    bench.job("a", "regcred")
    bench.turn()
    bench.api.remove(PLACE, NAME)
    bench.says("Failed", owner="a", reason="SecretMissing")

    bench.turn()

    assert [NAME] == bench.api.names()
    assert 1 == bench.fleet.jobs["a"].tally.candidates


def test_a_secret_that_comes_right_behind_its_job_is_no_trouble() -> None:
    """The first look may be too early: both are in one `kubectl apply`."""
    bench = Bench()
    bench.start()
    bench.job("a", "regcred")
    bench.turn()
    early = bench.is_held("a")
    bench.api.put(*SOURCE)

    bench.pass_time(2)

    assert (True, False) == (early, bench.is_held("a"))
    assert {} == bench.fleet.secret_troubles
    assert [f"copied {SOURCE.key} {NAME}"] == bench.told


def test_a_job_goes_on_without_a_missing_secret_and_takes_it_up_when_it_comes() -> None:
    """Told once; looked for less and less often, so that nobody has to touch the job."""
    bench = Bench()
    bench.start()
    bench.job("a", "regcred", kind="Never")
    bench.pass_time(3)
    missing = bench.fleet.secret_troubles["a"].reason, bench.is_held("a"), bench.fleet.secrets["a"]
    bench.says("Failed", owner="a", reason="Unauthorized")
    bench.pass_time(600)
    reads = bench.reads()

    bench.api.put(*SOURCE)
    bench.pass_time(REREAD_SECONDS * (1 + JITTER))

    assert ("SecretMissing", False, ()) == missing
    assert 25 > reads
    assert {} == bench.fleet.secret_troubles
    assert [NAME] == [one.name for one in bench.fleet.secrets["a"]]
    assert 1 == bench.fleet.jobs["a"].tally.candidates
    assert [f"missing {SOURCE.key}", f"copied {SOURCE.key} {NAME}"] == bench.told


def test_the_copy_of_a_source_that_is_deleted_goes(bench: Bench) -> None:
    """Whoever deletes a secret ends its use."""
    bench.job("a", "regcred")
    bench.turn()
    bench.api.remove(*SOURCE)

    bench.pass_time(REREAD_SECONDS * (1 + JITTER) + 2)

    assert ([], ()) == (bench.api.names(), bench.fleet.secrets["a"])
    assert "SecretMissing" == bench.fleet.secret_troubles["a"].reason


def test_a_right_that_is_lost_leaves_the_copy_to_the_jobs_that_it_names(bench: Bench) -> None:
    """Nobody knows whether the secret has changed; a job that comes gets nothing of it."""
    bench.job("a", "regcred")
    bench.turn()
    bench.api.errors[GET] = Denied('User "x" cannot get', code=403)
    bench.job("b", "regcred")

    bench.pass_time(REREAD_SECONDS)

    assert ([NAME], ()) == ([one.name for one in bench.fleet.secrets["a"]], bench.fleet.secrets["b"])
    assert f"{TEAM}/a" == bench.references()
    assert ["SecretForbidden"] * 2 == [bench.fleet.secret_troubles[uid].reason for uid in ("a", "b")]


def test_a_refusal_of_a_moment_is_no_trouble(bench: Bench) -> None:
    """An API server that has just started forbids everything until it knows all rights."""
    bench.api.errors[GET] = Denied("not yet", code=403)
    bench.job("a", "regcred")
    bench.turn()
    bench.api.errors.clear()

    bench.pass_time(2)

    assert ({}, False) == (bench.fleet.secret_troubles, bench.is_held("a"))


def test_an_api_server_that_is_away_leaves_jobs_waiting(bench: Bench) -> None:
    """They go on when it is back."""
    bench.api.errors[GET] = Unreachable("away")
    bench.job("a", "regcred")
    bench.pass_time(100)
    held = bench.is_held("a")
    bench.api.errors.clear()

    bench.pass_time(REREAD_SECONDS)

    assert (True, False) == (held, bench.is_held("a"))


def test_a_secret_that_can_never_be_read_holds_no_job_for_ever(bench: Bench) -> None:
    """A store that is broken there answers so each time; what is wrong is told."""
    bench.api.errors[GET] = ServerFailed("no key to decrypt it", code=500)
    bench.job("a", "regcred")

    bench.pass_time(30)

    assert not bench.is_held("a")
    assert "no key to decrypt it" in bench.fleet.secret_troubles["a"].message


def test_a_copy_whose_write_is_never_answered_holds_no_job_for_ever(bench: Bench) -> None:
    """A webhook on Secrets that hangs; the API server answers everything else, and what is wrong is told."""
    bench.api.errors[f"create {PLACE}/secrets"] = Unreachable("not answered in 4 s")
    bench.job("a", "regcred")
    bench.pass_time(2 * LIST_SECONDS)
    held, trouble = bench.is_held("a"), bench.fleet.secret_troubles["a"].message
    bench.api.errors.clear()

    bench.pass_time(2 * REREAD_SECONDS)

    assert not held
    assert "not answered in 4 s" in trouble
    assert [NAME] == [one.name for one in bench.fleet.secrets["a"]]
    assert {} == bench.fleet.secret_troubles


def test_a_list_of_copies_that_is_never_answered_holds_no_job_for_ever() -> None:
    """It may be longer than can be sent in time."""
    bench = Bench()
    bench.api.put(*SOURCE)
    bench.api.errors[f"get {PLACE}/secrets"] = Unreachable("not answered whole in 4 s")
    bench.job("a", "regcred")
    bench.start()

    bench.pass_time(60)

    assert not bench.is_held("a")
    assert [NAME] == [one.name for one in bench.fleet.secrets["a"]]


def test_a_source_that_can_t_be_read_for_a_while_troubles_no_job_that_has_its_copy(bench: Bench) -> None:
    """The copy is as good as it was."""
    bench.job("a", "regcred")
    bench.turn()
    bench.api.errors[GET] = ServerFailed("broken", code=500)

    bench.pass_time(10 * REREAD_SECONDS)

    assert {} == bench.fleet.secret_troubles
    assert 20 > bench.reads()


def test_nothing_is_written_before_the_copies_are_listed() -> None:
    """Else a second copy would be made of what OpenKruise has copied; a refusal to list holds nobody up."""
    api = SecretsApi()
    api.put(*SOURCE)
    api.put(PLACE, "theirs", annotations=annotations_of(SOURCE, ["team-a/a"]))
    listed, refused = Bench(api), Bench(SecretsApi())
    refused.api.put(*SOURCE)
    refused.api.errors[f"get {PLACE}/secrets"] = Denied("no list", code=403)

    for bench in (listed, refused):
        bench.job("a", "regcred")
        bench.start()
        bench.pass_time(5)

    assert (["theirs"], "theirs") == (api.names(), listed.fleet.secrets["a"][0].name)
    assert [NAME] == refused.api.names()
    assert "unlisted no list" in refused.told


def test_what_a_dead_coordinator_has_left_is_made_up_for() -> None:
    """A copy without a user goes, one that still names a job that is gone is put right, others stay as they are."""
    api = SecretsApi()
    other = Source(TEAM, "other")
    for source in (SOURCE, other):
        api.put(*source)
    api.put(PLACE, NAME, annotations=annotations_of(SOURCE, ["team-a/a", "team-a/gone"]))
    api.put(PLACE, "of-nobody", annotations=annotations_of(Source("gone", "regcred"), ["gone/job"]))
    right = api.put(PLACE, copy_names(other)[0], annotations=annotations_of(other, ["team-a/b"]))
    plain = api.put(PLACE, "of-a-person")

    bench = Bench(api)
    bench.job("a", "regcred")
    bench.job("b", "other")
    bench.start()

    assert sorted([NAME, copy_names(other)[0], "of-a-person"]) == api.names()
    assert "team-a/a" == bench.references()
    assert [right, plain] == [api.find(PLACE, copy_names(other)[0]), api.find(PLACE, "of-a-person")]


def test_a_second_copy_of_a_source_goes_once_no_node_names_it() -> None:
    """OpenKruise makes two at times; NodeImages may name either until they are written anew."""
    api = SecretsApi()
    api.put(*SOURCE)
    for name in ("one", "two"):
        api.put(PLACE, name, annotations=annotations_of(SOURCE, ["team-a/a"]))
    bench = Bench(api)
    bench.job("a", "regcred")
    bench.start()
    bench.pass_time(LIST_SECONDS + 1)
    both = api.names()

    bench.pass_time(LIST_SECONDS + 1)

    assert (["one", "two"], ["one"]) == (both, api.names())
    assert ["one"] == [one.name for one in bench.fleet.secrets["a"]]


def test_a_copy_that_a_person_deletes_is_made_again(bench: Bench) -> None:
    """At the next list, if no node asks before; and references that somebody changed are put right."""
    bench.job("a", "regcred")
    bench.turn()
    bench.api.remove(PLACE, NAME)
    bench.pass_time(LIST_SECONDS + 1)
    again = bench.api.names()
    bench.api.put(PLACE, NAME, annotations={SOURCE_KEY: SOURCE.key, REFERENCES: "team-b/evil", MODE: "batch"})
    bench.pass_time(LIST_SECONDS + 1)

    assert ([NAME], f"{TEAM}/a") == (again, bench.references())


def test_a_job_where_the_copies_are_uses_its_secret_itself() -> None:
    """It is read, and nothing is written; what is wrong with it is told as well."""
    bench = Bench()
    bench.api.put(PLACE, "direct")
    bench.start()
    bench.job("a", "direct", "missing", namespace=PLACE)

    bench.pass_time(5)

    assert [(PLACE, "direct", "")] == [(one.namespace, one.name, one.mode) for one in bench.fleet.secrets["a"]]
    assert ([], ["direct"]) == (bench.api.writes, bench.api.names())
    assert "SecretMissing" == bench.fleet.secret_troubles["a"].reason


def test_few_errands_are_on_their_way_at_once(bench: Bench) -> None:
    """A slow answer about Secrets leaves senders to grants; one errand at a time for one source."""
    for number in range(20):
        bench.job(f"job-{number}", f"secret-{number}", "regcred")
    bench.look()

    sent = list(iter(bench.next, None))

    assert MOST_AT_ONCE == len(sent)
    assert MOST_AT_ONCE == len({request.subject for request in sent})
    assert not bench.copies.has_work()


def test_what_was_not_sent_is_sent_later(bench: Bench) -> None:
    """This coordinator did not lead at that moment."""
    bench.may_send = lambda: False
    bench.job("a", "regcred")
    bench.turn()
    held = bench.is_held("a")
    bench.may_send = lambda: True

    bench.pass_time(5)

    assert (True, False) == (held, bench.is_held("a"))
