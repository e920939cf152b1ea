"""A leader is killed while it makes a list's jobs: whoever leads next makes what is missing, and nothing twice."""

import random
from collections.abc import Iterator

import pytest

from tests.faults.coordinators import Deaths, Place
from tests.servers.apiserver import ApiServer
from tests.servers.fixtures_apiserver import Names
from tests.servers.fixtures_coordinator import Nodes
from tests.servers.jobs import JobOnServer, image_list, owners_of
from tests.servers.objects import Json
from tests.servers.processes import until
from tests.servers.watched import Watched


pytestmark = pytest.mark.usefixtures("hollow")

IMAGES = tuple(f"registry.test/app-{number:02}:v1" for number in range(20))
DEATHS = 8


@pytest.fixture
def made_jobs(deployed: ApiServer, namespace: str) -> Iterator[list[Json]]:
    """Every job that was ever there in the test's namespace, as it was made."""
    found: dict[str, Json] = {}
    path = f"/apis/apps.kruise.io/v1beta1/namespaces/{namespace}/imagepulljobs"
    jobs: list[Json] = []

    def hear(_: str, job: Json) -> None:
        if found.setdefault(job["metadata"]["uid"], job) is job:
            jobs.append(job)

    with Watched(deployed, path, hear):
        yield jobs


@pytest.mark.parametrize("seed", [7])
def test_a_leader_may_be_killed_between_any_two_jobs_of_a_list(
    place: Place, nodes: Nodes, deployed: ApiServer, namespace: str, names: Names, made_jobs: list[Json], seed: int
) -> None:
    """Before a job is made, or after it was and nobody heard of it; in the end each image has had one job alone."""
    draws = random.Random(seed)  # noqa: S311 - a test's dice
    nodes(3)
    deaths = Deaths([(draws.randint(1, 5), draws.random() < 0.5) for _ in range(DEATHS)])
    deaths.follow(place("one"))
    assert "one" == place.until_held()
    made = JobOnServer(deployed, namespace, names("list"), kind="ImageListPullJob")
    made.create(image_list(*IMAGES, selector=nodes.selector, parallelism=3))

    for _ in range(DEATHS):
        deaths.next().process.start()
        place.until_held()
    status = made.ended(timeout_seconds=90)
    until(lambda: len(made_jobs) >= len(IMAGES), what="every job is told", timeout_seconds=30)

    assert sorted(IMAGES) == sorted(job["spec"]["image"] for job in made_jobs)
    assert {made.uid} == set.union(*(owners_of(job) for job in made_jobs))
    assert (20, 20, 20) == (status["desired"], status["completed"], status["succeeded"])
    made.delete()
