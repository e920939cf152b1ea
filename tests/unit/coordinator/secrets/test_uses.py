"""Which jobs use which pull secrets."""

from hypothesis import given
from hypothesis import strategies as st

from daemon.coordinator.secrets.names import Source
from daemon.coordinator.secrets.uses import Uses


A, B = Source("team", "a"), Source("team", "b")
CHANGES = st.lists(
    st.tuples(st.sampled_from(["1", "2", "3"]), st.lists(st.sampled_from([A, B]), unique=True)), max_size=20
)


def test_the_references_of_a_source_are_its_jobs_sorted() -> None:
    """By namespace and name, whatever order they came in."""
    uses = Uses()
    uses.note("2", key="team/z", sources=[A])
    uses.note("1", key="team/a", sources=[A, B])

    assert (("team/a", "team/z"), ("team/a",)) == (uses.references(A), uses.references(B))


def test_what_changes_nothing_is_no_news() -> None:
    """A job's status is written often."""
    uses = Uses()
    first = uses.note("1", key="team/a", sources=[A, B])

    assert ((A, B), ()) == (first, uses.note("1", key="team/a", sources=[A, B]))


def test_an_edit_is_news_for_the_old_and_the_new_source() -> None:
    """The one loses a user, the other has one more."""
    uses = Uses()
    uses.note("1", key="team/a", sources=[A])

    touched = uses.note("1", key="team/a", sources=[B])

    assert ((A, B), (), ("team/a",)) == (touched, uses.references(A), uses.references(B))


def test_a_job_that_was_made_anew_under_its_name_is_one_reference() -> None:
    """Until the old one is known to be gone, and afterwards."""
    uses = Uses()
    uses.note("old", key="team/a", sources=[A])
    uses.note("new", key="team/a", sources=[A])
    both = uses.references(A)
    uses.note("old", key="", sources=())

    assert (("team/a",), ("team/a",)) == (both, uses.references(A))


@given(CHANGES)
def test_whatever_the_order_the_last_state_of_each_job_counts(changes: list[tuple[str, list[Source]]]) -> None:
    """Nothing of an earlier one is left."""
    uses = Uses()
    for uid, sources in changes:
        uses.note(uid, key=f"team/{uid}", sources=sources)
    last = dict(changes)

    for source in (A, B):
        expected = {uid for uid, sources in last.items() if source in sources}
        assert expected == set(uses.users(source))
        assert len(expected) == len(uses.references(source))
