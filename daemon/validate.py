"""`prewarm validate`: check manifests without applying them, by the rules that the API server has too."""

from collections.abc import Sequence
from typing import BinaryIO, Final, TextIO

from daemon.api.manifest import Manifests, describe
from daemon.manifests import read_manifests


FINE: Final = 0
BAD_INPUT: Final = 2


def validate(sources: Sequence[str], *, stdin: BinaryIO, out: TextIO, err: TextIO) -> int:
    """
    Print a line for each error and warning, then a summary, and return the exit code.

    Args:
        sources: files, folders (not those within), or "-".
        stdin: where "-" reads, as bytes.
        out: where the summary goes.
        err: where errors and warnings go, as FILE:LINE: KIND/NAME: what is wrong.

    Returns:
        0 if everything is sound (there may be warnings), 2 if not, or if a source can't be read or has no manifest.

    """
    manifests = read_manifests(sources, stdin=stdin)
    for problem in manifests.problems:
        print(describe(problem), file=err)
    print(_summary(manifests), file=out)
    return BAD_INPUT if manifests.errors or not manifests.objects else FINE


def _summary(manifests: Manifests) -> str:
    errors = len(manifests.errors)
    warnings = len(manifests.problems) - errors
    secrets = f", {_count(len(manifests.secrets), 'pull Secret')}" if manifests.secrets else ""
    return (
        f"{_count(manifests.objects, 'manifest')}: {_count(len(manifests.jobs), 'ImagePullJob')}, "
        f"{_count(len(manifests.lists), 'ImageListPullJob')}, {_count(len(manifests.node_images), 'NodeImage')}"
        f"{secrets}; {_count(errors, 'error')}, {_count(warnings, 'warning')}"
    )


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
