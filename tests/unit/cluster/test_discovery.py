"""The version to speak is the best that is served of the very kind."""

import msgspec
import pytest

from daemon.cluster.discovery import served_version, served_versions
from daemon.cluster.errors import NotFound, Unreachable
from daemon.cluster.transport import HttpApi
from tests.servers.scripted_answers import Answer, refused
from tests.servers.scripted_api import ScriptedApi


def _version(*resources: str) -> Answer:
    found = [{"name": resource, "kind": "Any"} for resource in resources]
    return Answer(body=msgspec.json.encode({"kind": "APIResourceList", "resources": found}))


OURS = _version("imagepulljobs", "nodeimages", "nodeimages/status")
OTHERS = _version("statefulsets", "statefulsets/status")
ABSENT = refused(404, "NotFound")


@pytest.mark.parametrize(
    ("answers", "expected"),
    [((OURS,), "v1beta1"), ((ABSENT, OURS), "v1alpha1"), ((OTHERS, OURS), "v1alpha1")],
    ids=["both", "v1alpha1 alone", "another kind in v1beta1"],
)
def test_the_newest_version_in_which_the_kind_is_served_is_spoken(
    api: ScriptedApi, client: HttpApi, answers: tuple[Answer, ...], expected: str
) -> None:
    """v1beta1 where it is served, else v1alpha1; OpenKruise up to 1.8 has but others of its kinds in v1beta1."""
    for answer in answers:
        api.script.add("get", answer)

    assert expected == served_version(client, "nodeimages", timeout_seconds=10)
    asked = ["/apis/apps.kruise.io/v1beta1", "/apis/apps.kruise.io/v1alpha1"]
    assert asked[: len(answers)] == [request.path for request in api.requests]


@pytest.mark.parametrize("answer", [ABSENT, OTHERS, Answer(body=b"{}"), Answer(body=b'{"resources": [1]}')])
def test_a_server_without_our_kinds_has_none(api: ScriptedApi, client: HttpApi, answer: Answer) -> None:
    """Without the CRDs it is NotFound in words that name them, whatever form the answer has."""
    for _ in range(2):
        api.script.add("get", answer)

    with pytest.raises(NotFound, match="are the CRDs installed"):
        served_version(client, "nodeimages", timeout_seconds=10)


def test_a_server_that_does_not_answer_has_no_version(api: ScriptedApi, client: HttpApi) -> None:
    """That it cannot be asked is not taken for an older version."""
    api.close()

    with pytest.raises(Unreachable):
        served_version(client, "nodeimages", timeout_seconds=10)


def test_several_kinds_are_asked_for_at_once(api: ScriptedApi, client: HttpApi) -> None:
    """Each in its best version, one that is not served left out, and no version asked for that nobody needs."""
    for answer in (_version("imagepulljobs"), _version("imagepulljobs", "nodeimages")):
        api.script.add("get", answer)

    found = served_versions(client, ("imagepulljobs", "nodeimages", "imagelistpulljobs"), timeout_seconds=10)

    assert {"imagepulljobs": "v1beta1", "nodeimages": "v1alpha1"} == found
    api.script.add("get", OURS)
    assert {"nodeimages": "v1beta1"} == served_versions(client, ("nodeimages",), timeout_seconds=10)
    assert 3 == len(api.requests)
