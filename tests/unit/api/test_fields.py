"""The cursor that reads and collects."""

from enum import StrEnum

import pytest

from daemon.api.fields import Field
from daemon.api.findings import Findings, path_text, printable, shown


class _Colour(StrEnum):
    RED = "Red"
    BLUE = "Blue"


def _field(value: object) -> Field:
    return Field(value=value, findings=Findings(), path=("spec", "x"))


def _errors(field: Field) -> list[str]:
    return [finding.text for finding in field.findings.all()]


def test_a_path_is_written_as_kubectl_writes_it() -> None:
    """Names with dots, indexes and other keys in brackets."""
    assert "spec.images[3].labels[a/b]" == path_text(("spec", "images", 3, "labels", "a/b"))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("a\x1b[31m\n", '"a\\u001b[31m\\n"'),
        ("a\u202eb", '"a\\u202eb"'),
        ("x" * 300, f'"{"x" * 200}..."'),
        (-5, "-5"),
        (10**400, "a number that is too large"),
        (None, '"null"'),
        ({"a": 1}, '"object"'),
    ],
)
def test_a_value_in_a_message_cannot_act_on_a_terminal(value: object, expected: str) -> None:
    """Control and bidirectional characters are escaped, and everything has an end."""
    assert expected == shown(value)


def test_printable_text_keeps_other_scripts() -> None:
    """Only what does not print is escaped."""
    assert "käse \\x07" == printable("käse \x07")


def test_an_absent_value_is_its_default_without_an_error() -> None:
    """Absence is no mistake unless something is required."""
    field = Field(value={}, findings=Findings()).child("missing")

    assert (7, "d", True, _Colour.BLUE) == (
        field.integer(7),
        field.string("d"),
        field.boolean(default=True),
        field.choice(_Colour.BLUE),
    )
    assert [] == _errors(field)


def test_null_is_the_default_where_there_is_one_and_else_a_wrong_type() -> None:
    """As the API server prunes null where its schema has a default and refuses it elsewhere."""
    field = _field(None)

    assert 7 == field.integer(7)
    assert [] == _errors(field)
    assert None is field.integer(None)
    assert ['spec.x: Invalid value: "null": spec.x in body must be of type integer: "null"'] == _errors(field)


def test_true_is_no_integer() -> None:
    """Python's bool is an int, JSON's is not."""
    field = _field(value=True)

    assert 7 == field.integer(7)
    assert ['spec.x: Invalid value: "boolean": spec.x in body must be of type integer: "boolean"'] == _errors(field)


def test_warnings_are_no_errors() -> None:
    """The length of the findings counts errors, which is how a reader tells a sound part."""
    field = _field({"colour": 1})
    field.is_object(("colours",))

    assert 0 == len(field.findings)
    assert ['unknown field "spec.x.colour" (did you mean "colours"?)'] == _errors(field)
