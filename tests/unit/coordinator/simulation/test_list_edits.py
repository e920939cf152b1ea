"""A list of many images that somebody edits all the time: it costs the writes of others no more than a part."""

from tests.unit.coordinator.simulation.cluster import Cluster, condition


MANY = tuple(f"registry.example.com/team/app-{number:03}:v1" for number in range(255))
NOWHERE = {"names": ["nowhere"]}


def test_a_list_that_is_edited_all_the_time_stops_no_other_job_or_list() -> None:
    """Each edit is a write of each of its jobs: more than all writes that there are in that time."""
    cluster = Cluster(nodes=5)
    cluster.lead()
    cluster.make_list("many", *MANY, kind="Never", selector=NOWHERE)
    cluster.run(10)
    cluster.job("job", kind="Never", parallelism=5)
    cluster.make_list("list", "nginx:1", kind="Never", parallelism=5)
    for seconds in range(30):
        cluster.edit_list("many", pullPolicy={"timeoutSeconds": 100 + seconds})
        cluster.run(1)

    assert cluster.is_ready("job")
    assert "True" == condition(cluster.list_status("list"), "Ready")["status"]
