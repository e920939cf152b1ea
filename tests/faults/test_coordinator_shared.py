"""Many who want the same at once: another writer in the same lists, and twenty jobs of one image."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.faults.coordinators import Place
from tests.faults.foreign import ForeignWriter
from tests.faults.ledger import Ledger
from tests.servers.apiserver import ApiServer
from tests.servers.fixtures_coordinator import Jobs, JoinNode, Nodes
from tests.servers.images import Push
from tests.servers.jobs import JobOnServer, counted, job, totals
from tests.servers.objects import Json
from tests.servers.proxy import FaultProxy
from tests.servers.traffic import Kind


pytestmark = pytest.mark.usefixtures("hollow")

REPOSITORY = "registry.test/app"
NODES = 12
JOBS = 20
LAYER_BYTES = 128 << 10


@pytest.fixture(scope="module")
def hollow_options() -> Sequence[str]:
    """Nodes of another name have agents of their own."""
    return ("--pull-seconds", "0.3", "--nodes", "node-*")


def entries(found: Json, repository: str = REPOSITORY) -> dict[str, list[str]]:
    """Return the names of the owners of each tag of a repository in a NodeImage."""
    tags = (found["spec"].get("images") or {}).get(repository, {}).get("tags", [])
    return {each["tag"]: [owner["name"] for owner in each.get("ownerReferences", [])] for each in tags}


def test_another_writer_of_the_same_lists_loses_nothing_and_neither_do_we(
    place: Place, nodes: Nodes, jobs: Jobs, ledger: Ledger, deployed: ApiServer
) -> None:
    """It adds and removes its entries in our repositories all the time; jobs come, end and go meanwhile."""
    many = nodes(NODES)
    place("one")
    ledger.until_agents(NODES)

    with ForeignWriter(deployed, [node.name for node in many], repository=REPOSITORY) as foreign:
        never = jobs(job(f"{REPOSITORY}:base", kind="Never", selector=nodes.selector, parallelism=3))
        made = [jobs(job(f"{REPOSITORY}:v{number}", selector=nodes.selector, parallelism=3)) for number in range(3)]
        uids = [one.uid for one in (never, *made)]
        statuses = [one.ended() for one in made]
        lasting = never.until_ready(nodes=NODES)
        made[0].delete()
        gone = [
            nodes.image(node).until_object(lambda found: "v0" not in entries(found), what="v0 has gone")
            for node in many
        ]
    foreign.look()
    found = [entries(nodes.image(node).read()) for node in many]

    assert [] == foreign.lost
    assert NODES < foreign.writes
    assert NODES == len(gone)
    assert [(NODES, 0, NODES, 0)] * 4 == [totals(status) for status in (*statuses, lasting)]
    assert [{"base": [never.name], "v1": [made[1].name], "v2": [made[2].name]}] * NODES == [
        {tag: owners for tag, owners in one.items() if not tag.startswith("foreign")} for one in found
    ]
    assert [foreign.left(node.name) for node in many] == [
        {tag for tag in one if tag.startswith("foreign")} for one in found
    ]
    assert [True] * 4 == [3 >= ledger.most_open(uid) for uid in uids]


def twenty(selector: Json, image: str) -> list[Json]:
    """Return the specs of twenty jobs of one image: of either type, and asking the registry always or not."""
    kinds, policies = ("Always", "Never"), ("IfNotPresent", "Always")
    return [
        job(
            image,
            kind=kinds[number % 4 == 3],
            imagePullPolicy=policies[number % 2],
            selector=selector,
            parallelism=NODES,
        )
        for number in range(JOBS)
    ]


def all_end(made: Sequence[JobOnServer]) -> list[Json]:
    """Return the statuses of jobs once those that can have ended, and the others are ready."""
    is_never = [one.read()["spec"]["completionPolicy"]["type"] == "Never" for one in made]
    return [one.until_ready(nodes=NODES) if lasts else one.ended() for one, lasts in zip(made, is_never, strict=True)]


def most_versions(ledger: Ledger, image: str) -> int:
    """Return how many versions an image had on the node that had most."""
    repository, _, tag = image.rpartition(":")
    return max(len(versions) for versions in ledger.versions((repository, tag)).values())


def test_twenty_jobs_of_one_image_that_wait_are_one_pull_a_node(
    place: Place, nodes: Nodes, jobs: Jobs, ledger: Ledger
) -> None:
    """A coordinator that comes to lead finds them all, and each node is written once for all of them."""
    nodes(NODES)
    image = f"{REPOSITORY}:waiting"
    made = [jobs(spec) for spec in twenty(nodes.selector, image)]

    placed = place("one")
    statuses = all_end(made)

    assert [(NODES, 0, NODES, 0)] * JOBS == [totals(status) for status in statuses]
    assert [(NODES, 0, 0, 0)] * JOBS == [counted(status) for status in statuses]
    assert 1 == most_versions(ledger, image)
    assert NODES == len(placed.grants())


def test_twenty_jobs_of_one_image_at_once_are_two_pulls_of_it_at_most(
    place: Place, nodes: Nodes, join_node: JoinNode, jobs: Jobs, ledger: Ledger, push: Push, faults: FaultProxy
) -> None:
    """
    They come one after another while a node pulls already: it takes up their versions, and asks the registry once more.

    It does so since some of them always ask, and want an answer that is newer than they are. No layer comes twice.
    """
    pushed = push("app", tag="v1", layers=[LAYER_BYTES] * 2).at(faults.host)
    place("one")
    nodes(NODES - 1)
    real = join_node(nodes.name().replace("node", "real"))
    faults.limit(LAYER_BYTES // 8)

    with ThreadPoolExecutor(JOBS) as crew:
        made = list(crew.map(jobs, twenty(nodes.selector, pushed.reference)))
    real.image.until_object(
        lambda found: JOBS == len(entries(found, pushed.key).get("v1", [])), what="all jobs have joined"
    )
    faults.clear()
    statuses = all_end(made)
    asked = [one for one in faults.traffic.requests(Kind.MANIFEST) if one.reference == "v1"]

    assert [(NODES, 0, NODES, 0)] * JOBS == [totals(status) for status in statuses]
    assert [(NODES, 0, 0, 0)] * JOBS == [counted(status) for status in statuses]
    assert 2 >= len(asked)
    assert [layer.size_bytes for layer in pushed.layers] == [
        faults.traffic.bytes_of(layer.digest) for layer in pushed.layers
    ]
    assert JOBS // 2 >= len(ledger.versions((pushed.key, "v1"))[real.name])
