"""What a person reads: the row first, then what was read, then what to do, and nothing that a terminal acts on."""

from datetime import UTC, datetime
from typing import Any

import msgspec

from daemon.checkup.documents import CheckDocument, Facts, Nodes, Step, Trial, Way
from daemon.checkup.report import report
from tests.unit.checkup.objects import crd, facts, webhook


def page(*steps: Step, notes: tuple[str, ...] = (), of: Facts | None = None, summary: str = "so it is") -> list[str]:
    """Return the lines of a report."""
    document = CheckDocument(
        time=datetime(2026, 1, 31, tzinfo=UTC),
        server="https://api.test",
        row="alone",
        title="Prewarm alone",
        summary=summary,
        steps=steps,
        facts=of or facts(),
        notes=notes,
    )
    return report(document).splitlines()


def line(label: str, **others: Any) -> str:  # noqa: ANN401 - facts
    """Return what stands behind a label."""
    (found,) = (each for each in page(of=facts(**others)) if each.startswith(f"{label}:"))
    return found.removeprefix(f"{label}:").strip()


def test_the_row_comes_first_and_what_to_do_last() -> None:
    """Numbered; of several ways one is enough, and each has its command on a line of its own."""
    choice = Step(
        why="two run", ways=(Way(what="take a", command="kubectl a"), Way(what="take b", command="kubectl b"))
    )
    plain = Step(why="one is missing", ways=(Way(what="make it", command="kubectl make"),))

    lines = page(choice, plain)

    assert ["alone: Prewarm alone", "  so it is"] == lines[:2]
    assert [
        "1. two run - one of:",
        "   a) take a",
        "      kubectl a",
        "   b) take b",
        "      kubectl b",
        "2. one is missing",
        "   make it",
        "      kubectl make",
    ] == lines[-8:]


def test_nothing_to_do_is_said() -> None:
    """A person should not have to conclude it."""
    assert page()[-1].startswith("Nothing to do.")


def test_kinds_of_which_the_same_is_to_be_said_share_a_line() -> None:
    """And another has its own, with what its label says otherwise."""
    told = page(of=facts(crds=(crd("imagepulljobs"), crd("imagelistpulljobs"), crd("nodeimages", is_ours=False))))

    ours, theirs = (next(each for each in told if words in each) for words in ("imagepulljobs,", "nodeimages:"))
    assert "imagepulljobs, imagelistpulljobs: Prewarm's; served: v1beta1, v1alpha1" in ours
    assert "OpenKruise's" in theirs


def test_what_could_not_be_read_is_called_so() -> None:
    """It is neither "none" nor "nothing"."""
    empty = Facts()

    lines = page(of=empty, notes=("the CRDs could not be read: HTTP 403",))

    assert 7 <= sum("not known" in each for each in lines)
    assert "- the CRDs could not be read: HTTP 403" in lines


def test_a_webhook_is_told_with_whether_anybody_answers() -> None:
    """In capitals where nobody does."""
    assert "NOBODY ANSWERS" in line("Webhooks", webhooks=(webhook(answers=False),))
    assert "has endpoints" not in line("Webhooks", webhooks=(webhook(answers=None),))
    assert "none" == line("Webhooks", webhooks=())


def test_a_webhook_that_is_called_by_a_url_has_no_endpoints_and_is_known_by_the_trial() -> None:
    """Its service's endpoints tell of one that has a service."""
    by_url = msgspec.structs.replace(webhook(answers=True), service="https://10.0.0.1/validate")

    assert "has endpoints" in line("Webhooks", webhooks=(webhook(answers=True),))
    assert line("Webhooks", webhooks=(by_url,)).endswith("https://10.0.0.1/validate: it has answered")


def test_nodes_with_nobody_are_named() -> None:
    """The first ten, and that there are more."""
    nodes = Nodes(total=30, with_agent=10, with_neither=20, neither=tuple(f"n{number}" for number in range(10)))

    told = "\n".join(page(of=facts(nodes=nodes)))

    assert "on 10 of 30 nodes" in told
    assert "20 with neither it nor kruise-daemon: n0, n1" in told
    assert "n9, ..." in told


def test_words_of_a_cluster_do_nothing_to_the_terminal() -> None:
    """A webhook chooses them."""
    trial = Trial(outcome="refused", webhook="w", message="\x1b[2Jgone")

    told = "\n".join(page(of=facts(creation=trial), summary="\x1b[2Jgone"))

    assert "\x1b" not in told
    assert "\\x1b[2Jgone" in told
