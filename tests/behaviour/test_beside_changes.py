"""
An OpenKruise that comes, dies and goes away: our coordinators stand aside and lead again, without a word too many.

On our CRDs. What each combination is like by itself is test_beside_rows.py's. The stand-in's manager promises three
seconds with each renewal, as its flags allow, so that its silence is soon known.
"""

import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from daemon.beside.verdict import Row
from tests.servers.agent import AgentProcess
from tests.servers.apiserver import ApiServer
from tests.servers.coordinator import ACCOUNT, NAMESPACE, CoordinatorProcess
from tests.servers.fixtures_apiserver import Names
from tests.servers.fixtures_coordinator import StartCoordinator
from tests.servers.objects import Json
from tests.servers.openkruise.manager_lease import ManagerLease
from tests.servers.openkruise.webhook_rules import Gates
from tests.servers.openkruise.webhooks import Webhooks
from tests.servers.pods import PodProcess
from tests.servers.processes import until


PROMISED_SECONDS: Final = 3
VERSIONS: Final = ("v1alpha1", "v1beta1")
ASIDE: Final = "prewarm_coordinator_stands_aside"
ASKED: Final = "prewarm_coordinator_api_requests_total"


@pytest.fixture
def lease(deployed: ApiServer) -> Iterator[ManagerLease]:
    """The Lease of OpenKruise's manager, which the test brings; it is gone at the end."""
    lease = ManagerLease(deployed, duration_seconds=PROMISED_SECONDS, period_seconds=0.5)
    yield lease
    lease.remove()


def rows(coordinator: PodProcess) -> list[str]:
    """Return what a coordinator has told of OpenKruise, in order."""
    return [line["row"] for line in coordinator.told("beside_openkruise")]


def until_row(coordinator: PodProcess, row: Row, *, path: str = "/state") -> Json:
    """Return what a coordinator says of OpenKruise, once it is this."""
    found: Json = {}

    def is_seen() -> bool:
        found.update(json.loads(coordinator.get(path)[1])["beside"] or {})
        return found.get("row") == row

    until(is_seen, what=f"{coordinator.name} sees {row}", timeout_seconds=30)
    return found


def until_led(*coordinators: CoordinatorProcess, by_any: bool) -> None:
    """Wait until one of them holds the Lease, or none does."""
    until(
        lambda: by_any is any(each.is_holder for each in coordinators),
        what=f"led: {by_any}",
        timeout_seconds=30,
    )


def test_coordinators_give_way_to_a_manager_that_comes_and_lead_again_when_it_ends(
    start_coordinator: StartCoordinator, lease: ManagerLease
) -> None:
    """Neither leads, and the Lease is given back; after it has ended as it was told to, one leads at once."""
    both = (start_coordinator(), start_coordinator())
    until_led(*both, by_any=True)

    lease.start()
    for each in both:
        until_row(each, Row.THEIR_MANAGER)
    until_led(*both, by_any=False)
    ready = [each.get("/readyz")[0] for each in both]
    aside = [each.metric(ASIDE) for each in both]
    lease.release()
    until_led(*both, by_any=True)

    assert [200, 200, 1, 1] == [*ready, *aside]
    assert [[Row.THEIR_MANAGER, Row.ALONE]] * 2 == [_until_told(each, 2) for each in both]
    assert [0, 0] == [each.metric(ASIDE) for each in both]


def test_a_manager_that_dies_leaves_webhooks_and_a_lease_and_ours_leads(
    start_coordinator: StartCoordinator, deployed: ApiServer, lease: ManagerLease
) -> None:
    """Once what it promised is over and its webhooks answer no more; that they refuse everything is said."""
    coordinator = start_coordinator()
    with Webhooks(deployed, versions=VERSIONS, gates=Gates(image_pull_job=True)) as webhooks:
        lease.start()
        until(
            lambda: lease.holder in (coordinator.state()["beside"] or {}).get("summary", ""),
            what="its manager is seen to lead",
            timeout_seconds=30,
        )
        lease.leave()
        webhooks.leave()
        until_row(coordinator, Row.LEFTOVER_WEBHOOKS)
        until_led(coordinator, by_any=True)

    assert [Row.THEIR_MANAGER, Row.LEFTOVER_WEBHOOKS] == _until_told(coordinator, 2)


