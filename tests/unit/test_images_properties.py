import string

from hypothesis import example, given
from hypothesis import strategies as st

from daemon.images import InvalidReference, join, parse_reference, same_image


ALPHANUMERIC = string.ascii_lowercase + string.digits
WORDS = st.text(ALPHANUMERIC, min_size=1, max_size=8)
COMPONENTS = st.builds(
    lambda first, rest: first + "".join(mark + word for mark, word in rest),
    WORDS,
    st.lists(st.tuples(st.sampled_from([".", "_", "__", "-", "---"]), WORDS), max_size=2),
)
PATHS = st.lists(COMPONENTS | st.just("library"), min_size=1, max_size=4).map("/".join)
DOMAINS = st.sampled_from(
    ["", "docker.io/", "index.docker.io/", "localhost/", "quay.io/", "registry:5000/", "Host/", "[::1]/", "[::1]:5000/"]
)
TAGS = st.text(string.ascii_letters + string.digits + "_", min_size=1, max_size=1).flatmap(
    lambda first: st.text(string.ascii_letters + string.digits + "_.-", max_size=127).map(lambda rest: first + rest)
)
DIGESTS = st.text("0123456789abcdef", min_size=64, max_size=64).map(lambda digits: f"sha256:{digits}")
SUFFIXES = st.one_of(
    st.just(""),
    TAGS.map(lambda tag: f":{tag}"),
    st.builds(lambda t, d: f":{t}@{d}", TAGS, DIGESTS),
    DIGESTS.map("@{}".format),
)


def is_reference(text: str) -> bool:
    """Tell whether the grammar takes it: no bare image ID, and a first part with a dot is a host, so without `_`."""
    first, slash, _ = text.partition("/")
    is_id = len(text) == 64 and set(text) <= set("0123456789abcdef")
    return not is_id and not (slash and "." in first and "_" in first)


REFERENCES = st.builds(lambda domain, path, suffix: domain + path + suffix, DOMAINS, PATHS, SUFFIXES).filter(
    is_reference
)
# Text made of the grammar's own marks gets deeper into the parser than text at large.
NEARLY = st.text(ALPHANUMERIC + "ABC/:@.-_[]% \n\0é" + "\ud800", max_size=80) | st.text(max_size=80)


@given(text=NEARLY)
@example(text="[::1]:5000")
@example(text="\ud800/x")
@example(text="sha256:" + "a" * 64)
def test_any_text_is_a_reference_or_an_invalid_reference(text: str) -> None:
    """No text makes the parser raise anything but InvalidReference, whose message can be printed."""
    outcome = full_or_message(text)

    assert outcome.isprintable()


def full_or_message(text: str) -> str:
    """What a person would see."""
    try:
        return parse_reference(text).full
    except InvalidReference as error:
        return str(error)


@given(repository=NEARLY, tag_or_digest=NEARLY)
def test_any_entry_joins_or_is_an_invalid_reference(repository: str, tag_or_digest: str) -> None:
    """No key and tag make `join` raise anything but InvalidReference."""
    try:
        reference = join(repository, tag_or_digest)
    except InvalidReference:
        return

    assert tag_or_digest == reference.tag_or_digest


@given(text=REFERENCES)
def test_normalising_twice_changes_nothing(text: str) -> None:
    """The full and the familiar form parse to the same image again."""
    reference = parse_reference(text)

    assert (reference.full, reference.full) == (
        parse_reference(reference.full).full,
        parse_reference(reference.familiar).full,
    )


@given(text=REFERENCES)
def test_key_and_tag_of_a_node_image_lead_back_to_the_reference(text: str) -> None:
    """Repository key (either form) and tag or digest, joined, are the image they were taken from."""
    reference = parse_reference(text)

    assert {reference.full} == {
        join(reference.repository, reference.tag_or_digest).full,
        join(reference.repository_full, reference.tag_or_digest).full,
    }


@given(text=REFERENCES)
def test_image_is_found_under_its_own_name(text: str) -> None:
    """An image that lists a reference is the one referred to, by tag or by digest."""
    reference = parse_reference(text)
    names = (reference.full,)

    assert same_image(reference, repo_tags=names, repo_digests=names)
