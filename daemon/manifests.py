"""
Manifests from files, folders and standard input.

For `prewarm run` and `prewarm validate`. What stands in a manifest is api/manifest.py's to judge; here a source that
can't be read, or has nothing in it, becomes a problem like any other.
"""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, Final

from daemon.api.manifest import Manifests, Problem, merge, parse_manifests


STDIN: Final = "-"
SUFFIXES: Final = (".json", ".yaml", ".yml")
LARGEST_BYTES: Final = 8 * 1024 * 1024


def read_manifests(sources: Sequence[str], *, stdin: BinaryIO) -> Manifests:
    """
    Read and parse every source; never raises for a bad one, the problems say what is wrong and where.

    Args:
        sources: files, folders, or "-" for standard input. Of a folder its *.yaml, *.yml and *.json are read in the
            order of their names, without the folders in it, as `kubectl apply -f` does.
        stdin: where "-" reads, as bytes.

    """
    return merge(part for source in dict.fromkeys(sources) for part in _source(source, stdin=stdin))


def _source(source: str, *, stdin: BinaryIO) -> Iterator[Manifests]:
    if source == STDIN:
        yield _parsed(stdin.read(LARGEST_BYTES + 1), source="stdin")
        return
    try:
        paths = _files_in(Path(source)) if Path(source).is_dir() else [Path(source)]
    except (OSError, ValueError) as error:
        yield _refused(source, _why(error))
        return
    if not paths:
        yield _refused(source, f"no manifest in this folder: no file ends in {', '.join(SUFFIXES)}")
    for path in paths:
        yield _file(path)


def _files_in(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.suffix in SUFFIXES and not path.is_dir())


def _file(path: Path) -> Manifests:
    try:
        with path.open("rb") as file:
            return _parsed(file.read(LARGEST_BYTES + 1), source=os.fspath(path))
    except (OSError, ValueError) as error:
        return _refused(os.fspath(path), _why(error))


def _parsed(content: bytes, *, source: str) -> Manifests:
    if len(content) > LARGEST_BYTES:
        return _refused(source, f"larger than {LARGEST_BYTES} bytes")
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        return Manifests(problems=(Problem(source=source, line=line, text="not UTF-8 text"),))
    manifests = parse_manifests(text, source=source)
    return manifests if manifests.objects else _refused(source, "no manifest in it")


def _why(error: OSError | ValueError) -> str:
    """Say why a path can't be read; ValueError is what Python has for a path with a null byte."""
    return error.strerror or "cannot be read" if isinstance(error, OSError) else "is no path"


def _refused(source: str, text: str) -> Manifests:
    return Manifests(problems=(Problem(source=source, text=text),))
