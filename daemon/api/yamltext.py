"""
YAML or JSON text as plain values, with the line of each.

Reads as kubectl does (its YAML is 1.1 without base 60, and times stay text) and refuses what would surprise: a key that
stands twice, a tag that makes objects, a key that is no text, aliases that multiply. Built from PyYAML's events and not
by its constructors: those forget lines, keep the last of two keys, and recurse as deep as the text does.
"""

from collections.abc import Iterator
from typing import Final

import msgspec
import yaml

from daemon.api.findings import FieldPath, printable, shown
from daemon.api.yamlscalars import repaired, resolve


DEEPEST: Final = 64
MOST_VALUES: Final = 100_000

_STANDARD_TAGS: Final = {
    f"tag:yaml.org,2002:{name}": kinds
    for name, kinds in {
        "str": (str,),
        "int": (int,),
        "float": (int, float),
        "bool": (bool,),
        "null": (type(None),),
        "timestamp": (str,),
        "seq": (list,),
        "map": (dict,),
    }.items()
}


class YamlProblem(msgspec.Struct, frozen=True, kw_only=True):
    """What is wrong with the text itself, and on which line (from 1)."""

    line: int
    text: str


class YamlDocument(msgspec.Struct, frozen=True, kw_only=True):
    """
    One document: its value, the line (from 1) of each path in it, and what was written for values that are not text.

    A document with problems has no meaning: its value is not to be used.
    """

    line: int
    value: object = None
    lines: dict[FieldPath, int] = {}
    scalars: dict[FieldPath, str] = {}
    problems: tuple[YamlProblem, ...] = ()

    def line_of(self, path: FieldPath) -> int:
        """Return the line of a path, or of the nearest place above it that is written."""
        for length in range(len(path), 0, -1):
            if path[:length] in self.lines:
                return self.lines[path[:length]]
        return self.line


def read_yaml(text: str) -> Iterator[YamlDocument]:
    """
    Yield each document of a YAML stream, or the one value of a JSON text.

    Never raises: a syntax error is the problem of a last document, and what stood before it is still yielded.
    """
    line = 1
    try:
        events = yaml.parse(_without_json_tabs(text.removeprefix("\ufeff")), Loader=yaml.SafeLoader)
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent):
                line = _line(event)
                yield _Composer(events).document(line)
    except yaml.MarkedYAMLError as error:
        yield _broken(_syntax_problem(error, line))
    except yaml.reader.ReaderError as error:
        yield _broken(YamlProblem(line=text.count("\n", 0, error.position) + 1, text=f"YAML syntax: {error.reason}"))
    except _RefusedError as refused:
        yield _broken(refused.problem)
    except (ValueError, OverflowError):
        # PyYAML's scanner hands an escape such as "\Uffffffff" to chr(), and a version's digits to int().
        yield _broken(YamlProblem(line=line, text="YAML syntax: an escape or a number is out of range"))


class _RefusedError(Exception):
    """The text goes beyond what we agree to read."""

    def __init__(self, event: yaml.Event, text: str) -> None:
        super().__init__(text)
        self.problem = YamlProblem(line=_line(event), text=text)


class _Anchored(msgspec.Struct, frozen=True):
    value: object
    size: int


