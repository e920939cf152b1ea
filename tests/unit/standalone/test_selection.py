"""Which jobs a machine does, and what its person is told about the others."""

import pytest

from daemon.api.manifest import Manifests, parse_manifests
from daemon.api.nodeimage import ImagePullPolicy
from daemon.standalone.selection import Place, Selection, select
from tests.unit.standalone.jobs import manifests


DIGEST = "sha256:" + "0123456789abcdef" * 4
NOWHERE = Place()
GPU = Place(node_name="node-a", node_labels={"pool": "gpu"})


def _select(given: Manifests, place: Place = NOWHERE) -> Selection:
    return select(given, images=(), policy=None, place=place)


def _chosen(spec: str, place: Place) -> tuple[bool, str]:
    """Tell whether a job with this spec is done, and what is said of it."""
    selection = _select(manifests(f"image: nginx, completionPolicy: {{}}, {spec}"), place)
    return bool(selection.jobs), " / ".join(selection.notices)


BY_LABEL = "selector: {matchLabels: {pool: gpu}}"
BY_NAME = "selector: {names: [node-a]}"
IGNORED_LABELS = "default/job-0: --node-labels is not given, so its selector is ignored"
IGNORED_NAME = "default/job-0: --node-name is not given, so its selector is ignored"
IGNORED_PODS = (
    "default/job-0: where its Pods run (podSelector) cannot be known without an API server, so its selector is ignored"
)
PASSED_OVER = "default/job-0: does not select this node, passed over"
SUSPENDED = "default/job-0: suspended (spec.prewarm.suspend or parallelism 0), passed over"


@pytest.mark.parametrize(
    ("spec", "place", "expected"),
    [
        ("parallelism: 1", NOWHERE, (True, "")),
        ("selector: {}", NOWHERE, (True, "")),
        (BY_LABEL, GPU, (True, "")),
        (BY_LABEL, Place(node_labels={"pool": "cpu"}), (False, PASSED_OVER)),
        (BY_LABEL, Place(node_labels={}), (False, PASSED_OVER)),
        (BY_LABEL, NOWHERE, (True, IGNORED_LABELS)),
        (BY_LABEL, Place(node_name="node-a"), (True, IGNORED_LABELS)),
        (BY_NAME, GPU, (True, "")),
        (BY_NAME, Place(node_name="node-b"), (False, PASSED_OVER)),
        (BY_NAME, NOWHERE, (True, IGNORED_NAME)),
        (BY_NAME, Place(node_labels={"pool": "gpu"}), (True, IGNORED_NAME)),
        ("selector: {names: []}", NOWHERE, (False, PASSED_OVER)),
        ("selector: {matchLabels: {kubernetes.io/hostname: node-a}}", GPU, (True, "")),
        (
            "selector: {matchLabels: {kubernetes.io/hostname: other}}",
            Place(node_name="node-a", node_labels={"kubernetes.io/hostname": "other"}),
            (True, ""),
        ),
        (
            "podSelector: {matchLabels: {app: web}}",
            GPU,
            (True, IGNORED_PODS),
        ),
        ("prewarm: {suspend: true}", NOWHERE, (False, SUSPENDED)),
        ("parallelism: 0", NOWHERE, (False, SUSPENDED)),
        ("parallelism: 0%", NOWHERE, (False, SUSPENDED)),
        ("parallelism: 1%", NOWHERE, (True, "")),
    ],
)
def test_a_job_is_done_unless_it_is_known_to_be_for_others(spec: str, place: Place, expected: tuple[bool, str]) -> None:
    """What is not told about this machine cannot be compared: the job is done, and a notice says so."""
    assert expected == _chosen(spec, place)


def test_jobs_keep_the_order_of_the_manifests() -> None:
    """Lists come after jobs, one job for each of their images, and named images last."""
    text = (
        "apiVersion: apps.kruise.io/v1beta1\nkind: ImageListPullJob\nmetadata: {name: list}\n"
        "spec: {images: [b, c], completionPolicy: {}}\n---\n"
        "apiVersion: apps.kruise.io/v1beta1\nkind: ImagePullJob\nmetadata: {name: job}\n"
        "spec: {image: a, completionPolicy: {}}\n"
    )

    selection = select(parse_manifests(text, source="here"), images=("d",), policy=None, place=NOWHERE)

    assert ["job", "list-0", "list-1", "d"] == [job.name for job in selection.jobs]


def test_a_node_image_is_passed_over_with_a_notice() -> None:
    """It is for the agent."""
    text = "apiVersion: apps.kruise.io/v1beta1\nkind: NodeImage\nmetadata: {name: node-a}\nspec: {images: {}}\n"

    selection = _select(parse_manifests(text, source="here"))

    assert ((), 1) == (selection.jobs, len(selection.notices))
    assert "NodeImage node-a" in selection.notices[0]


@pytest.mark.parametrize(
    ("image", "policy", "expected"),
    [
        ("nginx", None, ImagePullPolicy.ALWAYS),
        ("nginx:1.29", None, ImagePullPolicy.ALWAYS),
        (f"nginx@{DIGEST}", None, ImagePullPolicy.IF_NOT_PRESENT),
        (f"nginx:1.29@{DIGEST}", None, ImagePullPolicy.IF_NOT_PRESENT),
        ("nginx", ImagePullPolicy.IF_NOT_PRESENT, ImagePullPolicy.IF_NOT_PRESENT),
        (f"nginx@{DIGEST}", ImagePullPolicy.ALWAYS, ImagePullPolicy.ALWAYS),
    ],
)
def test_a_named_image_is_asked_for_unless_it_cannot_have_moved(
    image: str, policy: ImagePullPolicy | None, expected: ImagePullPolicy
) -> None:
    """Who names a tag wants what it points at now; --image-pull-policy says otherwise."""
    (job,) = select(Manifests(), images=(image,), policy=policy, place=NOWHERE).jobs

    assert expected is job.template.image_pull_policy
