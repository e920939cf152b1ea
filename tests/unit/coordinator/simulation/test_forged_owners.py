"""Jobs that say they are a list's, by whoever may make jobs in one namespace: nobody else's lists or jobs suffer."""

from typing import Final

import pytest

from daemon.coordinator.lists.names import job_name
from tests.unit.coordinator.simulation.apiserver import JOBS
from tests.unit.coordinator.simulation.cluster import NAMESPACE, Cluster, condition
from tests.unit.coordinator.simulation.documents import Json


ONE: Final = "registry.example.com/team/one:v1"
TWO: Final = "registry.example.com/team/two:v1"


def forge(cluster: Cluster, name: str, *, uid: str, namespace: str, owner: str = "base", image: str = TWO) -> Json:
    """Make a job that says a list controls it."""
    reference = {"apiVersion": "apps.kruise.io/v1beta1", "kind": "ImageListPullJob", "name": owner, "uid": uid}
    return cluster.api.create(
        JOBS,
        {
            "apiVersion": "apps.kruise.io/v1beta1",
            "kind": "ImagePullJob",
            "metadata": {
                "name": name,
                "namespace": namespace,
                "ownerReferences": [{**reference, "controller": True}],
            },
            "spec": {"image": image, "completionPolicy": {"type": "Never"}},
        },
    )


def test_a_job_of_another_namespace_is_no_list_s() -> None:
    """However it got the list's uid: it serves for no image of the list, is not written, and takes no slot of it."""
    cluster = Cluster(nodes=2)
    cluster.lead()
    uid = cluster.make_list("base", ONE, kind="Never", prewarm={"listParallelism": 1}, parallelism=2)
    cluster.run(20)
    cluster.kill()
    forged = forge(cluster, "mine", uid=uid, namespace="elsewhere")
    cluster.edit_list("base", images=[ONE, TWO])
    cluster.lead()
    cluster.run(40)
    left = cluster.api.find(JOBS, "elsewhere/mine")

    assert cluster.api.find(JOBS, f"{NAMESPACE}/{job_name('base', image=TWO)}") is not None
    assert "4/4" == cluster.list_status("base")["prewarm"]["summary"]
    # Its own list is not there, in its own namespace: as the garbage collector has it, it goes.
    assert left is None or left["spec"] == forged["spec"]


@pytest.mark.parametrize("name", ["?watch=true", "../../../../api/v1/namespaces/kube-system/secrets/token", "a b"])
def test_nothing_is_asked_for_by_a_name_that_none_can_have(name: str) -> None:
    """The API server keeps any text as an owner's name, and a request must not become another by it."""
    cluster = Cluster(nodes=1)
    leader = cluster.lead()
    forge(cluster, "mine", uid="8e2c", namespace=NAMESPACE, owner=name)
    cluster.until(lambda: condition(cluster.status("mine"), "Ready").get("status") == "True", seconds=60)

    assert [] == [request.path for request in leader.sent_requests if "imagelistpulljobs" in request.path]


def test_an_owner_s_uid_with_spaces_holds_no_job_back() -> None:
    """No list has such a uid, so the job is nobody's and goes on by itself."""
    cluster = Cluster(nodes=1)
    cluster.lead()
    forge(cluster, "mine", uid="a image b", namespace=NAMESPACE)
    cluster.until(lambda: condition(cluster.status("mine"), "Ready").get("status") == "True", seconds=60)

    assert 1 == cluster.pulls_of("n00", image=TWO)
