"""Manifests from files, folders and standard input."""

import io
import os
from pathlib import Path

import pytest

from daemon.api.manifest import describe
from daemon.manifests import LARGEST_BYTES, read_manifests


JOB = (
    "apiVersion: apps.kruise.io/v1beta1\nkind: ImagePullJob\n"
    "metadata: {name: NAME}\nspec: {image: nginx, completionPolicy: {}}\n"
)


def _read(*sources: str | Path, stdin: bytes = b"") -> tuple[list[str], list[str]]:
    """Return the names of the jobs, and the problems as lines."""
    found = read_manifests([str(source) for source in sources], stdin=io.BytesIO(stdin))
    return [job.name for job in found.jobs], [describe(problem) for problem in found.problems]


def _write(path: Path, name: str) -> Path:
    path.write_text(JOB.replace("NAME", name), encoding="utf-8")
    return path


def test_files_are_read_in_the_order_given(tmp_path: Path) -> None:
    """The order of the arguments is the order of the jobs."""
    first, second = _write(tmp_path / "z.yaml", "z"), _write(tmp_path / "a.yaml", "a")

    assert (["z", "a"], []) == _read(first, second)


def test_a_folder_is_read_by_name_and_not_into_its_depth(tmp_path: Path) -> None:
    """As kubectl does: *.yaml, *.yml and *.json of the folder itself."""
    for name in ("c.json", "a.yaml", "b.yml", "d.txt"):
        _write(tmp_path / name, name[0])
    (tmp_path / "deeper.yaml").mkdir()
    _write(tmp_path / "deeper.yaml" / "e.yaml", "e")

    assert (["a", "b", "c"], []) == _read(tmp_path)


def test_standard_input_is_a_source() -> None:
    """A dash reads what is piped in, and its problems say so."""
    names, problems = _read("-", stdin=JOB.replace("NAME", "piped").encode() + b"---\n5\n")

    assert ["piped"] == names
    assert ['stdin:6: Invalid value: "integer": must be of type object: "integer"'] == problems


def test_a_source_that_is_given_twice_is_read_once(tmp_path: Path) -> None:
    """The same file twice is not the same job twice."""
    path = _write(tmp_path / "a.yaml", "a")

    assert (["a"], []) == _read(path, path)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "no manifest in it"),
        (b"# only a comment\n---\n", "no manifest in it"),
        (b" " * (LARGEST_BYTES + 1), f"larger than {LARGEST_BYTES} bytes"),
    ],
)
def test_a_file_with_nothing_to_read_is_an_error(tmp_path: Path, content: bytes, expected: str) -> None:
    """Nothing in a file is hardly what was meant."""
    path = tmp_path / "a.yaml"
    path.write_bytes(content)

    assert ([], [f"{path}: {expected}"]) == _read(path)


def test_a_file_that_is_no_text_is_an_error_with_its_line(tmp_path: Path) -> None:
    """Bytes that are not UTF-8 are found on their line."""
    path = tmp_path / "a.yaml"
    path.write_bytes(b"a: 1\nb: \xff\n")

    assert ([], [f"{path}:2: not UTF-8 text"]) == _read(path)


def test_what_cannot_be_read_is_an_error_and_the_rest_is_read(tmp_path: Path) -> None:
    """A missing file, a loop of links, a bad name: one line each, and the good file's job is there."""
    good = _write(tmp_path / "good.yaml", "good")
    loop = tmp_path / "loop.yaml"
    loop.symlink_to(loop)
    missing = tmp_path / "missing.yaml"

    names, problems = _read(missing, loop, "a\x00b", good)

    assert ["good"] == names
    assert [
        f"{missing}: No such file or directory",
        f"{loop}: Too many levels of symbolic links",
        "a\\x00b: is no path",
    ] == problems


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission_is_an_error(tmp_path: Path) -> None:
    """No right to read is said, not raised."""
    path = _write(tmp_path / "a.yaml", "a")
    path.chmod(0)

    assert ([], [f"{path}: Permission denied"]) == _read(path)


def test_a_folder_without_manifests_is_an_error(tmp_path: Path) -> None:
    """A wrong folder is not silently nothing."""
    assert ([], [f"{tmp_path}: no manifest in this folder: no file ends in .json, .yaml, .yml"]) == _read(tmp_path)
