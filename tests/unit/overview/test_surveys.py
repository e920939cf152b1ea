"""What is said of all nodes and of all images at once: agents, who is cold and why, registries, bytes on disks."""

import msgspec
import pytest

from daemon.coordinator.decoding import node_of as seen_node_of
from daemon.overview.documents import ImagesDocument, NodesDocument
from daemon.overview.imagesurvey import bytes_beside, image_lines, registry_lines, sightings_of
from daemon.overview.kubelets import NodeSizes, sizes_of
from daemon.overview.nodeimages import NodeFacts, facts_of
from daemon.overview.nodesurvey import agent_counts, node_lines
from daemon.overview.screens import page_text
from daemon.overview.standings import job_facts_of
from daemon.overview.surveys import AgentCount, ImageLine, NodeLine, ReasonCount, RegistryLine
from tests.unit.overview.objects import IMAGE, NOW, OWNER, REPOSITORY, Json, answer, at, entry, job, node_image, warm


HUB = "nginx"

Lines = tuple[NodeLine, ...]


def failed(reason: str, message: str = "words") -> Json:
    """Return what a node says whose turn has failed."""
    return answer("Failed", reason=reason, message=message, attempt=4, completionTime=at(-10), startTime=at(-20))


def lines_of(*images: bytes, jobs: tuple[bytes, ...] | None = None, nodes: tuple[bytes, ...] | None = None) -> Lines:
    """Return a line a node, of the job `base` where no others are given."""
    found = [job_facts_of(content) for content in jobs or (job({"desired": 1}),)]
    there = {node.name: node for node in map(seen_node_of, nodes)} if nodes is not None else None
    return node_lines(found, facts=[facts_of(image) for image in images], nodes=there, now=NOW)


def node(name: str, *, is_ready: bool = True, os: str = "linux") -> bytes:
    """Return a Node."""
    ready = {"type": "Ready", "status": "True" if is_ready else "False"}
    metadata = {"name": name, "uid": f"uid-{name}", "labels": {"kubernetes.io/os": os}, "creationTimestamp": at(-99)}
    return msgspec.json.encode({"metadata": metadata, "status": {"conditions": [ready]}})


def two_images(name: str, *answers: tuple[str, str, Json], owner: str = "base") -> NodeFacts:
    """Return a NodeImage with an entry of each repository and tag, and what the node says of it."""
    owners = [{**OWNER, "name": owner}]
    spec = {repository: {"tags": [{**entry(ownerReferences=owners), "tag": tag}]} for repository, tag, _ in answers}
    said = {repository: {"tags": [{**answered, "tag": tag}]} for repository, tag, answered in answers if answered}
    content = {
        "metadata": {"name": name, "uid": f"uid-{name}"},
        "spec": {"images": spec},
        "status": {"imageStatuses": said},
    }
    return facts_of(msgspec.json.encode(content))


def test_each_node_says_for_how_many_jobs_it_is_not_warm_and_why() -> None:
    """The commonest reason, with its words; a node that waits for its turn has none."""
    lines = lines_of(
        node_image("cold", entry=entry(), answer=failed("DiskLow", "1 GiB free")),
        node_image("waits"),
        node_image("warm", entry=entry(), answer=warm()),
    )

    assert ["cold", "waits", "warm"] == [line.name for line in lines]
    cold, waits, fine = lines
    assert (1, 0, 1, 1, "DiskLow", "1 GiB free") == (
        *(cold.jobs, cold.warm, cold.cold, cold.failed),
        *(cold.reason, cold.message),
    )
    assert ("team/base",) == cold.not_warm
    assert (1, 1, "", "it waits for its turn") == (waits.cold, waits.waiting, waits.reason, waits.message)
    assert (1, 1, ()) == (fine.jobs, fine.warm, fine.not_warm)


def test_a_job_that_has_finished_asks_nothing_of_a_node() -> None:
    """Its entry stands for a while, and is no news."""
    done = job({"desired": 1, "observedGeneration": 1, "completionTime": at(-60)}, kind="Always")

    (line,) = lines_of(node_image("n1", entry=entry(), answer=failed("DiskLow")), jobs=(done,))

    assert (0, 0, "") == (line.jobs, line.cold, line.reason)