def test_a_lease_that_nobody_renews_is_waited_for_once(
    start_coordinator: StartCoordinator, lease: ManagerLease
) -> None:
    """It may lie there for years: it is no manager, whatever it says, and nobody leads before that is known."""
    lease.renew()
    coordinator = start_coordinator()

    until(lambda: coordinator.told("leadership_won"), what="it leads", timeout_seconds=30)

    events = [line["event"] for line in coordinator.lines()]
    assert [Row.UNDECIDED, Row.ALONE] == rows(coordinator)
    assert events.index("leadership_won") > max(at for at, one in enumerate(events) if one == "beside_openkruise")


def test_webhooks_that_answer_are_a_manager_without_a_lease(
    start_coordinator: StartCoordinator, deployed: ApiServer
) -> None:
    """One without leader election, or between two leaders: its webhooks show that it runs."""
    with Webhooks(deployed, versions=VERSIONS, gates=Gates(image_pull_job=True)):
        coordinator = start_coordinator()
        found = until_row(coordinator, Row.THEIR_MANAGER)
        coordinator.until_ready()

    assert (True, False) == (found["stands_aside"], coordinator.is_holder)


def test_what_it_may_not_look_at_is_said_once_and_it_goes_on(
    start_coordinator: StartCoordinator, deployed: ApiServer, tmp_path: Path, names: Names
) -> None:
    """With the right to its Lease alone it leads by what is known, and names the two rights that it lacks."""
    name = names("bare")
    deployed.account(NAMESPACE, name)
    where = f"--namespace={NAMESPACE}"
    deployed.kubectl("create", "role", name, "--verb=get,create,update", "--resource=leases.coordination.k8s.io", where)
    deployed.kubectl("create", "rolebinding", name, f"--role={name}", f"--serviceaccount={NAMESPACE}:{name}", where)

    with CoordinatorProcess(deployed, tmp_path / name, name=name, account=(NAMESPACE, name)) as coordinator:
        until_led(coordinator, by_any=True)
        (line,) = coordinator.told("beside_openkruise")

    assert (Row.ALONE, False) == (line["row"], line["stands_aside"])
    assert ["cannot get resource", "cannot create resource"] == [
        words for words in ("cannot get resource", "cannot create resource") if words in line["summary"]
    ]


def test_an_agent_with_a_coordinator_stands_aside_too(
    deployed: ApiServer, tmp_path: Path, names: Names, lease: ManagerLease
) -> None:
    """The coordinator in its process leads nothing and shows why; the agent is as it was."""
    lease.start()
    agent = AgentProcess(
        deployed,
        tmp_path / "agent",
        node_name=names("node"),
        endpoint=str(tmp_path / "absent.sock"),
        options=("--with-coordinator",),
        variables={"POD_NAMESPACE": NAMESPACE},
        account=(NAMESPACE, ACCOUNT),
    )

    with agent:
        found = until_row(agent, Row.THEIR_MANAGER, path="/coordinator/state")

        assert (True, [], 200) == (
            found["stands_aside"],
            agent.told("leadership_won"),
            agent.get("/healthz")[0],
        )


def test_nothing_of_ours_is_written_while_another_serves(
    start_coordinator: StartCoordinator, lease: ManagerLease, deployed: ApiServer
) -> None:
    """Of Leases two are read, and jobs are tried as dry runs; nothing else is asked for."""
    lease.start()
    coordinator = start_coordinator()
    until_row(coordinator, Row.THEIR_MANAGER)
    until(lambda: coordinator.metric(ASKED, verb="get", resource="leases") >= 4, what="looks", timeout_seconds=30)

    verbs = ("get", "list", "watch", "create", "patch", "update", "delete")
    resources = ("leases", "imagepulljobs", "imagepulljobs/status", "nodeimages", "nodes", "events")
    asked = {
        pair
        for pair in itertools.product(verbs, resources)
        if coordinator.metric(ASKED, verb=pair[0], resource=pair[1])
    }

    assert {("get", "leases"), ("create", "imagepulljobs")} == asked
    assert [] == deployed.request("GET", "/apis/apps.kruise.io/v1beta1/imagepulljobs")["items"]


def _until_told(coordinator: CoordinatorProcess, count: int) -> list[str]:
    until(lambda: len(rows(coordinator)) >= count, what=f"{count} lines", timeout_seconds=30)
    return rows(coordinator)
