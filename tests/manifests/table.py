"""Reads the table of good and bad manifests beside it; see README.md for its form."""

import re
from collections.abc import Iterator
from pathlib import Path

import msgspec


_FOLDER = Path(__file__).parent
_HEADER = re.compile(r"# (case|error|warning|server): (.*)")


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """One manifest, what must be found in it, and what a server says where it can't agree ("accepts (why)")."""

    topic: str
    name: str
    text: str
    errors: tuple[str, ...]
    warnings: tuple[str, ...]
    server: str

    @property
    def is_good(self) -> bool:
        """Whether no error is expected."""
        return not self.errors

    @property
    def server_accepts(self) -> bool:
        """Whether an API server with our CRDs must take it."""
        return self.server.startswith("accepts") if self.server else self.is_good


def cases() -> tuple[Case, ...]:
    """Return every case of every topic."""
    return tuple(case for path in sorted(_FOLDER.glob("*.yaml")) for case in _cases_of(path))


def _cases_of(path: Path) -> Iterator[Case]:
    for part in re.split(r"^---\n", path.read_text(encoding="utf-8"), flags=re.MULTILINE):
        headers = [match.groups() for line in part.splitlines() if (match := _HEADER.fullmatch(line))]
        found: dict[str, list[str]] = {key: [] for key in ("case", "error", "warning", "server")}
        for key, value in headers:
            found[key].append(value)
        if found["case"]:
            yield Case(
                topic=path.stem,
                name=found["case"][0],
                text=part,
                errors=tuple(found["error"]),
                warnings=tuple(found["warning"]),
                server=next(iter(found["server"]), ""),
            )
