"""What the stand-in's types lose and keep."""

from tests.servers.openkruise.manager_job import Job
from tests.servers.openkruise.manager_nodeimage import NodeImage
from tests.servers.openkruise.manager_objects import Release, decoded, encoded, without_modes


def test_what_the_types_do_not_know_is_lost() -> None:
    """Fields, conditions and fractions of a second."""
    tag = {
        "tag": "v1",
        "phase": "Succeeded",
        "imageID": "app@sha256:1",
        "completionTime": "2026-01-01T00:00:00.5Z",
        "reason": "",
        "attempt": 1,
    }
    wire = {
        "apiVersion": "apps.kruise.io/v1beta1",
        "metadata": {"name": "node-a", "resourceVersion": "7"},
        "spec": {"images": {"app": {"tags": [{"tag": "v1", "prewarm": {"priority": 1}}]}}},
        "status": {"desired": 1, "succeeded": 1, "conditions": [], "imageStatuses": {"app": {"tags": [tag]}}},
    }

    kept = encoded(decoded(wire, into=NodeImage), release=Release.V1_9)

    known = {"tag": "v1", "phase": "Succeeded", "imageID": "app@sha256:1", "completionTime": "2026-01-01T00:00:00Z"}
    counts = {"desired": 1, "succeeded": 1, "failed": 0, "pulling": 0, "waiting": 0}
    assert {
        "apiVersion": "apps.kruise.io/v1beta1",
        "kind": "NodeImage",
        "metadata": {"name": "node-a", "resourceVersion": "7"},
        "spec": {"images": {"app": {"tags": [{"tag": "v1"}]}}},
        "status": {**counts, "imageStatuses": {"app": {"tags": [known]}}},
    } == kept


def test_v1alpha1_knows_no_mode_of_a_secret() -> None:
    """A read, changed and written reference is a legacy one."""
    image = {"pullSecrets": [{"namespace": "n", "name": "s", "mode": "batch"}], "tags": []}
    node = decoded({"spec": {"images": {"app": image}}}, into=NodeImage)

    kept = encoded(without_modes(node), release=Release.V1_6)

    assert {"images": {"app": {"pullSecrets": [{"namespace": "n", "name": "s"}], "tags": []}}} == kept["spec"]


def test_a_jobs_required_fields_are_written_when_they_are_empty() -> None:
    """The schema asks for completionPolicy and desired."""
    kept = encoded(decoded({"spec": {"image": "app", "completionPolicy": {}}}, into=Job), release=Release.V1_9)

    assert {"image": "app", "completionPolicy": {}} == kept["spec"]
    assert {"desired": 0, "active": 0, "succeeded": 0, "failed": 0} == kept["status"]
