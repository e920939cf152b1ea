"""
A cursor over a manifest's plain values that checks as it reads and collects everything it finds wrong.

A person who applies a manifest with four mistakes should see four lines, in kubectl's words, not the first of them
four times. Which fields there are, and what they mean together, is said in rules/; text and lines are yamltext.py's.
"""

import difflib
from collections.abc import Collection
from enum import StrEnum
from typing import Final, Self, TypeVar

import msgspec

from daemon.api.findings import FieldPath, Finding, Findings, path_text, printable, shown, type_name


INT32_MAX: Final = 2**31 - 1
INT64_MAX: Final = 2**63 - 1

Default = TypeVar("Default")
Wanted = TypeVar("Wanted")
Choice = TypeVar("Choice", bound=StrEnum)


class Field(msgspec.Struct, frozen=True, kw_only=True):
    """
    One place of a manifest. Readers return the value, or the default where it is absent or wrong.

    null counts as absent where there is a default, as the API server prunes it there; elsewhere it is a wrong type.
    """

    value: object
    findings: Findings
    path: FieldPath = ()

    @property
    def is_present(self) -> bool:
        """Whether anything stands here."""
        return self.value is not msgspec.UNSET

    @property
    def label(self) -> str:
        """The path as kubectl writes it, such as spec.images[3]."""
        return path_text(self.path)

    def child(self, name: str) -> Self:
        """Go to a member of this object, present or not."""
        inner = self.value.get(name, msgspec.UNSET) if isinstance(self.value, dict) else msgspec.UNSET
        return self._at(name, inner)

    def is_object(self, known: Collection[str] = ()) -> bool:
        """Tell whether an object stands here, and warn of each member that is not `known` (if any are given)."""
        found = self._read("object", dict)
        if found is None:
            return False
        for name in found if known else ():
            if name not in known:
                self.child(name).warn(f'unknown field "{self.child(name).label}"{_did_you_mean(name, known)}')
        return True

    def items(self, *, at_most: int | None = None) -> tuple[Self, ...]:
        """Return the elements of an array, none where it is absent."""
        found: list[object] = self._read("array", list) or []
        self._bounded(len(found), at_most)
        return tuple(self._at(index, inner) for index, inner in enumerate(found))

    def entries(self, *, at_most: int | None = None) -> dict[str, Self]:
        """Return the members of a map by key, none where it is absent."""
        found: dict[str, object] = self._read("object", dict) or {}
        self._bounded(len(found), at_most)
        return {key: self._at(key, inner) for key, inner in found.items()}

    def integer(self, default: Default, *, minimum: int = 0, maximum: int = INT32_MAX) -> int | Default:
        """Return a whole number within the bounds; 3.0 is 3, as the API server has it."""
        is_whole = isinstance(self.value, float) and self.value.is_integer()
        value = None if self._falls_back(default) else self._read("integer", float if is_whole else int)
        if value is None:
            return default
        value = int(value)
        if value < minimum:
            self.invalid(f"must be >= {minimum}")
        elif value > maximum:
            self.invalid(f"must be <= {maximum}")
        return value

    def string(self, default: Default) -> str | Default:
        """Return text; where YAML has made something else of it, the error says to quote it."""
        value = None if self._falls_back(default) else self._read("string", str)
        return default if value is None else value

    def optional_string(self) -> str | None:
        """Return text, None where it is absent or wrong."""
        return self._read("string", str)

    def required_string(self) -> str:
        """Return text that may not be absent or empty."""
        if not self.is_present or self.value == "":
            self.required()
            return ""
        return self.optional_string() or ""

    def boolean(self, default: Default) -> bool | Default:
        """Return true or false."""
        value = None if self._falls_back(default) else self._read("boolean", bool)
        return default if value is None else value

    def choice(self, default: Choice) -> Choice:
        """Return one value of the default's enumeration."""
        text = self.string(default.value)
        supported = [member.value for member in type(default)]
        if text in supported:
            return type(default)(text)
        self.unsupported(supported)
        return default

    def string_map(self) -> dict[str, str]:
        """Return a map of text to text, such as labels."""
        return {key: inner.optional_string() or "" for key, inner in self.entries().items()}

    def wrong_type(self, wanted: str) -> None:
        """Report that the value is of another type than wanted."""
        got = type_name(self.value)
        written = self.findings.written(self.path)
        hint = ""
        if "string" in wanted and got in ("integer", "number", "boolean") and written:
            hint = f": YAML reads {printable(written)} as {_article(got)}, write {shown(written)} in quotes"
        where = f"{self.label} in body " if self.path else ""
        self.error(f'Invalid value: "{got}": {where}must be of type {wanted}: "{got}"{hint}')

    def invalid(self, why: str) -> None:
        """Report a value that breaks a rule, and the rule."""
        self.error(f"Invalid value: {shown(self.value)}: {why}")

    def required(self, why: str = "") -> None:
        """Report a value that is missing."""
        self.error(f"Required value{_and(why)}")

    def forbidden(self, why: str) -> None:
        """Report a field that may not be set here."""
        self.error(f"Forbidden: {why}")

    def duplicate(self) -> None:
        """Report a value that stands here for the second time."""
        self.error(f"Duplicate value: {shown(self.value)}")

    def unsupported(self, supported: Collection[str]) -> None:
        """Report a value that is none of a closed list."""
        values = ", ".join(shown(value) for value in supported)
        self.error(f"Unsupported value: {shown(self.value)}: supported values: {values}")

    def error(self, what: str) -> None:
        """Report an error at this place."""
        self.findings.add(Finding(path=self.path, text=f"{self.label}: {what}" if self.path else what))

    def warn(self, text: str) -> None:
        """Report something that is allowed but hardly meant."""
        self.findings.add(Finding(path=self.path, text=text, is_warning=True))

    def _at(self, step: str | int, value: object) -> Self:
        return type(self)(value=value, findings=self.findings, path=(*self.path, step))

    def _falls_back(self, default: object) -> bool:
        return not self.is_present or (self.value is None and default is not None)

    def _read(self, name: str, wanted: type[Wanted]) -> Wanted | None:
        # type() and not isinstance(): True is an int to Python.
        if type(self.value) is wanted:
            return self.value
        if self.is_present:
            self.wrong_type(name)
        return None

    def _bounded(self, count: int, at_most: int | None) -> None:
        if at_most is not None and count > at_most:
            self.error(f"Too many: {count}: must have at most {at_most} items")


def _did_you_mean(name: str, known: Collection[str]) -> str:
    close = difflib.get_close_matches(name[:64], list(known), n=1, cutoff=0.75)
    return f' (did you mean "{close[0]}"?)' if close else ""


def _article(noun: str) -> str:
    return f"an {noun}" if noun[0] in "aeiou" else f"a {noun}"


def _and(why: str) -> str:
    return f": {why}" if why else ""
