"""docs/check.md tells all that `prewarm check` says: rows, fields of its document, settings, exit codes."""

import msgspec
import pytest

from daemon.beside.verdict import Row
from daemon.checkup.advice import TITLES, UNKNOWN
from daemon.checkup.command import AWAY, TO_DO
from daemon.checkup.documents import (
    CheckDocument,
    Crd,
    Facts,
    Holder,
    Nodes,
    Step,
    Trial,
    Version,
    Way,
    Webhook,
    Workload,
)
from daemon.config import CHECK_SETTINGS, CheckSettings, Setting
from daemon.overview.asking import BAD_INPUT
from tests.unit.documents import rows, text_of


DOCUMENT = "docs/check.md"
IN_WORDS = {
    Step: "| `steps` |",
    Way: "| `steps` |",
    Crd: "| `crds` |",
    Webhook: "| `webhooks` |",
    Holder: "| `manager`, `coordinator` |",
    Trial: "| `creation` |",
    Workload: "| `agents`, `coordinators`, `kruise_daemons` |",
    Nodes: "| `nodes` |",
    Version: "| `nodes` |",
}


@pytest.mark.parametrize("row", [*Row, UNKNOWN])
def test_each_row_is_told_and_has_a_title(row: str) -> None:
    """Whoever reads a row finds what it means and what to do."""
    assert row in rows(text_of(DOCUMENT))
    assert TITLES[row]


@pytest.mark.parametrize("kind", [CheckDocument, Facts], ids=lambda kind: kind.__name__)
def test_each_field_of_the_document_is_told(kind: type[msgspec.Struct]) -> None:
    """A program that reads it finds each field."""
    told = rows(text_of(DOCUMENT))

    assert [] == [field.encode_name for field in msgspec.structs.fields(kind) if field.encode_name not in told]


@pytest.mark.parametrize("kind", IN_WORDS, ids=lambda kind: kind.__name__)
def test_each_field_of_a_part_is_told(kind: type[msgspec.Struct]) -> None:
    """In the row that has the part."""
    (line,) = (line for line in text_of(DOCUMENT).splitlines() if line.startswith(IN_WORDS[kind]))

    assert [] == [field.encode_name for field in msgspec.structs.fields(kind) if f"`{field.encode_name}`" not in line]


@pytest.mark.parametrize("setting", CHECK_SETTINGS, ids=lambda setting: setting.flag)
def test_each_setting_is_told_with_its_twin_and_default(setting: Setting) -> None:
    """The table has every flag, its variable and the default that holds."""
    row = rows(text_of(DOCUMENT)).get(setting.flag, "")

    default = getattr(CheckSettings(), setting.field)
    assert [] == [name for name in (setting.variable, *([default] if default else [])) if f"`{name}`" not in row]


def test_each_exit_code_is_told() -> None:
    """A script may act on them."""
    told = text_of(DOCUMENT).partition("| exit code |")[2].partition("\n##")[0]

    assert [] == [code for code in (0, TO_DO, BAD_INPUT, AWAY) if f"\n| {code} |" not in told]
