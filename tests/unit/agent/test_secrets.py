"""Where an agent finds credentials: which copy serves which image, what is said of one that does not, who is asked."""

import base64
import json
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
import pytest

from daemon.agent.secrets import MOST_REMEMBERED, REFERENCES, ClusterCredentials
from daemon.api.nodeimage import OwnerReference, SecretReference
from daemon.api.reasons import Reason
from daemon.cluster.errors import (
    ClusterError,
    Conflict,
    Denied,
    Expired,
    Invalid,
    NotFound,
    Oversized,
    ServerFailed,
    Throttled,
    Unauthenticated,
    Unreachable,
)
from daemon.cluster.interface import Operation, Resource
from daemon.credentials.problem import CredentialProblem
from daemon.credentials.sources import Candidates, Credentials
from daemon.node.wanted import WantedImage
from tests.unit.node.virtual_node import image


COPIES = "kruise-daemon-config"
TEAM = OwnerReference(namespace="team", name="warm")
GONE = NotFound('secrets "a" not found', code=404)


class Copies:
    """An API server that has these secrets in COPIES; one that is an error is raised. `asked` has every path."""

    def __init__(self, **secrets: Resource | ClusterError) -> None:
        self.secrets: dict[str, Resource | ClusterError] = dict(secrets)
        self.away: ClusterError | None = None
        self.asked: list[str] = []

    def get(self, path: str, *, query: Mapping[str, str] | None = None, timeout_seconds: float) -> Resource:
        """Read one secret."""
        assert query is None
        assert 0 < timeout_seconds <= 5
        self.asked.append(path)
        if self.away is not None:
            raise self.away
        found = self.secrets.get(path.removeprefix(f"/api/v1/namespaces/{COPIES}/secrets/"), GONE)
        if isinstance(found, ClusterError):
            raise found
        return found

    def create(self, path: str, body: Resource, *, timeout_seconds: float) -> Resource:
        """Refuse: nobody creates here."""
        raise AssertionError(path, body, timeout_seconds)

    def patch(self, path: str, operations: Sequence[Operation], *, timeout_seconds: float) -> Resource:
        """Refuse: nobody changes anything here."""
        raise AssertionError(path, operations, timeout_seconds)

    def close(self) -> None:
        """Have nothing to close."""


def copied(password: str, *, references: str | None = None, **fields: object) -> Resource:
    """Return a copy as the API server answers it: with this password for registry.example."""
    config = json.dumps({"auths": {"registry.example": {"username": "anna", "password": password}}})
    annotations = {} if references is None else {REFERENCES: references}
    return {
        "metadata": {"name": "a", "namespace": COPIES, "annotations": annotations},
        "type": "kubernetes.io/dockerconfigjson",
        "data": {".dockerconfigjson": base64.b64encode(config.encode()).decode()},
        **fields,
    }


def wanting(*names: str, namespace: str = COPIES, owners: tuple[OwnerReference, ...] = (TEAM,)) -> WantedImage:
    """Want registry.example/app:v1 for these jobs, whose repository has copies of these names."""
    named = tuple(SecretReference(namespace=namespace, name=name) for name in names)
    return image(pull_secrets=named, owners=owners)


def credentials(copies: Copies, *, files: Sequence[Path] = ()) -> ClusterCredentials:
    """Look among these copies, then in these files."""
    return ClusterCredentials(copies, credentials=Credentials(config_files=files), secret_namespace=COPIES)


def found(source: ClusterCredentials, wanted: WantedImage) -> Candidates:
    """Look, as an attempt does."""
    return source.candidates(wanted, cancelled=threading.Event())


def passwords(candidates: Candidates) -> list[str]:
    """Return the passwords to try, in order."""
    return [one.password for one in candidates.credentials]


def only_problem(candidates: Candidates) -> CredentialProblem:
    """Return the one problem of a search that found nothing to try."""
    assert () == candidates.credentials
    (problem,) = candidates.problems
    return problem


def test_copies_are_tried_in_the_node_image_s_order() -> None:
    """Each is read by its name, and nothing else is asked."""
    copies = Copies(a=copied("of a"), b=copied("of b"), c=copied("of c"))

    candidates = found(credentials(copies), wanting("b", "a"))

    assert (["of b", "of a"], ()) == (passwords(candidates), candidates.problems)
    path = f"/api/v1/namespaces/{COPIES}/secrets"
    assert [f"{path}/b", f"{path}/a"] == copies.asked


def test_a_copy_is_read_again_at_each_attempt() -> None:
    """A rotated one counts from the next attempt on."""
    copies = Copies(a=copied("old"))
    source = credentials(copies)
    before = passwords(found(source, wanting("a")))
    copies.secrets["a"] = copied("new")

    assert (["old"], ["new"]) == (before, passwords(found(source, wanting("a"))))


