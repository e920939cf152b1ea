"""docs/status.md tells whoever asks a cluster all that they get: fields of documents, settings, exit codes, rights."""

from collections.abc import Mapping

import msgspec
import pytest
import yaml

from daemon.cluster.errors import Denied
from daemon.config import STATUS_SETTINGS, Setting, StatusSettings
from daemon.overview import documents, surveys
from daemon.overview.documents import (
    Agent,
    Bytes,
    Condition,
    Counts,
    Digest,
    FailedImage,
    ImagesDocument,
    Job,
    JobDocument,
    JobNode,
    JobsDocument,
    ListDocument,
    Node,
    NodeDocument,
    NodeEntry,
    NodesDocument,
    ReasonGroup,
)
from daemon.overview.notes import ROLE
from daemon.overview.surveys import AgentCount, ImageLine, NodeLine, ReasonCount, RegistryLine
from daemon.overview.troubles import RIGHTS, words_for
from tests.unit.documents import anchors, rows, text_of


DOCUMENT = "docs/status.md"
# Whose fields stand in the first cell of a row of their section, and whose in the words of another's row.
BY_SECTION: Mapping[str, tuple[type[msgspec.Struct], ...]] = {
    "### A job or a list": (Job,),
    "### A node of a job": (JobNode,),
    "### A node\n": (Node, NodeEntry),
    "### All nodes and all images": (NodeLine, ImageLine),
}
IN_WORDS = {
    JobsDocument: "| `Jobs` |",
    JobDocument: "| `Job` |",
    ListDocument: "| `List` |",
    NodeDocument: "| `Node` |",
    NodesDocument: "| `Nodes` |",
    ImagesDocument: "| `Images` |",
    AgentCount: "Each of `agents` has",
    RegistryLine: "Each of `registries` has",
    ReasonCount: "| `reasons` |",
    Counts: "| `nodes` | `selected`",
    Bytes: "| `bytes` |",
    Condition: "| `conditions` | each with",
    Digest: "| `digests` |",
    ReasonGroup: "| `failures`, `skipped` |",
    FailedImage: "| `failed_images` |",
    Agent: "| `agent` |",
}


def _section(title: str) -> str:
    return text_of(DOCUMENT).partition(title)[2].partition("\n##")[0]


@pytest.mark.parametrize("title", BY_SECTION)
def test_each_field_of_a_document_is_documented(title: str) -> None:
    """A program that reads it finds each field where its part is described."""
    told = rows(_section(title))

    kinds = BY_SECTION[title]
    fields = [field.encode_name for kind in kinds for field in msgspec.structs.fields(kind)]
    assert [] == [field for field in fields if field not in told]


@pytest.mark.parametrize("kind", IN_WORDS, ids=lambda kind: kind.__name__)
def test_each_field_of_a_part_is_documented(kind: type[msgspec.Struct]) -> None:
    """In the row that has the part."""
    (line,) = (line for line in text_of(DOCUMENT).splitlines() if line.startswith(IN_WORDS[kind]))

    assert [] == [field.encode_name for field in msgspec.structs.fields(kind) if f"`{field.encode_name}`" not in line]


def test_each_part_of_a_document_is_checked() -> None:
    """A new one needs its place here."""
    found = [value for module in (documents, surveys) for value in vars(module).values() if isinstance(value, type)]
    structs = {value for value in found if issubclass(value, msgspec.Struct)}

    assert structs - {msgspec.Struct} == {*IN_WORDS, *(kind for kinds in BY_SECTION.values() for kind in kinds)}


@pytest.mark.parametrize("setting", STATUS_SETTINGS, ids=lambda setting: setting.flag)
def test_each_setting_is_documented_with_its_twin_and_default(setting: Setting) -> None:
    """The table has every flag, its variable, its short form and the default that holds."""
    row = rows(text_of(DOCUMENT)).get(setting.flag, "")

    default = getattr(StatusSettings(), setting.field)
    expected = [setting.variable, *([f"-{setting.letter}"] if setting.letter else []), *([default] if default else [])]
    assert [] == [name for name in expected if f"`{name}`" not in row]


def test_the_roles_that_errors_name_are_there() -> None:
    """In what a cluster gets and in the document, and where they lead."""
    roles = {each["metadata"]["name"] for each in yaml.safe_load_all(text_of("deploy/base/roles.yaml"))}

    named = {ROLE, "prewarm-job-editor"}
    assert roles == named
    assert named <= set(rows(text_of(DOCUMENT)))
    assert "prewarm-job-editor" in words_for(Denied("no", code=403), is_writing=True)
    path, _, anchor = RIGHTS.partition("#")
    assert (DOCUMENT, True) == (path, anchor in anchors(text_of(path)))