def test_a_node_that_is_left_out_says_why() -> None:
    """Also one that no agent can run on, which has no NodeImage."""
    lines = lines_of(
        node_image("away", entry=entry()), nodes=(node("away", is_ready=False), node("windows", os="windows"))
    )

    assert [("away", "NodeNotReady", 1), ("windows", "NoAgent", 0)] == [
        (line.name, line.reason, line.skipped) for line in lines
    ]
    assert [0, 0] == [line.waiting for line in lines]


def test_agents_are_counted_by_version() -> None:
    """Nodes without one first."""
    old = {"prewarm": {"agent": {"version": "0.0.9", "runtime": "r", "reportedAt": at(-5)}}}
    lines = lines_of(
        *(node_image(name) for name in ("a", "b")),
        node_image("c", status=old),
        *(node_image(name, has_agent=False) for name in ("d", "e")),
    )

    assert (
        AgentCount(version="", nodes=2, names=("d", "e")),
        AgentCount(version="0.1.0", nodes=2, names=("a", "b")),
        AgentCount(version="0.0.9", nodes=1, names=("c",)),
    ) == agent_counts(lines)


def test_the_page_of_nodes_names_those_that_are_not_warm_and_counts_the_rest() -> None:
    """Wide, it names all."""
    lines = lines_of(
        node_image("n1", entry=entry(), answer=warm()),
        node_image("n2", entry=entry(), answer=failed("DiskLow")),
        node_image("n3", has_agent=False, entry=entry(), answer=warm()),
    )
    document = NodesDocument(time=NOW, agents=agent_counts(lines), nodes=lines)

    narrow, wide = (page_text(document, is_wide=is_wide).splitlines() for is_wide in (False, True))

    words = [" ".join(line.split()) for line in narrow]
    assert ["AGENTS", "VERSION COUNT NODES", "none 1 n3", "0.1.0 2 n1, n2", "", "NOT WARM"] == words[:6]
    assert "n2 0.1.0 10s 0/1 0 0 0 1 1 DiskLow words" in words
    assert "n3 none - 1/1 0 0 0 0 0 - -" in words
    assert "1 node more: warm for each job, with an agent; -o wide names them" == words[-1]
    assert ["n1", "n2", "n3"] == [line.split()[0] for line in wide[wide.index("NODES") + 2 :]]


def test_where_no_agent_is_known_that_is_said_once() -> None:
    """And not of each node: with kruise-daemon, and on OpenKruise's CRDs."""
    lines = lines_of(node_image("n1", entry=entry(), answer=warm(), has_agent=False))

    page = page_text(NodesDocument(time=NOW, agents=agent_counts(lines), nodes=lines), is_wide=False).splitlines()

    assert "NOT WARM" not in page
    assert ["1 node more: warm for each job; -o wide names them"] == page[-2:-1]
    assert page[-1].startswith("no agent is known on any node")


def test_registries_are_told_by_what_they_fail() -> None:
    """The worst first, with their reasons; what is the node's own fault is none of theirs."""
    facts = [
        two_images("n1", (REPOSITORY, "v1", failed("RegistryUnavailable", "timeout")), (HUB, "1", warm())),
        two_images("n2", (REPOSITORY, "v1", answer("Waiting", reason="RegistryThrottled")), (HUB, "1", {})),
        two_images("n3", (REPOSITORY, "v1", failed("RegistryUnavailable")), (HUB, "1", failed("DiskLow"))),
    ]

    ours, hub = registry_lines(sightings_of(facts))

    assert ("registry.example.com", 1, 3, 3, ("n1", "n2", "n3")) == (
        *(ours.registry, ours.images, ours.failed, ours.failed_on),
        ours.nodes,
    )
    assert [("RegistryUnavailable", 2), ("RegistryThrottled", 1)] == [
        (each.reason, each.count) for each in ours.reasons
    ]
    assert ("docker.io", 1, 0) == (hub.registry, hub.images, hub.failed)


