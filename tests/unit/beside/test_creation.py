"""What an API server says of a job that is tried tells who refused it, and whether an OpenKruise runs."""

import msgspec
import pytest

from daemon.beside.creation import Creation, Outcome, creation_of, try_creation
from daemon.cluster.errors import ClusterError, Denied, Invalid, NotFound, ServerFailed, Unreachable
from tests.unit.beside.cluster import GATE_OFF, UNANSWERED, Cluster


def test_a_job_is_tried_and_none_is_made() -> None:
    """A dry run in the namespace that was named, under a name that nobody has; it would select no node."""
    cluster = Cluster()

    found = try_creation(cluster, namespace="prewarm-system")

    assert Creation(outcome=Outcome.TAKEN) == found
    (write,) = cluster.sent
    assert {"dryRun": "All"} == write.query
    assert "/apis/apps.kruise.io/v1beta1/namespaces/prewarm-system/imagepulljobs" == write.path
    job = msgspec.json.decode(write.body)
    assert ({"generateName": "dry-run-"}, {"names": ["dry-run.invalid"]}) == (job["metadata"], job["spec"]["selector"])


def test_an_older_version_is_spoken_where_the_newer_is_not_served() -> None:
    """OpenKruise up to 1.8 has jobs in v1alpha1 alone."""
    cluster = Cluster()
    cluster.unserved = frozenset({"v1beta1"})

    assert Creation(outcome=Outcome.TAKEN) == try_creation(cluster, namespace="a")
    assert "apps.kruise.io/v1alpha1" == msgspec.json.decode(cluster.sent[-1].body)["apiVersion"]


def test_defaults_of_openkruise_show_that_it_runs() -> None:
    """Its webhook gives a pull policy to a job that has none; ours, and those of other tools, do not."""
    cluster = Cluster()
    cluster.job = {"spec": {"pullPolicy": {"timeoutSeconds": 600, "backoffLimit": 3}}}
    theirs = try_creation(cluster, namespace="a")
    cluster.job = {"spec": {"imagePullPolicy": "IfNotPresent", "pullPolicy": {"timeoutSeconds": 60}}}

    assert (True, False) == (theirs.is_openkruises, try_creation(cluster, namespace="a").is_openkruises)


def test_no_crds_are_an_outcome() -> None:
    """Neither version is there."""
    cluster = Cluster()
    cluster.unserved = frozenset({"v1beta1", "v1alpha1"})

    assert Outcome.UNSERVED is try_creation(cluster, namespace="a").outcome


def test_a_namespace_that_is_not_there_says_nothing() -> None:
    """It is no sign that the kind is not served."""
    cluster = Cluster()
    cluster.job = NotFound('create /x: HTTP 404: namespaces "a" not found', code=404)

    found = try_creation(cluster, namespace="a")

    assert Creation(outcome=Outcome.UNKNOWN, words='create /x: HTTP 404: namespaces "a" not found') == found


@pytest.mark.parametrize(
    ("expected", "error"),
    [
        (
            Creation(
                outcome=Outcome.REFUSED,
                webhook="vimagepulljob.kb.io",
                is_openkruises=True,
                words="feature-gate ImagePullJobGate is not enabled",
            ),
            Denied(GATE_OFF, code=403),
        ),
        (
            Creation(outcome=Outcome.REFUSED, webhook="jobs.example.org", words="no"),
            Invalid('HTTP 400: admission webhook "jobs.example.org" denied the request: no', code=400),
        ),
        (
            Creation(
                outcome=Outcome.UNANSWERED,
                webhook="mimagepulljob.kb.io",
                words=UNANSWERED.partition('kb.io": ')[2],
            ),
            ServerFailed(UNANSWERED, code=500),
        ),
        (
            Creation(outcome=Outcome.DENIED, words='x is forbidden: User "a" cannot create resource "imagepulljobs"'),
            Denied('x is forbidden: User "a" cannot create resource "imagepulljobs"', code=403),
        ),
        (
            Creation(outcome=Outcome.REFUSED, words="ValidatingAdmissionPolicy 'x' denied request: no"),
            Denied("ValidatingAdmissionPolicy 'x' denied request: no", code=403),
        ),
        (Creation(outcome=Outcome.REFUSED, words="spec.image: required"), Invalid("spec.image: required", code=422)),
        (
            Creation(outcome=Outcome.UNKNOWN, words='admission webhook "jobs.example.org" does not support dry run'),
            Invalid('admission webhook "jobs.example.org" does not support dry run', code=400),
        ),
        (Creation(outcome=Outcome.UNKNOWN, words="no answer in time"), Unreachable("no answer in time")),
        (Creation(outcome=Outcome.UNKNOWN, words="HTTP 503: busy"), ServerFailed("HTTP 503: busy", code=503)),
    ],
)
def test_an_error_tells_who_said_no(expected: Creation, error: ClusterError) -> None:
    """A webhook, by name; one that does not answer; a missing right; a policy or schema; or nobody yet."""
    assert expected == creation_of(error)


def test_only_openkruise_s_webhook_is_left_over_by_openkruise() -> None:
    """Another's that does not answer is another's to mend."""
    others = UNANSWERED.replace("mimagepulljob.kb.io", "jobs.example.org")

    found = [creation_of(ServerFailed(words, code=500)).is_leftover for words in (UNANSWERED, others)]

    assert [True, False] == found
