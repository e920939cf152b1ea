"""Which row a cluster has, and what there is to do: from what was read, and without guessing what was not."""

from typing import Any

import pytest

from daemon.beside.creation import Creation, Outcome
from daemon.beside.manager import Manager, Renewal
from daemon.checkup.advice import Advice, advise
from daemon.checkup.documents import Nodes, Workload
from tests.unit.checkup.objects import LEADS, NOBODY, TAKEN, crd, facts, leader, webhook


DENIED = Creation(outcome=Outcome.DENIED, words="cannot create resource")
HIDDEN = Manager(renewal=Renewal.HIDDEN, words="HTTP 403: forbidden")
NO_COORDINATOR = Workload(name="prewarm-coordinator")
LEFT = Creation(outcome=Outcome.UNANSWERED, webhook="vimagepulljob.kb.io", words="connection refused")


def advice(*, manager: Manager = NOBODY, creation: Creation = TAKEN, **others: Any) -> Advice:  # noqa: ANN401 - facts
    """Return what is said of a cluster with all of Prewarm, but for this."""
    return advise(facts(**others), manager=manager, creation=creation)


def reasons(found: Advice) -> list[str]:
    """Return why there is something to do."""
    return [step.why for step in found.steps]


def test_all_of_prewarm_and_nobody_else_is_nothing_to_do() -> None:
    """The row of a cluster as it should be."""
    found = advice()

    assert ("alone", ()) == (found.row, found.steps)


def test_their_manager_asks_for_nothing_where_no_coordinator_of_ours_is() -> None:
    """Agents alone are a combination that is meant."""
    found = advice(manager=LEADS, coordinators=NO_COORDINATOR, coordinator=leader(Renewal.NOBODY))

    assert ("their-manager", ()) == (found.row, found.steps)
    assert "ContainerRecreateRequest" in found.summary


@pytest.mark.parametrize(
    "beside",
    [
        {},
        {"coordinators": None},
        {"coordinators": NO_COORDINATOR, "agents": None},
        {
            "coordinators": NO_COORDINATOR,
            "agents": Workload(name="prewarm-agent", namespaces=("prewarm-system",), is_coordinating=True),
        },
    ],
    ids=["a Deployment", "not read", "agents not read", "agents that coordinate"],
)
def test_a_coordinator_of_ours_beside_their_manager_has_two_ways_out(beside: dict[str, Any]) -> None:
    """Also one in an agent, and one that can't be ruled out."""
    found = advice(manager=LEADS, **beside)

    assert ("their-manager", 2) == (found.row, len(found.steps[0].ways))


def test_a_manager_that_refuses_is_told_with_its_words() -> None:
    """The gate is off by default."""
    refused = Creation(
        outcome=Outcome.REFUSED,
        webhook="vimagepulljob.kb.io",
        is_openkruises=True,
        words="feature-gate ImagePullJobGate is not enabled",
    )

    found = advice(manager=LEADS, creation=refused, coordinators=NO_COORDINATOR)

    assert ("their-manager-refuses", 1) == (found.row, len(found.steps))
    assert "ImagePullJobGate is not enabled" in found.summary


def test_left_over_webhooks_are_told_by_the_trial() -> None:
    """It meets them as anybody's job would."""
    assert "leftover-webhooks" == advice(creation=LEFT, webhooks=(webhook(answers=False),)).row


def test_left_over_webhooks_are_told_by_their_endpoints_where_nothing_may_be_tried() -> None:
    """Nobody behind the service is what the trial would have met."""
    found = advice(creation=DENIED, webhooks=(webhook(answers=False),))

    assert "leftover-webhooks" == found.row
    assert "has no endpoint" in found.summary


def test_where_no_webhook_is_configured_no_trial_is_needed() -> None:
    """OpenKruise takes no job without one."""
    assert "alone" == advice(creation=DENIED).row


@pytest.mark.parametrize(
    ("manager", "webhooks"),
    [(NOBODY, None), (NOBODY, (webhook(answers=True),)), (NOBODY, (webhook(answers=None),)), (HIDDEN, ())],
    ids=["webhooks not read", "one answers", "one may", "the Lease is not read"],
)
def test_what_can_not_be_told_is_not_guessed(manager: Manager, webhooks: object) -> None:
    """It says which words are in the way, and what would help."""
    found = advice(manager=manager, creation=DENIED, webhooks=webhooks)

    assert ("unknown", 1) == (found.row, len(found.steps))
    assert "cannot create resource" in found.summary
    assert "prewarm-checker" in found.steps[0].ways[0].what


