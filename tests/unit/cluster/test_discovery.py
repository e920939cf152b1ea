"""The version to speak is the best that is served."""

import msgspec
import pytest

from daemon.cluster.discovery import served_version
from daemon.cluster.errors import NotFound
from daemon.cluster.transport import HttpApi
from tests.servers.scripted_answers import Answer, refused
from tests.servers.scripted_api import ScriptedApi


def _group(*versions: str) -> Answer:
    served = [{"groupVersion": f"apps.kruise.io/{version}", "version": version} for version in versions]
    return Answer(body=msgspec.json.encode({"kind": "APIGroup", "versions": served}))


@pytest.mark.parametrize(
    ("versions", "expected"),
    [(("v1beta1", "v1alpha1"), "v1beta1"), (("v1alpha1", "v1beta1"), "v1beta1"), (("v1alpha1",), "v1alpha1")],
)
def test_the_newest_version_that_is_served_is_spoken(
    api: ScriptedApi, client: HttpApi, versions: tuple[str, ...], expected: str
) -> None:
    """v1beta1 where it is served in whatever order, else v1alpha1 as with OpenKruise up to 1.8."""
    api.script.add("get", _group(*versions))

    assert expected == served_version(client, timeout_seconds=10)
    assert ["/apis/apps.kruise.io"] == [request.path for request in api.requests]


@pytest.mark.parametrize(
    "answer", [_group(), _group("v2"), refused(404, "NotFound"), Answer(body=b"{}"), Answer(body=b'{"versions": [1]}')]
)
def test_a_server_without_our_kinds_has_none(api: ScriptedApi, client: HttpApi, answer: Answer) -> None:
    """Without the CRDs it is NotFound in words that name them, whatever form the answer has."""
    api.script.add("get", answer)

    with pytest.raises(NotFound, match="are the CRDs installed"):
        served_version(client, timeout_seconds=10)
