"""What a job's status says of pull secrets that it can't have."""

from msgspec.structs import replace

from daemon.coordinator.account import Account, SecretTrouble
from daemon.coordinator.announcer import events_of
from tests.unit.coordinator.jobs_told import NEVER, condition_of, reason, seen_job, status_of, with_status


TROUBLE = SecretTrouble(reason="SecretMissing", message="secret team/regcred is not there")
RUNNING = Account(selected=2, cold=2, waiting=1, granted=1, secret_trouble=TROUBLE)
WARM = Account(selected=2, warm=2, succeeded=2, secret_trouble=TROUBLE)


def test_a_job_is_stalled_while_a_node_is_not_warm() -> None:
    """It goes on all the same, and one Warning tells of it."""
    job = seen_job(completion=NEVER)

    status = status_of(job, RUNNING)
    again = status_of(with_status(job, status), RUNNING, seconds=5)
    (event,) = events_of(job, {}, status, RUNNING)

    stalled = condition_of(status, "Stalled")
    assert ("True", "SecretMissing", TROUBLE.message) == (stalled["status"], stalled["reason"], stalled["message"])
    assert "SecretMissing" == condition_of(status, "Ready")["reason"]
    assert ("Warning", "Stalled", f"SecretMissing: {TROUBLE.message}") == (event.kind, event.reason, event.note)
    assert () == events_of(job, status, again, RUNNING)


def test_a_job_with_every_node_warm_needs_nobody() -> None:
    """A public image, or a credential of the node's own."""
    status = status_of(seen_job(completion=NEVER), WARM)

    assert ("False", "True") == (condition_of(status, "Stalled")["status"], condition_of(status, "Ready")["status"])


def test_what_is_worse_is_told_first() -> None:
    """No node at all, or nobody wants it to go on."""
    none = status_of(seen_job(completion=NEVER), Account(secret_trouble=TROUBLE))
    suspended = status_of(seen_job(completion=NEVER, suspend=True), RUNNING)

    assert "NoNodesSelected" == condition_of(none, "Stalled")["reason"]
    assert "False" == condition_of(suspended, "Stalled")["status"]


def test_a_failed_end_names_the_secret() -> None:
    """It is why the nodes were denied the image."""
    account = Account(selected=1, cold=1, failed=1, failures=(reason("Unauthorized", 1, "n1"),), secret_trouble=TROUBLE)

    failed = condition_of(status_of(seen_job(), account), "Failed")

    assert (
        "1 of 1 nodes failed: 1 Unauthorized (n1); SecretMissing: secret team/regcred is not there."
        " The job runs again when its spec is edited" == failed["message"]
    )


def test_a_secret_that_has_come_ends_the_standstill_at_once() -> None:
    """Though the nodes that were denied are only tried again now; a coordinator that knows nothing yet keeps it."""
    job = seen_job(completion=NEVER)
    before = with_status(job, status_of(job, RUNNING))
    unknown = replace(RUNNING, secret_trouble=None)

    kept = condition_of(status_of(before, unknown, seconds=5), "Stalled")
    gone = condition_of(status_of(before, replace(unknown, has_secrets=True), seconds=5), "Stalled")

    assert ("True", "SecretMissing", "False") == (kept["status"], kept["reason"], gone["status"])
