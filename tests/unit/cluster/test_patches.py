"""Guarded patches: a pointer reaches any key, and a guard tests what it is given."""

from hypothesis import given
from hypothesis import strategies as st

from daemon.cluster.interface import Operation
from daemon.cluster.patches import guard, pointer


def test_a_repositorys_slashes_are_escaped() -> None:
    """An image's key holds slashes, and may hold a tilde."""
    assert "/spec/images/ghcr.io~1team~1app~0x" == pointer("spec", "images", "ghcr.io/team/app~x")


@given(parts=st.lists(st.text(alphabet="a/~01", max_size=6), max_size=5))
def test_a_pointer_is_read_back_as_it_was(parts: list[str]) -> None:
    """By the rule of RFC 6901: ~1 first, then ~0."""
    actual = pointer(*parts)

    read = [part.replace("~1", "/").replace("~0", "~") for part in actual.split("/")[1:]]
    assert parts == read


def test_a_guard_tests_what_it_is_given() -> None:
    """The uid always; generation and version where they are named, also a generation of 0."""
    uid = Operation(op="test", path="/metadata/uid", value="u")

    assert (uid,) == guard(uid="u")
    assert (
        uid,
        Operation(op="test", path="/metadata/generation", value=0),
        Operation(op="test", path="/metadata/resourceVersion", value="7"),
    ) == guard(uid="u", generation=0, resource_version="7")
