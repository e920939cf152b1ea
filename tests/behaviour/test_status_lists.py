"""`prewarm status`, `suspend` and `resume` of a list whose jobs a real coordinator makes and counts."""

from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from tests.servers.apiserver import ApiServer
from tests.servers.fixtures_coordinator import Nodes
from tests.servers.jobs import condition
from tests.servers.objects import Json, ObjectOnServer
from tests.servers.persons import Person
from tests.servers.scripted_agents import Fails, Pulls, ScriptedAgents


pytestmark = pytest.mark.usefixtures("coordinator")

KINDS: Final = "/apis/apps.kruise.io/v1beta1"
WORKS, BREAKS, HANGS = (f"registry.test/{name}:v1" for name in ("z-works", "breaks", "a-hangs"))


@pytest.fixture
def person(deployed: ApiServer, tmp_path: Path) -> Person:
    """A person who may everything."""
    return Person(deployed.kubeconfig, tmp_path / "home")


@pytest.fixture
def nightly(deployed: ApiServer, namespace: str, nodes: Nodes, agents: ScriptedAgents) -> ObjectOnServer:
    """A list on two nodes, of which one image works, one is not found, and one hangs."""
    for node in nodes(2):
        agent = agents.serve(node.name)
        agent.says(Fails("ImageNotFound", "no such tag"), image=BREAKS)
        agent.says(Pulls(1 << 20, 2 << 20), image=HANGS)
    nodes.until_seen()
    made = ObjectOnServer(deployed, f"{KINDS}/namespaces/{namespace}/imagelistpulljobs", "nightly")
    spec = {
        "images": [WORKS, BREAKS, HANGS],
        "completionPolicy": {"type": "Never"},
        "parallelism": 2,
        "selector": nodes.selector,
    }
    made.create({"apiVersion": "apps.kruise.io/v1beta1", "kind": "ImageListPullJob", "spec": spec})
    made.until(_says(_is_under_way), what="all but one image have ended, and that is pulled")
    return made


def _is_under_way(status: Json) -> bool:
    return (2, 1) == (status.get("completed"), status.get("active"))


def _says(fits: Callable[[Json], bool]) -> Callable[[Json], bool]:
    return lambda found: fits(found.get("status") or {})


def _is_suspended(status: Json) -> bool:
    found: bool = condition(status, "Suspended").get("status") == "True"
    return found


def test_a_list_is_told_as_its_coordinator_counts_it(nightly: ObjectOnServer, person: Person, namespace: str) -> None:
    """Its images in its order with what failed, and in the table before its jobs."""
    page = [" ".join(line.split()) for line in person.output("status", nightly.name, "-n", namespace).splitlines()]
    rows = [line.split() for line in person.output("status", "-n", namespace).splitlines()[1:]]

    assert any(line.startswith("Images: 3 images: 1 succeeded, 1 active, 1 failed; 2 have ended") for line in page)
    assert any(line.startswith("On nodes: 2 warm, 0 stale, 4 cold, 0 skipped; 2 pulling,") for line in page)
    (failed,) = page[page.index("FAILED") + 2 : page.index("", page.index("FAILED"))]
    assert (BREAKS, True) == (failed.split()[0], "2 of 2 nodes failed" in failed)
    images = [line.split() for line in page[page.index("IMAGES") + 2 :]]
    assert [(WORKS, "2/2"), (BREAKS, "0/2"), (HANGS, "0/2")] == [(image[0], image[1]) for image in images]
    assert ["list/nightly", *(image[-1] for image in images)] == [row[0] for row in rows]
    assert "2/6" == rows[0][1]


def test_a_list_is_suspended_as_one_and_its_jobs_follow(
    nightly: ObjectOnServer, person: Person, namespace: str
) -> None:
    """The command changes the list alone; the coordinator suspends its jobs, and resumes them."""
    said = person.output("suspend", "--all", "-n", namespace).splitlines()
    nightly.until(_says(_is_suspended), what="is suspended")
    jobs = person.document("status", "jobs", "-n", namespace)["jobs"]

    again = person.output("resume", "list/nightly", "-n", namespace)
    nightly.until(_says(lambda status: not _is_suspended(status)), what="goes on")
    after = person.document("status", "jobs", "-n", namespace)["jobs"]

    assert f"imagelistpulljob.apps.kruise.io/nightly -n {namespace}: suspended" == said[0]
    assert [True] * 3 == [line.endswith("follows its list, left alone: see list/nightly") for line in said[1:]]
    assert f"imagelistpulljob.apps.kruise.io/nightly -n {namespace}: resumed\n" == again
    assert [True] * 3 == [each["is_suspended"] for each in jobs]
    assert [False] * 3 == [each["is_suspended"] for each in after]
