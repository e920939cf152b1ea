"""Two looks tell one row, what it means, and the ways out of it."""

import itertools

import pytest

from daemon.beside.creation import Creation, Outcome
from daemon.beside.manager import Manager, Renewal
from daemon.beside.verdict import Row, daemons_finding, finding_of


HOLDER = "kruise-controller-manager-0"
GATE = "feature-gate ImagePullJobGate is not enabled"
NOBODY = Manager(renewal=Renewal.NOBODY)
LEADS = Manager(renewal=Renewal.RENEWED, holder=HOLDER)
SILENT = Manager(renewal=Renewal.SILENT, holder=HOLDER)
UNDECIDED = Manager(renewal=Renewal.UNDECIDED, holder=HOLDER, left_seconds=12.4)
HIDDEN = Manager(renewal=Renewal.HIDDEN, words="cannot get leases")
TAKEN = Creation(outcome=Outcome.TAKEN)
DEFAULTED = Creation(outcome=Outcome.TAKEN, is_openkruises=True)
GATE_OFF = Creation(outcome=Outcome.REFUSED, webhook="vimagepulljob.kb.io", is_openkruises=True, words=GATE)
LEFTOVER = Creation(outcome=Outcome.UNANSWERED, webhook="mimagepulljob.kb.io", words="no endpoints")
OTHERS = Creation(outcome=Outcome.REFUSED, webhook="jobs.example.org", words="no")
DENIED = Creation(outcome=Outcome.DENIED, words="cannot create")


@pytest.mark.parametrize(
    ("expected", "manager", "creation"),
    [
        (Row.ALONE, NOBODY, TAKEN),
        (Row.ALONE, SILENT, TAKEN),
        (Row.ALONE, NOBODY, OTHERS),
        (Row.ALONE, NOBODY, DENIED),
        (Row.ALONE, HIDDEN, TAKEN),
        (Row.ALONE, HIDDEN, DENIED),
        (Row.ALONE, NOBODY, None),
        (Row.THEIR_MANAGER, LEADS, DEFAULTED),
        (Row.THEIR_MANAGER, LEADS, TAKEN),
        (Row.THEIR_MANAGER, LEADS, DENIED),
        (Row.THEIR_MANAGER, LEADS, None),
        (Row.THEIR_MANAGER, SILENT, DEFAULTED),
        (Row.THEIR_MANAGER, HIDDEN, DEFAULTED),
        (Row.THEIR_MANAGER_REFUSES, LEADS, GATE_OFF),
        (Row.THEIR_MANAGER_REFUSES, LEADS, LEFTOVER),
        (Row.THEIR_MANAGER_REFUSES, HIDDEN, GATE_OFF),
        (Row.LEFTOVER_WEBHOOKS, NOBODY, LEFTOVER),
        (Row.LEFTOVER_WEBHOOKS, SILENT, LEFTOVER),
        (Row.UNDECIDED, UNDECIDED, TAKEN),
        (Row.UNDECIDED, UNDECIDED, LEFTOVER),
        (Row.THEIR_MANAGER, UNDECIDED, DEFAULTED),
    ],
)
def test_two_looks_are_one_row(expected: Row, manager: Manager, creation: Creation | None) -> None:
    """Its manager by the renewal or by webhooks that answer; what is not known leaves it at what is."""
    assert expected is finding_of(manager, creation=creation).row


def test_a_coordinator_stands_aside_for_a_manager_and_until_it_is_known() -> None:
    """Webhooks that nobody answers for are nobody who serves."""
    looks = itertools.product([NOBODY, LEADS, SILENT, UNDECIDED, HIDDEN], [TAKEN, DEFAULTED, GATE_OFF, LEFTOVER])
    found = {finding_of(manager, creation=creation) for manager, creation in looks}

    aside = {finding.row for finding in found if finding.stands_aside}

    assert {Row.THEIR_MANAGER, Row.THEIR_MANAGER_REFUSES, Row.UNDECIDED} == aside
    assert {Row.ALONE, Row.LEFTOVER_WEBHOOKS} == {finding.row for finding in found if not finding.stands_aside}


