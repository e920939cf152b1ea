"""Values to the API server's form and back."""

import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given

from daemon.api.imagepulljob import ImagePullJob, JobTemplate
from daemon.api.manifest import parse_manifests, parse_object
from daemon.api.nodeimage import ImageSpec, Phase, TagEntry, TagStatus
from daemon.api.objects import Resource
from daemon.api.times import format_time, parse_time
from daemon.api.wire import resource_to_wire, to_wire
from tests.unit.api.strategies import jobs, list_jobs, node_images


@given(jobs | list_jobs | node_images)
def test_a_value_comes_back_from_the_wire_as_it_was(resource: Resource) -> None:
    """What is written to an API server is read from it as the same value, without an error."""
    parsed = parse_object(json.loads(json.dumps(resource_to_wire(resource))))

    assert () == parsed.errors
    assert resource == parsed.value


@given(jobs | list_jobs)
def test_a_value_comes_back_from_text_as_it_was(resource: Resource) -> None:
    """The same through a file: JSON text is read by the rules of YAML and means the same."""
    text = json.dumps(resource_to_wire(resource), indent=1)

    found = parse_manifests(text, source="here")

    assert () == found.errors
    assert (resource,) == (*found.jobs, *found.lists)


def test_a_default_job_says_little() -> None:
    """Nothing that is absent is written, and nothing of ours where it says nothing."""
    job = ImagePullJob(api_version="apps.kruise.io/v1beta1", name="a", image="nginx", template=JobTemplate())

    assert {
        "image": "nginx",
        "completionPolicy": {},
        "imagePullPolicy": "IfNotPresent",
        "parallelism": 1,
        "pullPolicy": {"timeoutSeconds": 600, "backoffLimit": 3},
    } == resource_to_wire(job)["spec"]


def test_parts_are_written_by_the_names_of_the_schema() -> None:
    """createdAt, imageID and the other names are the API's, times end in Z."""
    entry = TagEntry(tag="v1", created_at=datetime(2026, 1, 1, 2, tzinfo=timezone(timedelta(hours=2))), version=4)
    spec = to_wire(ImageSpec(tags=(entry,)))
    status = to_wire(TagStatus(tag="v1", phase=Phase.PULLING, image_id="sha256:1", changed=False))

    assert {
        "tags": [
            {
                "tag": "v1",
                "createdAt": "2026-01-01T00:00:00Z",
                "version": 4,
                "imagePullPolicy": "IfNotPresent",
                "pullPolicy": {"timeoutSeconds": 600, "backoffLimit": 3},
            }
        ]
    } == spec
    assert {"tag": "v1", "phase": "Pulling", "imageID": "sha256:1", "changed": False} == status


def test_a_time_is_written_in_utc_and_whole_seconds() -> None:
    """As metav1.Time does."""
    assert "0999-01-31T23:59:59Z" == format_time(datetime(999, 1, 31, 23, 59, 59, 999_999, tzinfo=UTC))


@pytest.mark.parametrize(
    "text", ["9999-12-31T23:59:59-01:00", "2026-01-01 00:00:00Z", "2026-13-01T00:00:00Z", "2026-01-01T00:00:60Z", ""]
)
def test_what_is_no_time_is_refused(text: str) -> None:
    """Only RFC 3339 within the calendar is a time."""
    with pytest.raises(ValueError, match=r".+"):
        parse_time(text)


def test_a_time_may_have_any_offset_and_fraction() -> None:
    """RFC 3339 in either case, with more digits than a microsecond has."""
    assert datetime(2026, 1, 1, 0, 0, 0, 123456, tzinfo=UTC) == parse_time("2026-01-01t01:00:00.123456789+01:00")
