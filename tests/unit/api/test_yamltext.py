"""YAML text as plain values with lines."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.api.yamlscalars import resolve
from daemon.api.yamltext import MOST_VALUES, YamlProblem, read_yaml


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("1.10", 1.1),
        ("0600", 384),
        ("0o17", 15),
        ("0x1f", 31),
        ("0b101", 5),
        ("1_000", 1000),
        ("-5", -5),
        ("089", 89.0),
        ("9" * 50, float("inf")),
        ("1e3", 1000.0),
        ("-.inf", float("-inf")),
        ("yes", True),
        ("Off", False),
        ("~", None),
        ("", None),
        ("12:30", "12:30"),
        ("2026-01-01", "2026-01-01"),
        ("2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z"),
        ("0x", "0x"),
        ("1.2.3", "1.2.3"),
        ("v1", "v1"),
    ],
)
def test_an_unquoted_scalar_means_what_it_means_to_kubectl(written: str, expected: object) -> None:
    """Numbers, booleans and null are told from text as kubectl's YAML library does; times stay text."""
    found = resolve(written)

    assert expected == found
    assert type(expected) is type(found)


@pytest.mark.parametrize("quoted", ['"1.10"', "'yes'", '"null"', "!!str 5", "|-\n  5"])
def test_quotes_make_text(quoted: str) -> None:
    """What stands in quotes is text, whatever it looks like."""
    (document,) = read_yaml(f"a: {quoted}")

    assert isinstance(document.value, dict)
    assert str is type(document.value["a"])


def test_each_value_knows_its_line() -> None:
    """A path's line is where it is written, and of a path that is not there the nearest place above it."""
    (document,) = read_yaml("# comment\na:\n  b:\n  - x\n  - y\n")

    assert [2, 3, 4, 5] == [document.line_of(path) for path in [("a",), ("a", "b"), ("a", "b", 0), ("a", "b", 1)]]
    assert 3 == document.line_of(("a", "b", 7, "nothing"))
    assert 2 == document.line_of(("zzz",))


def test_documents_before_a_syntax_error_are_kept() -> None:
    """The error names its line and column and takes nothing from what stood before it."""
    first, second = read_yaml("a: 1\n---\nb: 2\n c: 3\n")

    assert {"a": 1} == first.value
    assert [(4, True)] == [(problem.line, "(column" in problem.text) for problem in second.problems]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a: \t- b", 1),
        ("a: [1, 2", 1),
        ("a:\n- 'b", 2),
        ("a: b: c", 1),
        ("%YAML 3.0\n---\na: 1", 1),
        ('a: "\\Uffffffff"', 1),
        ("a: b\n\x00", 2),
        ("a: b\n\ufffe", 2),
        ("!<%ff> a", 1),
        ("&a", 1),
    ],
)
def test_bad_text_is_a_problem_with_a_line(text: str, line: int) -> None:
    """Whatever PyYAML objects to, and however it raises that, is a problem and never an exception."""
    documents = list(read_yaml(text))

    problems = [problem for document in documents for problem in document.problems]
    assert problems or documents[-1].value is None
    assert all(abs(problem.line - line) <= 1 for problem in problems)


def test_aliases_that_multiply_are_refused() -> None:
    """Nine lines that stand for a billion values cost nothing."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]

    (document,) = read_yaml("\n".join(lines))

    (problem,) = document.problems
    assert f"more than {MOST_VALUES} values, aliases counted each time" == problem.text


@pytest.mark.parametrize(
    "text", ["[" * 100_000, "[" * 80 + "]" * 80, "a:\n" + "".join(f"{' ' * n}- \n" for n in range(90))]
)
def test_deep_nesting_is_a_problem_and_not_a_crash(text: str) -> None:
    """A text deeper than any manifest is refused without using up the stack."""
    documents = list(read_yaml(text))

    assert 1 == len(documents[-1].problems)


def test_json_may_be_indented_with_tabs() -> None:
    """JSON is read as JSON's own rules have it, where YAML would refuse a tab."""
    (document,) = read_yaml('{\n\t"a": {\n\t\t"b": "c\\td \\ud83d\\ude00"}}')

    assert {"a": {"b": "c\td \U0001f600"}} == document.value
    assert 3 == document.line_of(("a", "b"))


def test_a_merge_key_gives_way_to_own_keys() -> None:
    """Of several sources the first wins, and the mapping's own keys over all."""
    (document,) = read_yaml("x: &x {a: 1, b: 1}\ny: &y {b: 2, c: 2}\nz: {c: 3, <<: [*x, *y]}")

    assert isinstance(document.value, dict)
    assert {"a": 1, "b": 1, "c": 3} == document.value["z"]


def test_a_byte_order_mark_is_passed_over() -> None:
    """A file that an editor has saved with one reads as any other."""
    (document,) = read_yaml("\ufeffa: 1")

    assert {"a": 1} == document.value


def test_numbers_as_keys_are_text_and_duplicates_of_it() -> None:
    """A key is always text, so 1 and "1" are the same one."""
    (document,) = read_yaml('{1: a, "1": b}')

    assert (YamlProblem(line=1, text='duplicate key "1", first on line 1'),) == document.problems


@given(st.text())
def test_no_text_at_all_raises(text: str) -> None:
    """Arbitrary text ends in documents and problems."""
    documents = list(read_yaml(text))

    assert all(document.line >= 1 for document in documents)


@given(st.text(alphabet="a:-[]{}&*!|>'\"#%@,? \n\t0.~<", max_size=60))
def test_no_text_of_yaml_characters_raises(text: str) -> None:
    """Text that is nearly YAML ends in documents and problems."""
    documents = list(read_yaml(text))

    assert all(problem.line >= 1 for document in documents for problem in document.problems)