@pytest.mark.parametrize(
    ("manager", "creation"), [(LEADS, DEFAULTED), (LEADS, GATE_OFF), (LEADS, LEFTOVER), (NOBODY, LEFTOVER)]
)
def test_a_row_that_is_in_the_way_has_two_ways_out(manager: Manager, creation: Creation) -> None:
    """Each with the command that takes it: the jobs are OpenKruise's, or they are ours."""
    finding = finding_of(manager, creation=creation)

    assert 2 == len(finding.ways)
    assert {"kubectl", "helm"} >= {way.command.split()[0] for way in finding.ways}


def test_who_leads_and_why_it_refuses_is_said() -> None:
    """In the words of its webhook, and the way out names the gate."""
    finding = finding_of(LEADS, creation=GATE_OFF)

    assert (
        f"OpenKruise's manager {HOLDER} leads by the Lease kruise-system/kruise-manager, and refuses every "
        f"ImagePullJob: {GATE}"
    ) == finding.summary
    assert "featureGates=ImagePullJobGate=true" in finding.ways[0].command


@pytest.mark.parametrize(
    ("expected", "manager"),
    [
        (f"and the Lease kruise-system/kruise-manager names {HOLDER}: its manager runs", UNDECIDED),
        ("though nobody is seen to renew the Lease kruise-system/kruise-manager: its manager runs", SILENT),
    ],
)
def test_webhooks_that_answer_are_named_where_the_lease_proves_nothing(expected: str, manager: Manager) -> None:
    """A person who looks at the Lease sees what is meant."""
    summary = finding_of(manager, creation=DEFAULTED).summary

    assert f"OpenKruise's webhooks answer, {expected}, and serves ImagePullJobs" == summary


def test_the_gate_that_is_off_is_the_one_to_turn_on() -> None:
    """It may be the daemon's."""
    words = "feature-gate KruiseDaemon is not enabled"
    creation = Creation(outcome=Outcome.REFUSED, webhook="vimagepulljob.kb.io", is_openkruises=True, words=words)

    assert "featureGates=KruiseDaemon=true" in finding_of(LEADS, creation=creation).ways[0].command


def test_a_lease_that_nobody_renews_is_named() -> None:
    """A person sees it too, and may take it for a manager."""
    assert (
        "nobody else is seen to serve ImagePullJobs; the Lease kruise-system/kruise-manager still names "
        f"{HOLDER}, who renews it no more"
    ) == finding_of(SILENT, creation=TAKEN).summary


@pytest.mark.parametrize(
    ("expected", "manager", "creation"),
    [
        ((), NOBODY, TAKEN),
        (("whether OpenKruise's manager leads is not known: cannot get leases",), HIDDEN, TAKEN),
        (("whether a webhook refuses ImagePullJobs is not known: cannot create",), NOBODY, DENIED),
        (("an ImagePullJob was refused: no",), NOBODY, OTHERS),
        (
            ("x: the CRDs are not there",),
            NOBODY,
            Creation(outcome=Outcome.UNSERVED, words="x"),
        ),
        (
            ("the webhook jobs.example.org does not answer, so that no ImagePullJob is taken: gone",),
            NOBODY,
            Creation(outcome=Outcome.UNANSWERED, webhook="jobs.example.org", words="gone"),
        ),
        (
            ("whether ImagePullJobs are taken is not known: busy",),
            NOBODY,
            Creation(outcome=Outcome.UNKNOWN, words="busy"),
        ),
    ],
)
def test_what_is_not_known_or_hinders_is_said(expected: tuple[str, ...], manager: Manager, creation: Creation) -> None:
    """Beside the row, in the server's words."""
    finding = finding_of(manager, creation=creation)

    assert expected == finding.notes
    assert all(note in finding.summary for note in expected)


def test_a_lease_is_decided_within_what_is_left() -> None:
    """Whoever reads it knows how long to wait."""
    assert finding_of(UNDECIDED, creation=TAKEN).summary.endswith("shows within 12 s")


def test_nodes_with_both_daemons_are_counted_and_some_are_named() -> None:
    """With a way out for each of the two."""
    finding = daemons_finding(["a", "b", "c"], most=2)

    assert Row.BOTH_DAEMONS is finding.row
    assert "both run on 3 nodes (a, b, ...)" in finding.summary
    assert 2 == len(finding.ways)
    assert "on 1 node (a)" in daemons_finding(["a"]).summary
