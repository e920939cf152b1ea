"""What a sender does about a pull secret: the fewest requests, guarded, and nothing of what is in it comes back."""

import base64
import traceback
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from daemon.cluster.errors import ClusterError, Denied, Invalid, NotFound, ServerFailed, Unreachable
from daemon.coordinator.secrets.answer import Answer, State
from daemon.coordinator.secrets.content import Fingerprints, found_secret
from daemon.coordinator.secrets.copylist import PAGE_SECRETS, ListCopies
from daemon.coordinator.secrets.errand import Copy, Look, Release
from daemon.coordinator.secrets.names import REFERENCES, KnownCopy, Source, annotations_of, copy_names
from tests.unit.coordinator.secrets.api import DOCKERCONFIGJSON, FIELD, PASSWORD, PLACE, SecretsApi, content


SOURCE = Source("team-a", "regcred")
NAME, SECOND = copy_names(SOURCE)[:2]
JOBS = ("team-a/one", "team-a/two")
FINGERPRINTS = Fingerprints()
GET_SOURCE = "get team-a/secrets/regcred"


@pytest.fixture
def api() -> SecretsApi:
    """An API server with the source."""
    api = SecretsApi()
    api.put(*SOURCE)
    return api


def copy(api: SecretsApi, *jobs: str, known: str = "", may_send: Callable[[], bool] = lambda: True) -> Answer | None:
    """Have the copy made what it should be for these jobs."""
    errand = Copy(source=SOURCE, place=PLACE, references=jobs or JOBS, known=known, fingerprints=FINGERPRINTS)
    return errand.run(api, may_send=may_send, timeout_seconds=4)


def look(api: SecretsApi) -> Answer:
    """Look at the source."""
    return Look(source=SOURCE, fingerprints=FINGERPRINTS).run(api, may_send=lambda: False, timeout_seconds=4)


def release(api: SecretsApi, *, may_send: Callable[[], bool] = lambda: True) -> bool | None:
    """Have the copy deleted."""
    return Release(source=SOURCE, place=PLACE, name=NAME).run(api, may_send=may_send, timeout_seconds=4)


def test_a_copy_has_the_type_the_one_field_and_three_annotations() -> None:
    """Labels, other annotations and fields, and that it can't be changed, are its source's own."""
    api = SecretsApi()
    api.put(*SOURCE, annotations={"team": "a"}, immutable=True, data={FIELD: content(), "more": "e30="})

    answer = copy(api)
    made = api.find(PLACE, NAME) or {}

    assert (State.PRESENT, NAME, True) == (
        answer and answer.state,
        answer and answer.copy,
        answer and answer.has_changed,
    )
    assert (DOCKERCONFIGJSON, {FIELD: content()}) == (made["type"], made["data"])
    assert annotations_of(SOURCE, JOBS) == made["metadata"]["annotations"]
    assert {"name", "namespace", "annotations", "uid", "resourceVersion"} == made["metadata"].keys()
    assert {"apiVersion", "kind", "metadata", "type", "data"} == made.keys()
    assert [GET_SOURCE, f"get {PLACE}/secrets/{NAME}", f"create {PLACE}/secrets"] == api.asked


def test_a_copy_that_is_right_is_not_written(api: SecretsApi) -> None:
    """Whatever order its jobs are told in."""
    copy(api)

    answer = copy(api, *reversed(JOBS))

    assert (1, False) == (len(api.writes), answer is not None and answer.has_changed)


def test_a_job_that_comes_or_goes_changes_the_references_alone(api: SecretsApi) -> None:
    """That is no change by which pulls could go otherwise."""
    copy(api)

    answer = copy(api, "team-a/three")
    made = api.find(PLACE, NAME) or {}

    assert "team-a/three" == made["metadata"]["annotations"][REFERENCES]
    assert f"patch {PLACE}/secrets/{NAME}" == api.writes[-1]
    assert answer is not None
    assert not answer.has_changed


def test_a_rotated_source_is_followed(api: SecretsApi) -> None:
    """The copy has the new content, and another digest is told."""
    first = copy(api)
    api.put(*SOURCE, "another")

    second = copy(api)

    assert {FIELD: content("another")} == (api.find(PLACE, NAME) or {})["data"]
    assert first is not None
    assert second is not None
    assert second.has_changed
    assert first.digest != second.digest


