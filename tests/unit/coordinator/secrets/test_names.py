"""What copies are called, and what their annotations say."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.api.names import is_dns_subdomain
from daemon.coordinator.secrets.names import (
    MODE,
    NAMES,
    REFERENCES,
    SOURCE_KEY,
    Source,
    annotations_of,
    chosen,
    copy_names,
    references_of,
    source_of,
)


SOURCE = Source("team-a", "regcred")
NAME = st.from_regex(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?", fullmatch=True).filter(is_dns_subdomain)


def test_a_copy_s_name_is_the_same_for_ever() -> None:
    """Another coordinator, and another release, finds what this one has made."""
    assert "regcred-a470bd" == copy_names(SOURCE)[0]


@given(NAME, NAME)
def test_each_name_can_be_a_secret_s_and_tells_sources_apart(one: str, other: str) -> None:
    """However long the source's is; by the namespace alone too."""
    names = copy_names(Source("team-a", one))

    assert NAMES == len(set(names))
    assert all(is_dns_subdomain(name) for name in names)
    assert set(names).isdisjoint(copy_names(Source("team-b", one)))
    assert one == other or set(names).isdisjoint(copy_names(Source("team-a", other)))


def test_the_annotations_are_openkruise_s() -> None:
    """The jobs are sorted, each there once, with commas between."""
    assert {
        SOURCE_KEY: "team-a/regcred",
        REFERENCES: "team-a/a,team-a/b",
        MODE: "batch",
    } == annotations_of(SOURCE, ["team-a/b", "team-a/a", "team-a/b"])


@given(st.lists(NAME, max_size=5))
def test_annotations_are_read_as_they_are_written(jobs: list[str]) -> None:
    """Source and jobs come back."""
    references = [f"team-a/{job}" for job in jobs]

    written = annotations_of(SOURCE, references)

    assert (SOURCE, tuple(sorted(set(references)))) == (source_of(written), references_of(written))


@pytest.mark.parametrize("text", ["", "regcred", "/regcred", "team-a/", "team-a/b/c", "../../x/y", "A/b"])
def test_a_secret_without_a_sound_source_is_no_copy(text: str) -> None:
    """So it is never touched."""
    assert None is source_of({SOURCE_KEY: text})


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ((), ""),
        (("regcred-zzzzzz", "regcred-abcdef"), "regcred-abcdef"),
        (("a-first", copy_names(SOURCE)[0]), copy_names(SOURCE)[0]),
        ((copy_names(SOURCE)[2], "a-first"), copy_names(SOURCE)[2]),
    ],
)
def test_of_several_copies_ours_is_used_else_the_first(names: tuple[str, ...], expected: str) -> None:
    """The same one each time: OpenKruise's choice flapped (kruise#2381)."""
    assert expected == chosen(SOURCE, names)