def test_an_api_server_that_has_not_said_is_asked_again() -> None:
    """Rights would not help there."""
    late = Creation(outcome=Outcome.UNKNOWN, words="no answer in time")

    found = advice(creation=late, webhooks=(webhook(),))

    assert ("unknown", "prewarm check") == (found.row, found.steps[0].ways[0].command)
    assert "no answer in time" in found.summary


def test_a_manager_that_leads_is_told_without_any_other_right() -> None:
    """Its Lease says enough; whether it refuses is not known then."""
    found = advice(manager=LEADS, creation=DENIED, webhooks=None)

    assert "their-manager" == found.row
    assert "not known" in found.summary


def test_both_daemons_are_their_own_row_where_nothing_worse_is_so() -> None:
    """Beside a manager that serves, too; webhooks that keep everything away come first."""
    rows = [
        advice(shared=("n1",)).row,
        advice(shared=("n1",), manager=LEADS).row,
        advice(shared=("n1",), creation=LEFT).row,
    ]

    assert ["both-daemons", "both-daemons", "leftover-webhooks"] == rows
    assert 2 == len(advice(shared=("n1",), creation=LEFT).steps)


def test_a_policy_that_refuses_jobs_is_something_to_do() -> None:
    """Nobody else serves them, and yet none is taken."""
    found = advice(creation=Creation(outcome=Outcome.REFUSED, words="denied by policy no-jobs"))

    assert ("alone", 1) == (found.row, len(found.steps))
    assert "no-jobs" in found.steps[0].why


def test_a_dead_webhook_of_another_kind_is_told_once() -> None:
    """The trial of a job does not meet it; one that the trial has met is not told twice."""
    other = webhook("vnodeimage.kb.io", answers=False, kind="nodeimages")
    foreign = webhook("hook.example.com", answers=False)
    met = Creation(outcome=Outcome.UNANSWERED, webhook="hook.example.com", words="refused")

    assert ["nodeimages"] == [why.split()[-4] for why in reasons(advice(webhooks=(other,)))]
    assert 1 == len(advice(webhooks=(foreign,), creation=met).steps)


@pytest.mark.parametrize(
    ("others", "words"),
    [
        ({"coordinator": leader(Renewal.NOBODY)}, "no coordinator of Prewarm's leads"),
        ({"coordinator": leader(Renewal.SILENT)}, "names prewarm-coordinator-1, who does not renew it"),
        ({"served": {"imagepulljobs": "v1beta1", "nodeimages": "v1beta1"}}, "does not serve imagelistpulljobs"),
        ({"crds": (crd(), crd("nodeimages", is_ours=False))}, "those of nodeimages drop"),
        ({"crds": (crd(is_deleting=True),)}, "imagepulljobs is being deleted"),
        (
            {"crds": (crd(is_converted=False),)},
            "converted at kruise-system/kruise-webhook-service, where nobody answers",
        ),
        ({"has_secret_namespace": False}, "kruise-daemon-config is missing"),
        ({"nodes": Nodes(total=2, with_agent=1, with_neither=1, neither=("n2",))}, "1 of 2 nodes have no agent"),
    ],
)
def test_what_is_amiss_beside_the_row_is_told(others: dict[str, Any], words: str) -> None:
    """One thing each, with a command."""
    found = advice(**others)

    assert ("alone", 1) == (found.row, len(found.steps))
    assert words in found.steps[0].why
    assert found.steps[0].ways[0].command.startswith("kubectl ")


@pytest.mark.parametrize(
    "others",
    [
        {"served": {}},
        {
            "agents": Workload(name="prewarm-agent"),
            "coordinators": NO_COORDINATOR,
            "nodes": Nodes(total=2, with_agent=0, with_neither=2),
            "coordinator": leader(Renewal.NOBODY),
        },
    ],
    ids=["no kinds", "no workloads"],
)
def test_where_prewarm_is_not_installed_that_is_the_one_thing_to_do(others: dict[str, Any]) -> None:
    """All else follows from it."""
    found = advice(**others)

    assert ["kubectl apply -f daemonset.yaml"] == [way.command for step in found.steps for way in step.ways]


@pytest.mark.parametrize(
    "unread", ["crds", "webhooks", "coordinator", "agents", "coordinators", "nodes", "shared", "has_secret_namespace"]
)
def test_what_could_not_be_read_is_no_reason_to_do_anything(unread: str) -> None:
    """Where the row is known without it."""
    others: dict[str, Any] = {unread: None}

    found = advice(**others)

    assert ("alone", ()) == (found.row, found.steps)