@pytest.mark.parametrize("fields", [{"immutable": True}, {"type": "kubernetes.io/dockercfg"}])
def test_a_copy_that_cannot_be_changed_is_made_anew(api: SecretsApi, fields: dict[str, Any]) -> None:
    """One that is immutable, as OpenKruise copies it, or of another type; under its name, if nobody has changed it."""
    api.put(PLACE, NAME, "old", annotations=annotations_of(SOURCE, JOBS), **fields)

    answer = copy(api)
    made = api.find(PLACE, NAME) or {}

    assert (DOCKERCONFIGJSON, {FIELD: content()}) == (made["type"], made["data"])
    assert ["delete", "create"] == [write.partition(" ")[0] for write in api.writes]
    assert answer is not None
    assert answer.has_changed


def test_openkruise_s_copy_is_used_as_it_is(api: SecretsApi) -> None:
    """Its name and whatever else it has stay; no second one is made."""
    theirs = {**annotations_of(SOURCE, JOBS), "more": "of theirs"}
    api.put(PLACE, "theirs", annotations=theirs, data={FIELD: content(), "more": "e30="}, immutable=True)

    answer = copy(api, known="theirs")

    assert (["theirs"], []) == (api.names(), api.writes)
    assert "theirs" == (answer and answer.copy)


def test_a_known_copy_that_is_gone_is_made_under_our_name(api: SecretsApi) -> None:
    """It was deleted since it was listed."""
    answer = copy(api, known="theirs")

    assert ([NAME], NAME) == (api.names(), answer and answer.copy)


def test_a_name_that_a_person_s_secret_has_is_passed_over(api: SecretsApi) -> None:
    """That one is not touched; where each name is taken, that is told, with the names."""
    before = api.put(PLACE, NAME, "a person's")

    second = copy(api)
    for name in copy_names(SOURCE):
        api.put(PLACE, name, "a person's")
    none_left = copy(api)

    assert SECOND == (second and second.copy)
    assert before["data"] == (api.find(PLACE, NAME) or {})["data"]
    assert none_left is not None
    assert State.REFUSED is none_left.state
    assert SECOND in none_left.words


@pytest.mark.parametrize("kind", ["Opaque", "kubernetes.io/tls", "kubernetes.io/service-account-token", ""])
def test_only_docker_configs_are_copied(kind: str) -> None:
    """Whatever field they have."""
    api = SecretsApi()
    api.put(*SOURCE, kind=kind)

    answer = copy(api)

    assert (State.UNUSABLE, []) == (answer and answer.state, api.names())


def test_an_unsound_docker_config_is_not_copied() -> None:
    """What is wrong is told, and not what stands there."""
    api = SecretsApi()
    api.put(*SOURCE, data={FIELD: base64.b64encode(PASSWORD.encode()).decode()})

    answer = copy(api)

    assert answer is not None
    assert (State.UNUSABLE, []) == (answer.state, api.names())
    assert "must be a JSON object" in answer.words
    assert PASSWORD not in answer.words


@pytest.mark.parametrize(
    ("error", "state"),
    [(NotFound("gone", code=404), State.MISSING), (Denied('User "x" cannot get', code=403), State.FORBIDDEN)],
)
def test_a_source_that_is_not_to_be_had_is_an_answer(api: SecretsApi, error: ClusterError, state: State) -> None:
    """Nothing more is asked then."""
    api.errors[GET_SOURCE] = error

    answers = [copy(api), look(api)]

    assert [state, state] == [answer and answer.state for answer in answers]
    assert [GET_SOURCE, GET_SOURCE] == api.asked


@pytest.mark.parametrize("error", [Unreachable("away"), ServerFailed("broken", code=500)])
def test_an_api_server_that_gives_no_answer_is_none(api: SecretsApi, error: ClusterError) -> None:
    """Nothing is known then, and whoever waits goes on waiting."""
    api.errors[GET_SOURCE] = error

    with pytest.raises(type(error)):
        copy(api)


def test_a_copy_that_may_not_be_written_is_told_with_the_server_s_words(api: SecretsApi) -> None:
    """A right is missing, or the namespace."""
    api.errors[f"create {PLACE}/secrets"] = NotFound(f'namespaces "{PLACE}" not found', code=404)

    answer = copy(api)

    assert answer is not None
    assert (State.REFUSED, f'namespaces "{PLACE}" not found') == (answer.state, answer.words)