@pytest.mark.parametrize(
    ("references", "is_used"),
    [
        (None, True),
        ("team/warm", True),
        ("other/warm,team/warm", True),
        (" team/warm , other/x ", True),
        ("team/warmer", False),
        ("team/war", False),
        ("other/warm", False),
        ("warm", False),
        ("", False),
        (",", False),
    ],
)
def test_a_copy_serves_the_jobs_that_it_names(references: str | None, is_used: bool) -> None:  # noqa: FBT001 - a table
    """By namespace and name, each as a whole; without the annotation it serves all, with an empty one nobody."""
    candidates = found(credentials(Copies(a=copied("p", references=references))), wanting("a"))

    expected = [] if is_used else ["belongs to other jobs than this image's"]
    assert (["p"] if is_used else [], expected) == (
        passwords(candidates),
        [problem.message for problem in candidates.problems],
    )


def test_any_of_an_entry_s_owners_is_enough() -> None:
    """An entry of two jobs is one pull, for both."""
    copies = Copies(a=copied("p", references="team/warm"))
    other = OwnerReference(namespace="other", name="x")

    assert ["p"] == passwords(found(credentials(copies), wanting("a", owners=(other, TEAM))))
    assert [] == passwords(found(credentials(copies), wanting("a", owners=(other,))))
    assert [] == passwords(found(credentials(copies), wanting("a", owners=())))


def test_two_tenants_of_one_repository_have_each_their_own() -> None:
    """Both copies stand in the repository's pullSecrets; an entry gets its own job's."""
    copies = Copies(a=copied("of anna", references="team/warm"), b=copied("of ben", references="other/x"))
    source = credentials(copies)

    anna = found(source, wanting("a", "b", owners=(TEAM,)))
    ben = found(source, wanting("a", "b", owners=(OwnerReference(namespace="other", name="x"),)))

    assert (["of anna"], ["of ben"]) == (passwords(anna), passwords(ben))


def test_a_copy_elsewhere_is_never_asked_for() -> None:
    """Whatever a NodeImage names: the agent may hold a right that it should not have."""
    copies = Copies(a=copied("p"))

    problem = only_problem(found(credentials(copies), wanting("a", namespace="team")))

    assert ([], Reason.SECRET_FORBIDDEN, "secret team/a") == (copies.asked, problem.reason, problem.source)
    assert "copies are in namespace kruise-daemon-config alone (--secret-namespace)" in problem.message


def test_a_copy_without_a_namespace_is_told_what_is_missing() -> None:
    """A person who writes a NodeImage by hand forgets it easily."""
    problem = only_problem(found(credentials(Copies(a=copied("p"))), wanting("a", namespace="")))

    assert problem.message.startswith("names no namespace: copies are in namespace kruise-daemon-config")


@pytest.mark.parametrize("name", ["", "..", "a/b", "a?watch=1", "a%2f..", "A", "a" * 254, "\x1b[31m"])
def test_a_name_that_no_secret_has_is_never_asked_for(name: str) -> None:
    """It could be another path; a terminal that shows it is safe too."""
    copies = Copies()

    problem = only_problem(found(credentials(copies), wanting(name)))

    assert ([], None, "has no name that a Secret can have") == (copies.asked, problem.reason, problem.message)
    assert problem.source.isprintable()


def test_a_missing_copy_is_told_as_missing() -> None:
    """With what it can come from."""
    problem = only_problem(found(credentials(Copies()), wanting("a")))

    assert (f"secret {COPIES}/a", Reason.SECRET_MISSING) == (problem.source, problem.reason)
    assert "the job's pullSecrets name a Secret that is missing, or its copy is not made yet" in problem.message


def test_a_copy_that_may_not_be_read_is_told_with_the_server_s_words() -> None:
    """They name the right that is missing."""
    words = 'User "system:serviceaccount:x:y" cannot get resource "secrets" in the namespace "kruise-daemon-config"'

    problem = only_problem(found(credentials(Copies(a=Denied(words, code=403))), wanting("a")))

    assert (Reason.SECRET_FORBIDDEN, f"may not be read: {words}") == (problem.reason, problem.message)


@pytest.mark.parametrize("kind", [Unauthenticated, Conflict, Expired, Invalid, Oversized, Unreachable, ServerFailed])
def test_any_other_failure_is_told_and_blamed_on_nobody(kind: type[ClusterError]) -> None:
    """What the registry then says is the reason; the words stand beside it."""
    problem = only_problem(found(credentials(Copies(a=kind("the words"))), wanting("a")))

    assert (None, "can't be read: the words") == (problem.reason, problem.message)


@pytest.mark.parametrize(
    ("secret", "expected"),
    [
        (copied("p", type="Opaque"), "holds no docker config: its type serves no pull"),
        (copied("p", type="kubernetes.io/basic-auth"), "holds no docker config: its type serves no pull"),
        (copied("p", data={}), "is unsound: "),
        (copied("p", data={".dockerconfigjson": "no base64!"}), "is unsound: "),
        (copied("p", data={".dockerconfigjson": "W10="}), "is unsound: "),
        (copied("p", data=["a"]), "is unsound: "),
    ],
    ids=["opaque", "another type", "no data", "no base64", "no object", "no map"],
)
def test_a_copy_that_serves_no_pull_says_why(secret: Resource, expected: str) -> None:
    """And not what is in it."""
    problem = only_problem(found(credentials(Copies(a=secret)), wanting("a")))

    assert problem.message.startswith(expected)
    assert "no base64!" not in problem.message


