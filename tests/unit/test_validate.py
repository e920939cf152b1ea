"""`prewarm validate`: what is printed, and the exit code."""

import io
from pathlib import Path

from daemon.validate import BAD_INPUT, FINE, validate


GOOD = (
    "apiVersion: apps.kruise.io/v1beta1\nkind: ImagePullJob\n"
    "metadata: {name: a}\nspec:\n  image: nginx\n  completionPolicy: {}\n"
)


def _validate(*sources: str | Path, stdin: bytes = b"") -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    code = validate([str(source) for source in sources], stdin=io.BytesIO(stdin), out=out, err=err)
    return code, out.getvalue(), err.getvalue()


def test_sound_manifests_are_fine() -> None:
    """One line that says what was read, and 0."""
    summary = "1 manifest: 1 ImagePullJob, 0 ImageListPullJobs, 0 NodeImages; 0 errors, 0 warnings\n"

    assert (FINE, summary, "") == _validate("-", stdin=GOOD.encode())


def test_warnings_are_printed_and_fine() -> None:
    """An unknown field is told and does not fail."""
    code, out, err = _validate("-", stdin=f"{GOOD}  paralelism: 3\n".encode())

    assert FINE == code
    assert out.endswith("0 errors, 1 warning\n")
    assert 'stdin:7: ImagePullJob/a: warning: unknown field "spec.paralelism" (did you mean "parallelism"?)\n' == err


def test_errors_are_printed_with_file_line_and_object(tmp_path: Path) -> None:
    """Every error of a file has a line that an editor can jump to, and the exit code is 2."""
    path = tmp_path / "a.yaml"
    path.write_text(f"{GOOD}  parallelism: -1\n", encoding="utf-8")

    code, out, err = _validate(path)

    assert BAD_INPUT == code
    assert out.endswith("1 error, 0 warnings\n")
    assert f"{path}:7: ImagePullJob/a: spec.parallelism: Invalid value: -1: must be >= 0\n" == err


def test_an_unreadable_source_is_an_error(tmp_path: Path) -> None:
    """A missing file is one line and exit code 2."""
    code, _, err = _validate(tmp_path / "missing.yaml")

    assert (BAD_INPUT, f"{tmp_path / 'missing.yaml'}: No such file or directory\n") == (code, err)


def test_nothing_to_validate_is_not_fine() -> None:
    """A pipeline whose list of files is empty by mistake fails."""
    code, out, _ = _validate()

    assert BAD_INPUT == code
    assert out.startswith("0 manifests")


def test_pull_secrets_are_counted_where_there_are_any() -> None:
    """A Secret beside the jobs is a manifest too."""
    secret = (
        "---\napiVersion: v1\nkind: Secret\nmetadata: {name: a}\ntype: kubernetes.io/dockercfg\n"
        "stringData: {.dockercfg: '{}'}\n"
    )

    code, out, _ = _validate("-", stdin=f"{GOOD}{secret}".encode())

    assert FINE == code
    assert out.startswith("2 manifests: 1 ImagePullJob, 0 ImageListPullJobs, 0 NodeImages, 1 pull Secret; ")
