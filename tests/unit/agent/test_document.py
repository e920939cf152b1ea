"""What a NodeImage's status says: OpenKruise's fields, ours beside them, and nothing that a report does not hold."""

from datetime import UTC, datetime, timedelta

import msgspec

from daemon.agent.document import AgentIdentity, Parts, document_of, parts_of
from daemon.api.nodeimage import Bytes, Phase, TagStatus
from daemon.node.report import Report
from daemon.node.wanted import Key


NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
AGENT = AgentIdentity(version="1.2.3", started_at=NOW - timedelta(hours=1))


def report(*statuses: tuple[str, TagStatus], **fields: object) -> Report:
    """Report these statuses, each with its repository."""
    found = {Key(repository, status.tag): status for repository, status in statuses}
    return msgspec.structs.replace(
        Report(uid="u", generation=7, statuses=found, runtime="containerd://2.3.7"), **fields
    )


def document(said: Report, *, earlier: Parts | None = None, now: datetime = NOW) -> Parts:
    """Put a report into words."""
    return document_of(said, agent=AGENT, earlier=earlier or {}, now=now)


def conditions(parts: Parts) -> dict[str, dict[str, object]]:
    """Return the conditions by type."""
    found = parts["conditions",]
    assert isinstance(found, list)
    return {condition["type"]: condition for condition in found}


def test_the_counters_are_openkruises_and_add_up() -> None:
    """The field desired is the number of tag entries; each is in one of the four phases."""
    said = report(
        ("a", TagStatus(tag="1", phase=Phase.SUCCEEDED)),
        ("a", TagStatus(tag="2", phase=Phase.FAILED)),
        ("b", TagStatus(tag="1", phase=Phase.PULLING)),
        ("b", TagStatus(tag="2", phase=Phase.WAITING)),
        ("c", TagStatus(tag="1", phase=Phase.SUCCEEDED)),
    )

    parts = document(said)

    assert (5, 2, 1, 1, 1) == tuple(parts[name,] for name in ("desired", "succeeded", "failed", "pulling", "waiting"))


def test_a_repository_is_one_part_with_its_tags_in_order() -> None:
    """As OpenKruise's webhook sorts them, so that nobody's write moves them."""
    said = report(("a", TagStatus(tag="b", phase=Phase.WAITING)), ("a", TagStatus(tag="a", phase=Phase.WAITING)))

    assert {"tags": [{"tag": "a", "phase": "Waiting"}, {"tag": "b", "phase": "Waiting"}]} == document(said)[
        "imageStatuses", "a"
    ]


def test_a_tag_status_has_openkruises_fields_and_ours() -> None:
    """Names as both APIs write them, times as metav1.Time, nothing that is absent."""
    status = TagStatus(
        tag="v1",
        phase=Phase.PULLING,
        version=4,
        progress=40,
        start_time=NOW,
        image_id="a@sha256:1",
        message="words",
        reason="RegistryUnavailable",
        attempt=2,
        digest="sha256:2",
        changed=False,
        bytes=Bytes(done=4, total=10),
        stage="Downloading",
    )

    assert {
        "tags": [
            {
                "tag": "v1",
                "phase": "Pulling",
                "version": 4,
                "progress": 40,
                "startTime": "2026-01-02T03:04:05Z",
                "imageID": "a@sha256:1",
                "message": "words",
                "reason": "RegistryUnavailable",
                "attempt": 2,
                "digest": "sha256:2",
                "changed": False,
                "bytes": {"done": 4, "total": 10},
                "stage": "Downloading",
            }
        ]
    } == document(report(("a", status)))["imageStatuses", "a"]


def test_it_says_who_reports_and_of_which_generation() -> None:
    """A coordinator tells by it which agents are there, alive, and up to date with what it wrote."""
    parts = document(report())

    assert 7 == parts["observedGeneration",]
    assert {
        "agent": {
            "version": "1.2.3",
            "runtime": "containerd://2.3.7",
            "startedAt": "2026-01-02T02:04:05Z",
            "reportedAt": "2026-01-02T03:04:05Z",
        }
    } == parts["prewarm",]


def test_conditions_say_what_is_well() -> None:
    """Positive polarity, each with all of metav1.Condition's fields."""
    found = conditions(document(report()))

    assert {
        "type": "RuntimeReady",
        "status": "True",
        "reason": "RuntimeAnswers",
        "message": "containerd://2.3.7",
        "observedGeneration": 7,
        "lastTransitionTime": "2026-01-02T03:04:05Z",
    } == found["RuntimeReady"]
    assert ("True", "EnoughSpace") == (found["SpaceSufficient"]["status"], found["SpaceSufficient"]["reason"])
    assert ("True", "NoOtherDaemon") == (found["SoleReporter"]["status"], found["SoleReporter"]["reason"])


def test_conditions_say_why_something_is_not_well() -> None:
    """With a reason from the closed list, and the words of whoever said so."""
    found = conditions(
        document(report(is_runtime_up=False, runtime_problem="no such socket", space_problem="1.00 GiB free on /"))
    )

    assert [("False", "RuntimeUnavailable", "no such socket"), ("False", "DiskLow", "1.00 GiB free on /")] == [
        (found[name]["status"], found[name]["reason"], found[name]["message"])
        for name in ("RuntimeReady", "SpaceSufficient")
    ]


def test_another_daemon_is_said_in_a_condition() -> None:
    """Of its own: the runtime and the disk may be well."""
    parts = document_of(report(), agent=AGENT, earlier={}, now=NOW, other_daemon="kruise-daemon writes too")

    found = conditions(parts)

    assert ["True", "True", "False"] == [one["status"] for one in found.values()]
    assert ("OtherDaemon", "kruise-daemon writes too") == (
        found["SoleReporter"]["reason"],
        found["SoleReporter"]["message"],
    )


def test_a_condition_keeps_the_time_of_its_last_transition() -> None:
    """A message that changes is no transition; a status that changes is."""
    first = document(report(is_runtime_up=False, runtime_problem="a"))

    second = document(report(is_runtime_up=False, runtime_problem="b"), earlier=first, now=NOW + timedelta(hours=1))
    third = document(report(), earlier=second, now=NOW + timedelta(hours=2))

    assert ["2026-01-02T03:04:05Z", "2026-01-02T05:04:05Z"] == [
        conditions(parts)["RuntimeReady"]["lastTransitionTime"] for parts in (second, third)
    ]


def test_only_what_is_ours_is_taken_from_a_status() -> None:
    """What others keep there is neither compared nor touched."""
    status = {
        "desired": 1,
        "firstSyncStatus": {"status": "Succeeded"},
        "conditions": [{"type": "Foreign", "status": "True"}, {"type": "RuntimeReady", "status": "True"}],
        "imageStatuses": {"a": {"tags": []}},
    }

    assert {
        ("desired",): 1,
        ("imageStatuses", "a"): {"tags": []},
        ("conditions",): [{"type": "RuntimeReady", "status": "True"}],
    } == parts_of(status)


def test_a_status_of_any_shape_can_be_taken_apart() -> None:
    """A server of another schema may hold anything there; the agent goes on."""
    shapes: tuple[object, ...] = (
        None,
        [],
        "text",
        {"imageStatuses": [], "conditions": {}},
        {"conditions": ["text"]},
        {"conditions": [{"type": ["text"]}, {"type": {}}]},
    )

    for status in shapes:
        assert {} == parts_of(status)
