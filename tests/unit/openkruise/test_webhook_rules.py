"""The stand-in's webhooks default and refuse as OpenKruise's do, as far as a cluster beside it meets that."""

from typing import Any

import pytest

from tests.servers.openkruise.webhook_rules import BAD, FORBIDDEN, Gates, Refusal, defaulted, refusal


Json = dict[str, Any]

ON = Gates(image_pull_job=True)


def job(version: str = "v1beta1", **spec: object) -> Json:
    """Return a job."""
    base = {"apiVersion": f"apps.kruise.io/{version}", "kind": "ImagePullJob", "metadata": {"name": "j"}}
    return {**base, "spec": {"image": "a", "completionPolicy": {}, **spec}}


def node_image(**policy: object) -> Json:
    """Return a NodeImage that wants one image."""
    tags = [{"tag": "v1", "pullPolicy": policy}]
    return {"apiVersion": "apps.kruise.io/v1beta1", "kind": "NodeImage", "spec": {"images": {"a": {"tags": tags}}}}


def test_a_job_gets_its_defaults_and_nothing_that_it_has_is_changed() -> None:
    """What it says stays, also within a policy of which a part is there."""
    changed = defaulted(job(pullPolicy={"timeoutSeconds": 60}), operation="CREATE")["spec"]

    assert {"timeoutSeconds": 60, "backoffLimit": 3} == changed["pullPolicy"]
    assert ("Always", "IfNotPresent") == (changed["completionPolicy"]["type"], changed["imagePullPolicy"])


@pytest.mark.parametrize(
    ("expected", "version", "operation"),
    [(True, "v1alpha1", "CREATE"), (False, "v1alpha1", "UPDATE"), (False, "v1beta1", "CREATE")],
)
def test_the_finalizer_comes_with_a_creation_in_the_older_version(
    expected: bool,  # noqa: FBT001 - whether it comes
    version: str,
    operation: str,
) -> None:
    """In the newer one its controller adds it."""
    metadata = defaulted(job(version), operation=operation)["metadata"]

    assert expected is ("finalizers" in metadata)


def test_an_entry_gets_its_bounds_and_no_policy() -> None:
    """An empty imagePullPolicy stays empty."""
    (entry,) = defaulted(node_image(), operation="UPDATE")["spec"]["images"]["a"]["tags"]

    assert {"tag": "v1", "pullPolicy": {"timeoutSeconds": 600, "backoffLimit": 3}} == entry


@pytest.mark.parametrize(
    ("expected", "found", "before", "gates"),
    [
        (Refusal(FORBIDDEN, "feature-gate ImagePullJobGate is not enabled"), job(), None, Gates()),
        (Refusal(FORBIDDEN, "feature-gate KruiseDaemon is not enabled"), job(), None, Gates(kruise_daemon=False)),
        (
            Refusal(FORBIDDEN, "feature-gate KruiseDaemon is not enabled"),
            node_image(ttlSecondsAfterFinished=1),
            None,
            Gates(kruise_daemon=False),
        ),
        (None, node_image(ttlSecondsAfterFinished=1), None, Gates()),
        (Refusal(BAD, "pullPolicy.ttlSecondsAfterFinished is required"), node_image(), None, ON),
        (None, job(parallelism=3), None, ON),
        (Refusal(BAD, "parallelism 10% must not be a percentage"), job(parallelism="10%"), None, ON),
        (Refusal(FORBIDDEN, "pullSecrets can not be changed"), job(pullSecrets=["a"]), job(), ON),
        (None, job(parallelism=3), job(), ON),
    ],
)
def test_what_is_refused(expected: Refusal | None, found: Json, before: Json | None, gates: Gates) -> None:
    """By a gate that is off, by what may not change, and by what OpenKruise alone does not take."""
    assert expected == refusal(found, before=before, gates=gates)
