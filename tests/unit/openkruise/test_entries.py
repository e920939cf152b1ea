"""What the stand-in writes for a job into a NodeImage."""

import pytest

from tests.servers.openkruise.manager_entries import Grant, entry_policy, granted
from tests.servers.openkruise.manager_job import CompletionPolicy, Job, PullPolicy
from tests.servers.openkruise.manager_nodeimage import Entry, EntryPolicy, NodeImage, SecretReference
from tests.servers.openkruise.manager_objects import Release
from tests.servers.openkruise.manager_pace import Limits
from tests.unit.openkruise.given import NOW, PACE, REPOSITORY, entry, job, node_image, owner, status


SECRET = SecretReference(namespace="kruise-daemon-config", name="copy", mode="batch")


def granted_to(node: NodeImage, *, of: Job, secrets: tuple[SecretReference, ...] = ()) -> NodeImage | None:
    """Return what a job of 1.9 writes."""
    return granted(node, grant=Grant(job=of, secrets=secrets, pace=PACE, release=Release.V1_9))


def only_entry(node: NodeImage | None) -> Entry:
    """Return the entry of a NodeImage that has one."""
    assert node is not None
    (found,) = node.spec.images[REPOSITORY].tags
    return found


def test_a_first_entry_has_version_0() -> None:
    """No status of the tag, no version before it."""
    written = only_entry(granted_to(node_image(), of=job()))

    assert (0, "IfNotPresent", NOW) == (written.version, written.image_pull_policy, written.created_at)
    assert (owner(),) == written.owner_references


def test_an_entry_that_was_gone_counts_on_from_its_status() -> None:
    """So that an old answer is not taken for a new one."""
    node = node_image(statuses=(status(version=4),))

    assert 5 == only_entry(granted_to(node, of=job())).version


def test_a_second_owner_bumps_the_version_and_keeps_the_first_ones_policy() -> None:
    """The second says how to pull."""
    node = node_image(entries=(entry(version=2),))

    written = only_entry(granted_to(node, of=job("uid-k", policy="Always", pull=PullPolicy(timeout_seconds=5))))

    assert (3, "Always") == (written.version, written.image_pull_policy)
    assert (owner(), owner("uid-k")) == written.owner_references
    assert EntryPolicy(timeout_seconds=600, backoff_limit=3) == written.pull_policy


def test_an_owner_writes_nothing_but_secrets_that_are_missing() -> None:
    """Not even an edited timeout."""
    node = node_image(entries=(entry(),))

    assert granted_to(node, of=job(pull=PullPolicy(timeout_seconds=5))) is None

    written = granted_to(node, of=job(), secrets=(SECRET,))
    assert written is not None
    assert (SECRET,) == written.spec.images[REPOSITORY].pull_secrets
    assert granted_to(written, of=job(), secrets=(SECRET,)) is None


def test_tags_are_sorted() -> None:
    """As the webhook leaves them."""
    node = node_image(entries=(entry("b"), entry("d")))

    written = granted_to(node, of=job("uid-k", image=f"{REPOSITORY}:c"))

    assert written is not None
    assert ["b", "c", "d"] == [each.tag for each in written.spec.images[REPOSITORY].tags]


@pytest.mark.parametrize(
    ("completion", "release", "ttl", "deadline"),
    [
        (CompletionPolicy(type="Never"), Release.V1_6, 86_400, 1_800),
        (CompletionPolicy(type="Never"), Release.V1_9, 86_400, 4_000),
        (CompletionPolicy(), Release.V1_9, 4_000 * 3 + 450, None),
        (CompletionPolicy(active_deadline_seconds=5_000), Release.V1_9, 5_450, 5_000),
        (CompletionPolicy(active_deadline_seconds=5_000, ttl_seconds_after_finished=60), Release.V1_9, 510, 5_000),
    ],
)
def test_an_entrys_life_follows_its_jobs_completion(
    completion: CompletionPolicy, release: Release, ttl: int, deadline: int | None
) -> None:
    """Never: a day, and a deadline that 1.6 has fixed. Always: the job's own, plus some."""
    policy = entry_policy(
        job(completion=completion, pull=PullPolicy(timeout_seconds=4_000)), limits=Limits(), release=release
    )

    assert (ttl, deadline) == (policy.ttl_seconds_after_finished, policy.active_deadline_seconds)
