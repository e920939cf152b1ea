"""What the job of a listed image is called: told by a person, the same each time, a name that Kubernetes takes."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.coordinator.lists.names import job_name, slug_of


_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_DIGEST = "0123456789abcdef" * 4


@pytest.mark.parametrize(
    ("image", "slug"),
    [
        ("nginx", "nginx"),
        ("nginx:1.27", "nginx-1-27"),
        ("registry.example.com:5000/team/my_app:v2.0-RC1", "my-app-v2-0-rc1"),
        (f"team/app@sha256:{_DIGEST}", "app-0123456789ab"),
        (f"team/app:v1@sha256:{_DIGEST}", "app-v1"),
        ("app:" + "v" * 128, "app-" + "v" * 59),
    ],
)
def test_a_name_tells_the_image_by_its_last_part_and_tag(image: str, slug: str) -> None:
    """Of a digest the first characters."""
    assert slug == slug_of(image)
    assert job_name("base", image=image).startswith(f"base-{slug}-")


def test_a_name_is_the_same_in_every_release() -> None:
    """Another one would make every list's jobs anew."""
    assert "base-nginx-1-27-cd4495bb" == job_name("base", image="nginx:1.27")


def test_two_texts_of_one_image_are_two_jobs() -> None:
    """As they are two lines of the list."""
    assert job_name("base", image="nginx:1.27") != job_name("base", image="docker.io/library/nginx:1.27")


@given(
    list_name=st.from_regex(_SUBDOMAIN, fullmatch=True).filter(lambda name: len(name) <= 253),
    image=st.sampled_from(["nginx", "a/b:" + "x" * 128, f"app@sha256:{_DIGEST}", "x/" + "a" * 200, "a:_._"]),
)
def test_any_list_s_jobs_have_names_that_kubernetes_takes(list_name: str, image: str) -> None:
    """A DNS subdomain of at most 253 characters (RFC 1123)."""
    name = job_name(list_name, image=image)

    assert len(name) <= 253
    assert _SUBDOMAIN.fullmatch(name)


def test_lists_whose_long_names_begin_alike_share_no_job() -> None:
    """What is cut off is in the name all the same."""
    first, second = (job_name("a" * 252 + end, image="nginx") for end in "xy")

    assert first != second