def test_another_writer_is_looked_at_anew(api: SecretsApi) -> None:
    """Whoever makes or changes the copy meanwhile, it ends as it should be."""
    theirs = [annotations_of(SOURCE, ())]

    def intervene() -> None:
        while theirs:
            api.put(PLACE, NAME, "theirs", annotations=theirs.pop())

    api.before_write = intervene

    answer = copy(api)
    made = api.find(PLACE, NAME) or {}

    assert State.PRESENT is (answer and answer.state)
    assert ({FIELD: content()}, ",".join(JOBS)) == (made["data"], made["metadata"]["annotations"][REFERENCES])


def test_nothing_is_written_by_one_that_leads_no_more(api: SecretsApi) -> None:
    """It is asked right before each write, and nothing is told to have been done."""
    first = copy(api, may_send=lambda: False)
    copy(api)
    second = copy(api, "team-a/other", may_send=lambda: False)
    released = release(api, may_send=lambda: False)

    assert (None, None, None) == (first, second, released)
    assert [f"create {PLACE}/secrets"] == api.writes


def test_a_copy_is_released_and_nothing_else(api: SecretsApi) -> None:
    """Not a person's Secret of that name, nor another source's copy; one that is gone is no failure."""
    copy(api)
    released = [release(api), release(api)]
    api.put(PLACE, NAME, "a person's")
    kept = release(api)
    api.put(PLACE, NAME, annotations=annotations_of(Source("team-b", "regcred"), JOBS))
    kept_too = release(api)

    assert ([True, False], False, False) == (released, kept, kept_too)
    assert [NAME] == api.names()


def test_a_list_tells_of_copies_alone(api: SecretsApi) -> None:
    """Over several pages, and nothing of what is in them."""
    for number in range(PAGE_SECRETS + 1):
        api.put(PLACE, f"copy-{number:03}", annotations=annotations_of(SOURCE, JOBS))
        api.put(PLACE, f"plain-{number:03}")

    found = ListCopies(place=PLACE).run(api, may_send=lambda: False, timeout_seconds=4)

    assert PAGE_SECRETS + 1 == len(found)
    assert KnownCopy("copy-000", SOURCE, JOBS) == found[0]
    assert 3 == len(api.asked)
    assert {f"get {PLACE}/secrets"} == set(api.asked)


def test_nothing_shows_what_is_in_a_secret(api: SecretsApi) -> None:
    """Neither an errand, an answer, nor what a sender holds meanwhile, however it is written down."""
    errand = Copy(source=SOURCE, place=PLACE, references=JOBS, known="", fingerprints=FINGERPRINTS)
    answer = copy(api)
    held = found_secret(api.fetch(SOURCE.path, timeout_seconds=4))

    told = [repr(errand), repr(answer), str(msgspec.to_builtins(answer)), repr(held), str(held.__rich_repr__())]

    assert held.content == content()
    assert [] == [text for text in told if content() in text or PASSWORD in text]
    with pytest.raises(TypeError):
        msgspec.json.encode(held)


def test_digests_of_two_processes_have_nothing_in_common(api: SecretsApi) -> None:
    """They are keyed, so nobody can try passwords against one."""
    held = found_secret(api.fetch(SOURCE.path, timeout_seconds=4))

    assert FINGERPRINTS.of(held) == FINGERPRINTS.of(held)
    assert FINGERPRINTS.of(held) != Fingerprints().of(held)


@pytest.mark.parametrize("body", [b'{"data": {"x": "s3cr3t"}', b'["s3cr3t"]', b'"s3cr3t"', b"s3cr3t \xff"])
def test_an_answer_that_is_no_secret_is_not_quoted(body: bytes) -> None:
    """Nor by anything that the error is chained to."""
    with pytest.raises(ServerFailed) as error:
        found_secret(body)

    assert "s3cr3t" not in "".join(traceback.format_exception(error.value))


def test_a_refusal_of_a_write_is_told_without_what_was_sent(api: SecretsApi) -> None:
    """The server's own words about content are left out where they come in."""
    api.errors[f"create {PLACE}/secrets"] = Invalid("create secrets: HTTP 422: Invalid", code=422)

    answer = copy(api)

    assert answer is not None
    assert (State.REFUSED, "create secrets: HTTP 422: Invalid") == (answer.state, answer.words)
