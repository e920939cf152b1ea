"""What programs get is a document, what logs get are lines, and a stream that is gone ends both."""

import io
import json
from datetime import timedelta
from typing import TextIO

import msgspec
import pytest
import yaml

from daemon.display.output import OutputLost
from daemon.overview.documents import Document, Job, JobsDocument
from daemon.overview.jobs import job_of
from daemon.overview.screens import Documents, Text, json_line, json_text, yaml_part, yaml_text
from tests.unit.overview.objects import NOW, job


def document(*, seconds: float = 0, **fields: object) -> JobsDocument:
    """Return a document of one job at a time."""
    found = msgspec.structs.replace(job_of(job({"desired": 2, "succeeded": 1})), **fields)
    return JobsDocument(time=NOW + timedelta(seconds=seconds), namespace="team", jobs=(found,))


class Broken(io.StringIO):
    """A stream that can't be written."""

    def write(self, _text: str) -> int:
        """Fail as a full disk does."""
        raise OSError(28, "No space left on device")


def test_json_is_the_document() -> None:
    """Every field is there, absent ones null, and times are UTC."""
    found = json.loads(json_text(document()))

    assert ("Jobs", "2026-01-31T02:00:00Z", "team") == (found["kind"], found["time"], found["namespace"])
    (only,) = found["jobs"]
    assert ("1/2", None, "ImagePullJob") == (only["summary"], only["nodes"], only["kind"])
    assert {field.encode_name for field in msgspec.structs.fields(Job)} == only.keys()


def test_yaml_is_the_same_document() -> None:
    """Read back it is equal."""
    assert json.loads(json_text(document())) == yaml.safe_load(yaml_text(document()))


@pytest.mark.parametrize("text", [json_text, yaml_text])
def test_programs_get_ascii(text: object) -> None:
    """No byte that a terminal acts on, and every locale has it."""
    words = "\x1b[2J\u202eé"
    made = text(document(message=words)) if callable(text) else ""

    assert made.isascii()
    assert "\x1b" not in made
    assert words == yaml.safe_load(made)["jobs"][0]["message"]


def test_a_document_is_written_when_it_says_something_new() -> None:
    """One a line in JSON; that time goes by is nothing new."""
    stream = io.StringIO()
    screen = Documents(stream, dump=json_line)

    for shown in (document(), document(seconds=9), document(seconds=10, summary="2/2")):
        screen.show(shown, trouble="")
    screen.close()

    assert ["1/2", "2/2"] == [json.loads(line)["jobs"][0]["summary"] for line in stream.getvalue().splitlines()]


def test_yaml_documents_are_a_stream() -> None:
    """Each begins with its marker."""
    parts = [yaml_part(document()), yaml_part(document(summary="2/2"))]

    assert ["1/2", "2/2"] == [each["jobs"][0]["summary"] for each in yaml.safe_load_all("\n".join(parts))]


def test_lines_tell_what_is_new_and_a_trouble_once() -> None:
    """As a log that somebody reads later."""
    stream = io.StringIO()
    screen = Text(stream, is_wide=False)

    screen.show(document(), trouble="")
    screen.show(document(seconds=60), trouble="this may be old: \x1b")
    screen.show(document(seconds=61), trouble="this may be old: \x1b")
    screen.show(document(seconds=62, summary="2/2"), trouble="")
    screen.close()

    first, second, third, fourth = stream.getvalue().splitlines()
    assert (["NAME", "READY"], ["base", "1/2"]) == (first.split()[:2], second.split()[:2])
    assert ("this may be old: \\x1b", ["base", "2/2"]) == (third, fourth.split()[:2])


@pytest.mark.parametrize("is_document", [True, False])
def test_a_stream_that_cannot_be_written_is_told(*, is_document: bool) -> None:
    """With the system's words, for the exit code."""
    stream: TextIO = Broken()
    screen = Documents(stream, dump=json_line) if is_document else Text(stream, is_wide=False)
    shown: Document = document()

    with pytest.raises(OutputLost, match="No space left"):
        screen.show(shown, trouble="")