def test_an_answer_to_an_earlier_version_counts_no_failure() -> None:
    """It is asked again, and has not failed yet."""
    facts = [facts_of(node_image(entry=entry(version=2), answer=failed("Unauthorized")))]

    (line,) = registry_lines(sightings_of(facts))

    assert 0 == line.failed


def test_images_are_told_by_what_they_take_on_disks() -> None:
    """As the kubelets name and measure them: docker.io's short names are the same images."""
    facts = [
        two_images("n1", (REPOSITORY, "v1", warm()), ("nginx", "1", warm()), owner="a"),
        two_images("n2", (REPOSITORY, "v1", warm()), ("nginx", "1", {}), owner="b"),
    ]
    other = {"names": ["docker.io/library/redis:7"], "sizeBytes": 50}
    sizes = [
        kubelet("n1", ({"names": [f"{REPOSITORY}@sha256:0", IMAGE], "sizeBytes": 30}, other)),
        kubelet("n2", ({"names": [IMAGE], "sizeBytes": 40}, {"names": ["docker.io/library/nginx:1"], "sizeBytes": 9})),
    ]

    seen = sightings_of(facts)
    first, second = image_lines(seen, sizes=sizes)

    assert (IMAGE, 2, 2, 40, 70, ("team/a", "team/b")) == (
        *(first.image, first.wanted, first.here, first.size, first.total),
        first.jobs,
    )
    assert ("nginx:1", "docker.io", 1, None) == (second.image, second.registry, second.here, second.total)
    assert 50 == bytes_beside(seen, sizes=sizes)


def test_an_eviction_is_told_beside_an_image_that_is_back() -> None:
    """With the agent's words."""
    evicted = {**warm(), "reason": "EvictionLoop", "message": "removed 3 times in a day"}

    (line,) = image_lines(sightings_of([facts_of(node_image(entry=entry(), answer=evicted))]), sizes=())

    assert (ReasonCount(reason="EvictionLoop", count=1, message="removed 3 times in a day"),) == line.reasons
    assert (1, 0) == (line.here, line.failed)


def test_the_page_of_images_has_registries_above() -> None:
    """Reasons with counts, sizes for people, the first jobs; wide, all of them and the words."""
    reasons = (ReasonCount(reason="Unauthorized", count=2, message="no basic auth"),)
    document = ImagesDocument(
        time=NOW,
        registries=(
            RegistryLine(
                registry="r.test", images=1, failed=9, failed_on=9, reasons=reasons, nodes=("a", "b", "c", "d")
            ),
        ),
        images=(
            ImageLine(image="r.test/a:1", wanted=9, size=1 << 30, total=9 << 30, jobs=("t/a", "t/b", "t/c", "t/d")),
        ),
    )

    narrow, wide = (page_text(document, is_wide=is_wide) for is_wide in (False, True))

    rows = [" ".join(line.split()) for line in narrow.splitlines()]
    assert "r.test 1 0 9 Unauthorized 2 a, b, c and 6 more no basic auth" in rows
    assert "r.test/a:1 9 0 0 0 1.0 GiB 9.0 GiB - t/a, t/b, t/c and 1 more" in rows
    assert "t/a, t/b, t/c, t/d" in wide


@pytest.mark.parametrize(
    ("document", "words"),
    [
        (NodesDocument(time=NOW), "No NodeImage and no Node found."),
        (ImagesDocument(time=NOW), "No job wants an image on any node."),
    ],
)
def test_that_there_is_nothing_is_said(document: NodesDocument | ImagesDocument, words: str) -> None:
    """Instead of an empty page."""
    assert words == page_text(document, is_wide=False)


def test_a_node_without_images_has_no_sizes() -> None:
    """A kubelet says nothing of them before its first report."""
    assert NodeSizes(name="n1") == sizes_of(node("n1"))


def kubelet(name: str, images: tuple[Json, ...]) -> NodeSizes:
    """Return what a kubelet says of a node's images."""
    return sizes_of(msgspec.json.encode({"metadata": {"name": name}, "status": {"images": images}}))
