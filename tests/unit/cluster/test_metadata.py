"""Who an object is stands in its metadata, and no word about a bad one quotes it."""

from enum import Enum

import msgspec
import pytest

from daemon.cluster.errors import ServerFailed
from daemon.cluster.metadata import (
    Identity,
    Writing,
    decode_resource,
    decode_with_writings,
    identity_of,
    named_identity_of,
    unreadable_words,
    writings_of,
)


SECRET = "s3cr3t"


class Colour(Enum):
    """Some words."""

    RED = "red"


class Kind(msgspec.Struct, forbid_unknown_fields=True):
    """What a decoder may expect."""

    number: int
    colours: dict[str, Colour] = {}


def test_an_identity_is_read_past_everything_else() -> None:
    """Whatever the kind is, and whatever else its metadata holds."""
    metadata = {"labels": {"name": "x"}, "name": "a", "namespace": "n", "uid": "u", "resourceVersion": "7"}
    content = msgspec.json.encode({"spec": [1, {"metadata": 2}], "metadata": metadata, "status": {"uid": 3}})

    assert Identity(name="a", namespace="n", uid="u", resourceVersion="7") == named_identity_of(content)


def test_a_bookmark_has_a_version_and_no_name() -> None:
    """It is about no object."""
    content = b'{"metadata": {"resourceVersion": "7"}}'

    assert Identity(resourceVersion="7") == identity_of(content)
    with pytest.raises(ServerFailed):
        named_identity_of(content)


@pytest.mark.parametrize(
    "content",
    [b"", b"{}", b"[]", b"7", b'{"metadata": null}', b'{"metadata": {"name": 1}}', b'{"metadata": {}', b"\xff"],
)
def test_what_has_no_metadata_is_no_object(content: bytes) -> None:
    """It is the server's failure."""
    with pytest.raises(ServerFailed):
        named_identity_of(content)


def test_who_wrote_is_kept_without_which_fields_where_that_is_asked_for() -> None:
    """What is no entry is passed over."""
    entry = b'{"manager": "x", "subresource": "status", "time": "2026-01-01T00:00:00Z", "fieldsV1": {"f:status": {}}}'
    content = b'{"metadata": {"name": "a", "managedFields": [' + entry + b", 7]}}"

    found = writings_of(decode_with_writings(content))

    assert (Writing(manager="x", subresource="status", time="2026-01-01T00:00:00Z"),) == found
    assert ((), ()) == (writings_of({}), writings_of(decode_with_writings(b'{"metadata": {"managedFields": 7}}')))


def test_a_resource_is_decoded_without_its_managed_fields() -> None:
    """Who manages which field is often the largest part of an object."""
    content = b'{"spec": 1, "metadata": {"name": "a", "managedFields": [{"manager": "x"}]}}'

    assert {"spec": 1, "metadata": {"name": "a"}} == decode_resource(content)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b'{"number": "s3cr3t"}', "the object can't be read: Expected `int`, got `str` - at `$.number`"),
        (b"{}", "the object can't be read: Object missing required field `number`"),
        (b'{"number": 1, "colours": {"s3cr3t": "s3cr3t"}}', "the object can't be read at `$.colours[...]`"),
        (b'{"number": 1, "s3cr3t": 2}', "the object can't be read"),
        (b'{"number": s3cr3t}', "the object can't be read"),
        (b'{"number": 1', "the object can't be read"),
    ],
)
def test_the_words_about_an_unreadable_object_are_ours(content: bytes, expected: str) -> None:
    """They say where and what was expected, and nothing of what came."""
    with pytest.raises(msgspec.MsgspecError) as caught:
        msgspec.json.decode(content, type=Kind)

    assert expected == unreadable_words(caught.value)
    assert SECRET not in unreadable_words(ValueError(SECRET))
