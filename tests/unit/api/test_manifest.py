"""From text to values, problems and lines."""

from hypothesis import given
from hypothesis import strategies as st

from daemon.api.imagepulljob import CompletionType
from daemon.api.manifest import Problem, describe, parse_manifests, parse_object
from daemon.api.nodeimage import ImagePullPolicy, NodeImage
from tests.manifests.table import cases


TEXTS = [case.text for case in cases() if len(case.text) < 1000]
JOB = """\
apiVersion: apps.kruise.io/v1beta1
kind: ImagePullJob
metadata:
  name: warm
spec:
  image: nginx
  completionPolicy: {}
"""


def test_defaults_are_filled_in() -> None:
    """What a person leaves out is what OpenKruise's webhook would write."""
    (job,) = parse_manifests(JOB, source="here").jobs

    assert "default" == job.namespace
    assert 1 == job.template.parallelism
    assert (600, 3) == (job.template.pull_policy.timeout_seconds, job.template.pull_policy.backoff_limit)
    assert CompletionType.ALWAYS is job.template.completion_policy.type
    assert ImagePullPolicy.IF_NOT_PRESENT is job.template.image_pull_policy


def test_documents_of_all_kinds_are_read_in_their_order() -> None:
    """A stream may hold many documents; empty ones are passed over."""
    text = f"---\n{JOB}---\n# nothing\n---\n{JOB.replace('warm', 'hot')}"

    found = parse_manifests(text, source="here")

    assert ["warm", "hot"] == [job.name for job in found.jobs]
    assert 2 == found.objects


def test_a_list_is_read_item_by_item() -> None:
    """What `kubectl get -o yaml` prints can be checked; an item's problem has the item's name and line."""
    item = "- {apiVersion: apps.kruise.io/v1beta1, kind: ImagePullJob, metadata: {name: NAME},\n"
    item += "   spec: {image: IMAGE, completionPolicy: {}}}\n"
    text = (
        "apiVersion: v1\nkind: List\nitems:\n"
        + item.replace("NAME", "good").replace("IMAGE", "nginx")
        + item.replace("NAME", "bad").replace("IMAGE", "1.10")
    )

    found = parse_manifests(text, source="here")

    assert ["good"] == [job.name for job in found.jobs]
    expected = (
        'here:7: ImagePullJob/bad: spec.image: Invalid value: "number": spec.image in body must be of type string: '
        '"number": YAML reads 1.10 as a number, write "1.10" in quotes'
    )
    assert [expected] == [describe(problem) for problem in found.problems]


def test_a_bad_document_takes_nothing_from_a_good_one() -> None:
    """Each document is judged alone, and its problems know which it is."""
    text = f"{JOB}---\n{JOB.replace('nginx', 'Nginx')}---\n{JOB.replace('warm', 'hot')}"

    found = parse_manifests(text, source="here")

    assert ["warm", "hot"] == [job.name for job in found.jobs]
    assert [(2, 14, "warm")] == [(problem.document, problem.line, problem.name) for problem in found.errors]


def test_problems_come_in_the_order_of_their_lines() -> None:
    """A person mends a manifest from top to bottom."""
    text = JOB.replace("  completionPolicy: {}", "  parallelism: -1\n  pullPolicy: {timeoutSeconds: 0}\n  nonsense: 1")

    lines = [problem.line for problem in parse_manifests(text, source="here").problems]

    assert sorted(lines) == lines
    assert 4 == len(lines)


def test_a_problem_without_a_place_is_about_the_whole_source() -> None:
    """A source that can't be read has no line."""
    assert "a\\x1bb: gone" == describe(Problem(source="a\x1bb", text="gone"))


def test_a_node_image_keeps_what_is_sound() -> None:
    """One bad entry of a NodeImage does not take the others from the node."""
    parsed = parse_object(
        {
            "apiVersion": "apps.kruise.io/v1beta1",
            "kind": "NodeImage",
            "metadata": {"name": "node-a"},
            "spec": {
                "images": {"nginx": {"tags": [{"tag": "a"}, {"tag": "b", "version": -1}, {"tag": "a"}, 5]}, "x": 1}
            },
            "status": {"imageStatuses": {"nginx": {"tags": [{"tag": "a", "phase": "Gone"}]}}},
        }
    )

    assert isinstance(parsed.value, NodeImage)
    assert ["a"] == [entry.tag for entry in parsed.value.images["nginx"].tags]
    assert {"nginx": ()} == parsed.value.statuses
    assert 5 == len(parsed.errors)


def test_an_empty_policy_of_an_entry_is_if_not_present() -> None:
    """OpenKruise's manager writes no default into a NodeImage; the API's text says which holds."""
    parsed = parse_object(
        {
            "apiVersion": "apps.kruise.io/v1alpha1",
            "kind": "NodeImage",
            "metadata": {"name": "node-a"},
            "spec": {"images": {"nginx": {"tags": [{"tag": "a", "imagePullPolicy": ""}]}}},
        }
    )

    assert isinstance(parsed.value, NodeImage)
    assert () == parsed.findings
    assert ImagePullPolicy.IF_NOT_PRESENT is parsed.value.images["nginx"].tags[0].image_pull_policy


scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=10)
    | st.sampled_from(["nginx", "Never", "10%", "apps.kruise.io/v1beta1", "0 2 * * *", "2026-01-01T00:00:00Z"])
)
field_names = st.text(max_size=5) | st.sampled_from(
    [
        "image",
        "images",
        "completionPolicy",
        "type",
        "pullPolicy",
        "timeoutSeconds",
        "selector",
        "names",
        "matchLabels",
        "matchExpressions",
        "key",
        "operator",
        "values",
        "prewarm",
        "refresh",
        "schedule",
        "at",
        "parallelism",
        "podSelector",
        "tags",
        "tag",
        "nginx",
        "pullSecrets",
        "minFree",
        "spec",
        "sandboxConfig",
        "labels",
        "ownerReferences",
        "ended",
        "phase",
        "imageStatuses",
        "bytes",
        "activeDeadlineSeconds",
    ]
)
plain = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(field_names, inner, max_size=4),
    max_leaves=25,
)


@given(
    kind=st.sampled_from(["ImagePullJob", "ImageListPullJob", "NodeImage"]), metadata=plain, spec=plain, status=plain
)
def test_no_plain_value_raises(kind: str, metadata: object, spec: object, status: object) -> None:
    """Whatever stands in an object of ours, the rules collect errors and end."""
    document = {"apiVersion": "apps.kruise.io/v1beta1", "kind": kind, "metadata": metadata, "spec": spec}

    parsed = parse_object({**document, "status": status})

    assert parsed.value is not None
    assert all(finding.text.isprintable() for finding in parsed.findings)


@given(plain)
def test_no_other_value_raises(value: object) -> None:
    """Whatever an object is, it ends in a value or an error."""
    parsed = parse_object(value)

    assert parsed.value is not None or parsed.errors


@given(st.data())
def test_no_mutilated_manifest_raises(data: st.DataObject) -> None:
    """A manifest with a piece cut out or put in ends in values and problems, each of them one line."""
    text = data.draw(st.sampled_from(TEXTS))
    start, end = sorted(data.draw(st.tuples(*[st.integers(0, len(text))] * 2)))
    piece = data.draw(st.text(max_size=5) | st.sampled_from([" &a ", " *a ", "\n  ", ": ", "{", "]", "!!x ", "\t"]))

    found = parse_manifests(text[:start] + piece + text[end:], source="here")

    assert all(describe(problem).isprintable() for problem in found.problems)