class _Composer:
    """Makes the value of one document from its events."""

    def __init__(self, events: Iterator[yaml.Event]) -> None:
        self._events = events
        self._anchors: dict[str, _Anchored | None] = {}
        self._size = 0
        self._lines: dict[FieldPath, int] = {}
        self._scalars: dict[FieldPath, str] = {}
        self._problems: list[YamlProblem] = []

    def document(self, line: int) -> YamlDocument:
        first = next(self._events)
        value = self._node(first, ())
        return YamlDocument(
            line=self._lines.get((), line),
            value=value,
            lines=self._lines,
            scalars=self._scalars,
            problems=tuple(self._problems),
        )

    def _node(self, event: yaml.Event, path: FieldPath) -> object:
        self._lines.setdefault(path, _line(event))
        self._grow(1, event)
        if len(path) > DEEPEST:
            raise _RefusedError(event, f"nested deeper than {DEEPEST} levels")
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event)
        anchor, before = (event.anchor if isinstance(event, yaml.NodeEvent) else None), self._size
        if anchor:
            self._anchors[anchor] = None
        value = self._value(event, path)
        if anchor:
            self._anchors[anchor] = _Anchored(value, self._size - before + 1)
        return value

    def _value(self, event: yaml.Event, path: FieldPath) -> object:
        if isinstance(event, yaml.ScalarEvent):
            return self._scalar(event, path)
        value = self._sequence(path) if isinstance(event, yaml.SequenceStartEvent) else self._mapping(path)
        if isinstance(event, yaml.CollectionStartEvent):
            self._check_tag(event, value)
        return value

    def _sequence(self, path: FieldPath) -> list[object]:
        found: list[object] = []
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            found.append(self._node(event, (*path, len(found))))
        return found

    def _mapping(self, path: FieldPath) -> dict[str, object]:
        found: dict[str, object] = {}
        merged: list[object] = []
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            if isinstance(event, yaml.ScalarEvent) and event.value == "<<" and event.style is None:
                merged.append(self._merge(event, path))
                continue
            key = self._key(event, path)
            at = (*path, key)
            if key in found:
                self._problem(event, f"duplicate key {shown(key)}, first on line {self._lines[at]}")
            self._lines.setdefault(at, _line(event))
            found[key] = self._node(next(self._events), at)
        for source in merged:
            found = {**source, **found} if isinstance(source, dict) else found
        return found

    def _merge(self, key: yaml.Event, path: FieldPath) -> object:
        value = self._node(next(self._events), (*path, "<<"))
        sources = value if isinstance(value, list) else [value]
        if not all(isinstance(source, dict) for source in sources):
            self._problem(key, 'the value of "<<" must be a mapping or a list of mappings')
            return {}
        # The first of several sources wins, and the mapping's own keys over all of them (YAML merge key type).
        return {name: inner for source in reversed(sources) for name, inner in source.items()}

    def _key(self, event: yaml.Event, path: FieldPath) -> str:
        key = self._node(event, (*path, "<key>"))
        self._lines.pop((*path, "<key>"), None)
        self._scalars.pop((*path, "<key>"), None)
        if isinstance(key, str):
            return key
        if type(key) is int:
            return str(key)
        written = printable(event.value) if isinstance(event, yaml.ScalarEvent) else "of this kind"
        self._problem(event, f"a key must be text: write {written} in quotes")
        return ""

    def _scalar(self, event: yaml.ScalarEvent, path: FieldPath) -> object:
        is_text = event.tag == "!" or (event.tag is None and event.style is not None)
        value = repaired(event.value) if is_text or event.tag == "tag:yaml.org,2002:str" else resolve(event.value)
        self._check_tag(event, value)
        if not isinstance(value, str):
            self._scalars[path] = event.value
        return value

    def _alias(self, event: yaml.AliasEvent) -> object:
        anchor = event.anchor or ""
        known = self._anchors.get(anchor)
        if known is None:
            what = "contains itself" if anchor in self._anchors else "is not defined before it is used"
            raise _RefusedError(event, f"anchor {printable(anchor)} {what}")
        self._grow(known.size, event)
        return known.value

    def _check_tag(self, event: yaml.ScalarEvent | yaml.CollectionStartEvent, value: object) -> None:
        if event.tag is None or event.tag == "!":
            return
        if type(value) not in _STANDARD_TAGS.get(event.tag, ()):
            name = printable(event.tag.replace("tag:yaml.org,2002:", "!!"))
            self._problem(event, f"tag {name} is not supported here: leave it out")

    def _grow(self, size: int, event: yaml.Event) -> None:
        self._size += size
        if self._size > MOST_VALUES:
            raise _RefusedError(event, f"more than {MOST_VALUES} values, aliases counted each time")

    def _problem(self, event: yaml.Event, text: str) -> None:
        self._problems.append(YamlProblem(line=_line(event), text=text))


def _without_json_tabs(text: str) -> str:
    # JSON may be indented with tabs and YAML may not; within a JSON string a raw tab is not allowed at all.
    if "\t" not in text or not text.lstrip().startswith("{"):
        return text
    try:
        msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError, UnicodeError):
        return text
    return text.replace("\t", " ")


def _syntax_problem(error: yaml.MarkedYAMLError, line: int) -> YamlProblem:
    mark = error.problem_mark or error.context_mark
    what = ", ".join(printable(part) for part in (error.context, error.problem) if part)
    if mark is None:
        return YamlProblem(line=line, text=f"YAML syntax: {what}")
    return YamlProblem(line=mark.line + 1, text=f"YAML syntax: {what} (column {mark.column + 1})")


def _line(event: yaml.Event) -> int:
    return event.start_mark.line + 1 if event.start_mark else 1


def _broken(problem: YamlProblem) -> YamlDocument:
    return YamlDocument(line=problem.line, problems=(problem,))
