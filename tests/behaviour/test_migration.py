"""
A cluster like a user's of OpenKruise 1.9 goes over to Prewarm and back, by the commands of the document.

Two of its nodes are real containerds behind one private registry, whose traffic is the witness of what is pulled; on a
third a test holds the pulls, so that jobs are in flight. OpenKruise is its stand-ins: manager, Lease, webhooks, daemon.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec
import pytest

from tests.behaviour.migration_move import WAIT_SECONDS, Machines, Move, moving, row, stored, written
from tests.behaviour.migration_tenants import (
    ALWAYS,
    NEVER,
    Standing,
    copies_of,
    fetches,
    finalizers,
    orphan,
    standing,
    users,
)
from tests.behaviour.openkruise.cluster import SHAPES
from tests.behaviour.runbook import QUESTIONS, command
from tests.servers.apiserver import ApiServer
from tests.servers.containerd import Hosts
from tests.servers.fixtures import StartContainerd
from tests.servers.fixtures_agent import ON_NEWEST
from tests.servers.images import Push
from tests.servers.namespaces import ending
from tests.servers.objects import Json
from tests.servers.openkruise.manager_jobs import FINALIZER
from tests.servers.processes import until
from tests.servers.registry import Registry


pytestmark = [ON_NEWEST, pytest.mark.timeout(240)]

REAL: Final = ("worker-4", "worker-7")
SLOW: Final = "worker-2"
ORPHAN: Final = "gone-0f0f0f"
BACK: Final = ("Back", "Back 1. The coordinator ends", "Back 2. The kinds", "Back 3. The turn", "Back 4. kruise-daemon")
# What the document has for OpenKruise up to 1.8 alone is left out.
OF_1_9: Final = {"Back 2. The kinds": slice(1, None), "Back 3. The turn": slice(2)}


@pytest.fixture
def move(
    apiserver: ApiServer,
    private_registry: Registry,
    push_private: Push,
    hosts: Hosts,
    start_containerd: StartContainerd,
    workdir: Path,
) -> Iterator[Move]:
    """OpenKruise 1.9, whose kinds name a conversion webhook that goes with its manager."""
    shape = SHAPES["like-1.9"]
    shape = msgspec.structs.replace(shape, crds=[_converted(crd) for crd in shape.crds])
    endpoints = {name: start_containerd(name[-1]).endpoint for name in REAL}
    machines = Machines(endpoints, [SLOW], private_registry, hosts, push_private)
    with moving(apiserver, shape, machines, folder=workdir, places=OF_1_9) as move:
        yield move


def test_a_cluster_goes_over_and_back_with_jobs_in_flight(move: Move) -> None:
    """No job is lost, nothing is pulled twice, no tenant pulls as the other, and two never write at once."""
    held = begin(move)
    before = standing(move.apiserver, version=move.version)
    copies = [tenant.copies() for tenant in move.tenants]
    orphan(move.apiserver, ORPHAN, namespace="team-a")

    go_over(move)
    check_over(move, before=before, copies=copies)
    end(move, held)
    ask_ten_questions(move)
    late = begin_late(move)
    between = standing(move.apiserver, version="v1beta1")
    go_back(move)
    check_back(move, before=between)
    end_late(move, late)

    pulled = [(tenant, image) for tenant in move.tenants for image in tenant.images.values()]
    assert [[len(REAL)] * 2] * len(pulled) == [fetches(move.proxy, image) for _, image in pulled]
    assert [{tenant.user} for tenant, _ in pulled] == [users(move.proxy, image) for _, image in pulled]


def begin(move: Move) -> list[str]:
    """Have a job that has ended, one that never does, one and a list under way; return the images that are held."""
    first, second = move.tenants
    held = [second.push(name) for name in ("rollout", "nightly-b")]
    for image in held:
        move.slow.hold(image)
    first.job("done", policy=ALWAYS)
    first.job("base", policy=NEVER)
    second.job("rollout", policy=ALWAYS)
    second.list_of("nightly", "nightly-a", "nightly-b", version=move.version)
    first.cluster.completed("done")
    first.until_succeeded("base", 3)
    second.until_succeeded("rollout", 2)
    second.until_listed("nightly", version=move.version, completed=1)
    return held


def go_over(move: Move) -> None:
    """Follow the document, with what it says at each step."""
    first, *_ = move.follow("1. Look, and keep a copy")
    *_, second, _ = move.follow("2. The agents")
    move.follow("3. The kinds, and a coordinator that stands aside")
    (gateway,) = move.cluster.gateways
    meanwhile = written(gateway)
    move.follow("4. The turn")

    assert ["their-manager"] * 2 == [row(first), row(second)]
    assert "Nothing to do" in second
    assert [] == meanwhile


def check_over(move: Move, *, before: Standing, copies: list[dict[str, str]]) -> None:
    """Check that all is as it was, but for what has to go."""
    after = standing(move.apiserver, version="v1beta1")
    assert before.uids == after.uids
    assert before.versions == {key: after.versions.get(key) for key in before.versions}
    assert set() == finalizers(move.apiserver, version="v1beta1")
    assert {"v1beta1"} == stored(move.apiserver)
    until(
        lambda: ORPHAN not in copies_of(move.apiserver, "team-a"),
        what="an unused copy goes",
        timeout_seconds=WAIT_SECONDS,
    )
    assert copies == [tenant.copies() for tenant in move.tenants]


def end(move: Move, held: list[str]) -> None:
    """Let what was under way come to its end, under ours, and compare as the document does."""
    second = move.tenants[1]
    for image in held:
        move.slow.finish(image)
    second.cluster.completed("rollout")
    second.until_listed("nightly", version="v1beta1", completed=2)
    compared, looked, *_ = move.follow("6. Compare")
    assert "" == compared
    assert "Nothing to do" in looked


def ask_ten_questions(move: Move) -> None:
    """Ask what the runbook asks; all goes on in the end."""
    for question in QUESTIONS:
        assert move.follower.run(command(question)), question
    move.follower.run("prewarm resume --all -A")


def begin_late(move: Move) -> list[str]:
    """Begin one more job and one more list, under ours, for the way back."""
    second = move.tenants[1]
    held = [second.push(name) for name in ("late", "weekly-b")]
    for image in held:
        move.slow.hold(image)
    second.job("late", policy=ALWAYS)
    second.list_of("weekly", "weekly-a", "weekly-b", version="v1beta1")
    second.until_succeeded("late", 2)
    second.until_listed("weekly", version="v1beta1", completed=1)
    return held


def go_back(move: Move) -> None:
    """Follow the document back to 1.9."""
    for heading in BACK:
        move.follow(heading)
    with ending(move.apiserver, {"prewarm-system"}):
        *_, looked, _ = move.follow("Back 5. Prewarm's software goes")
    assert "their-manager" == row(looked)
    assert "Nothing to do" in looked


def check_back(move: Move, *, before: Standing) -> None:
    """Check that all is as it was, but for the jobs of a list that OpenKruise's manager makes anew."""
    after = standing(move.apiserver, version=move.version)
    anew = {key for key in before.uids if "/weekly-" in key}
    assert {key: uid for key, uid in before.uids.items() if key not in anew}.items() <= after.uids.items()
    ended = {key: number for key, number in before.versions.items() if "/weekly-" not in key}
    assert ended == {key: after.versions.get(key) for key in ended}
    assert stored(move.apiserver) == {move.version}
    assert {FINALIZER} == finalizers(move.apiserver, version=move.version)


def end_late(move: Move, held: list[str]) -> None:
    """Let what was begun under ours come to its end, under theirs."""
    second = move.tenants[1]
    for image in held:
        move.slow.finish(image)
    second.cluster.completed("late")
    second.until_listed("weekly", version=move.version, completed=2)


def _converted(crd: Json) -> Json:
    """Return a CRD that names a conversion webhook, as one does that was installed with it."""
    client = {"url": "https://127.0.0.1:1/convert"}
    conversion = {"strategy": "Webhook", "webhook": {"clientConfig": client, "conversionReviewVersions": ["v1"]}}
    return {**crd, "spec": {**crd["spec"], "conversion": conversion}}
