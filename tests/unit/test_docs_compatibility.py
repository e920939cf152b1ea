"""The list of OpenKruise's known defects is whole, and each that is right here is kept so by a test that names it."""

import ast
import re
from functools import cache

import pytest

from tests.unit.documents import text_of


DOCUMENT = "docs/compatibility.md"
ISSUES = (2534, 1271, 2071, 2221, 1386, 1528, 1517, 2483, 1419, 630)
NUMBERS = (1, 2, 3, 4, 5, 6, 8, 9, 10, 11, 13, 14, 15, 16, 17, 18, 19, 21)
ALL_NUMBERS = range(1, 29)

_TEST = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")


def rows_of(heading: str) -> list[str]:
    """Return the rows of the table below a heading."""
    section = text_of(DOCUMENT).partition(f"\n### {heading}\n")[2].partition("\n### ")[0]
    return [
        line for line in section.splitlines() if line.startswith("| ") and not line.startswith(("| defect", "| no."))
    ]


@cache
def docstrings(path: str) -> dict[str, str]:
    """Return what each function of a file says of itself."""
    functions = [node for node in ast.walk(ast.parse(text_of(path))) if isinstance(node, ast.FunctionDef)]
    return {function.name: ast.get_docstring(function) or "" for function in functions}


def told(row: str) -> list[str]:
    """Return what the tests of a row say of themselves."""
    return [docstrings(path)[name] for path, name in _TEST.findall(row)]


@pytest.mark.parametrize("issue", ISSUES)
def test_a_public_defect_is_right_here_and_a_test_names_it(issue: int) -> None:
    """Whoever comes because of an issue finds what shows that it is none here, and from there the test."""
    (row,) = [row for row in rows_of("From its public issues") if re.search(rf"#{issue}\b", row)]

    assert row.split(" | ")[1].startswith("right")
    assert any(re.search(rf"kruise#{issue}\b", words) for words in told(row)), told(row)


@pytest.mark.parametrize("number", NUMBERS)
def test_a_defect_of_its_code_is_right_here_and_a_test_names_it(number: int) -> None:
    """Each number of the second table that is said to be right."""
    (row,) = [row for row in rows_of("Found by reading its code") if row.startswith(f"| {number} |")]

    assert row.split(" | ")[2].startswith("right")
    assert any(re.search(rf"\b8\.2 number {number}\b", words) for words in told(row)), told(row)


def test_the_second_table_has_every_number() -> None:
    """In order, none twice."""
    found = [int(row.split(" | ")[0].removeprefix("| ")) for row in rows_of("Found by reading its code")]

    assert list(ALL_NUMBERS) == found