def test_one_bad_copy_holds_up_no_other() -> None:
    """Each problem is told beside what is tried."""
    copies = Copies(b=Denied("no", code=403), c=copied("p", type="Opaque"), d=copied("of d"))

    candidates = found(credentials(copies), wanting("a", "b", "c", "d"))

    assert ["of d"] == passwords(candidates)
    assert [f"secret {COPIES}/{name}" for name in "abc"] == [problem.source for problem in candidates.problems]


@pytest.mark.parametrize("away", [Unreachable("no"), ServerFailed("no", code=503), Throttled("no", code=429)])
def test_the_last_known_copy_goes_on_while_the_server_is_away(away: ClusterError) -> None:
    """An image that is evicted then can be pulled again."""
    copies = Copies(a=copied("p"))
    source = credentials(copies)
    found(source, wanting("a"))
    copies.away = away

    candidates = found(source, wanting("a"))

    assert (["p"], ()) == (passwords(candidates), candidates.problems)


def test_a_remembered_copy_serves_the_same_jobs_alone() -> None:
    """It is no way round its references."""
    copies = Copies(a=copied("p", references="team/warm"))
    source = credentials(copies)
    found(source, wanting("a"))
    copies.away = Unreachable("away")

    assert ["p"] == passwords(found(source, wanting("a")))
    assert [] == passwords(found(source, wanting("a", owners=(OwnerReference(namespace="other", name="x"),))))


@pytest.mark.parametrize("refusal", [GONE, Denied("no", code=403)], ids=["gone", "forbidden"])
def test_a_copy_that_was_taken_away_is_not_remembered(refusal: ClusterError) -> None:
    """Whoever deletes it, or the right to it, has ended its use, also for when the server is away later."""
    copies = Copies(a=copied("p"))
    source = credentials(copies)
    found(source, wanting("a"))
    copies.secrets["a"] = refusal
    found(source, wanting("a"))
    copies.away = Unreachable("away")

    assert "can't be read: away" == only_problem(found(source, wanting("a"))).message


def test_a_server_that_knows_us_no_more_is_not_away() -> None:
    """A token that ran out gives no right to what it once read."""
    copies = Copies(a=copied("p"))
    source = credentials(copies)
    found(source, wanting("a"))
    copies.away = Unauthenticated("token refused", code=401)

    assert "can't be read: token refused" == only_problem(found(source, wanting("a"))).message


def test_no_more_copies_are_remembered_than_a_node_can_have() -> None:
    """The one that was read longest ago goes."""
    names = [f"s{number}" for number in range(MOST_REMEMBERED + 1)]
    copies = Copies(**{name: copied(name) for name in names})
    source = credentials(copies)
    for name in [*names[:MOST_REMEMBERED], names[0], names[-1]]:
        found(source, wanting(name))
    copies.away = Unreachable("away")

    assert [names[0]] == passwords(found(source, wanting(names[0])))
    assert [] == passwords(found(source, wanting(names[1])))
    assert [names[-1]] == passwords(found(source, wanting(names[-1])))


def test_a_cancelled_search_asks_no_further() -> None:
    """A withdrawal does not wait for an API server that hangs."""
    copies = Copies(a=copied("p"))
    cancelled = threading.Event()
    cancelled.set()

    candidates = credentials(copies).candidates(wanting("a"), cancelled=cancelled)

    assert ([], [], ()) == (copies.asked, passwords(candidates), candidates.problems)


def test_an_image_that_is_none_has_no_credentials() -> None:
    """It fails for its name, and nobody is asked."""
    copies = Copies(a=copied("p"))
    wanted = msgspec.structs.replace(wanting("a"), reference=None)

    assert (Candidates(), []) == (found(credentials(copies), wanted), copies.asked)


def test_copies_come_before_the_node_s_own_config(tmp_path: Path) -> None:
    """And that serves what no copy does."""
    config = tmp_path / "config.json"
    config.write_text(json.dumps({"auths": {"registry.example": {"username": "ben", "password": "file"}}}))
    source = credentials(Copies(a=copied("p")), files=[config])

    assert ["p", "file"] == passwords(found(source, wanting("a")))
    assert ["file"] == passwords(found(source, wanting()))


def test_what_is_remembered_shows_nothing_of_itself() -> None:
    """A traceback that prints it names the secret."""
    source = credentials(Copies(a=copied("p4ssword", references="team/warm")))
    found(source, wanting("a"))

    (copy,) = source._remembered.values()

    assert "SecretCopy(PullSecret('secret kruise-daemon-config/a'))" == repr(copy)
