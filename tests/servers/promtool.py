"""
Prometheus's own tool for rules: from PATH, else out of the distribution's package, which is only unpacked.

It needs neither root nor a Prometheus that runs.
"""

import shutil
import subprocess
from pathlib import Path
from typing import Final

from tests.servers.setup import apt


RULES: Final = "prewarm-rules.yaml"
"""What the plain rule file is called, in deploy/extras/README.md and in a file of tests."""
SECONDS: Final = 60


def promtool() -> Path:
    """
    Return promtool, bringing it first where it is absent.

    Raises:
        CommandFailed: the configured sources do not have the package.
    """
    found = shutil.which("promtool")
    return Path(found) if found else apt.unpacked("prometheus") / "usr/bin/promtool"


def problems(command: str, *, rules: str, tests: str | None = None, folder: Path) -> str:
    """
    Return what promtool has against a rule file, "" for nothing.

    Args:
        command: `check` or `test`.
        rules: the text of a plain rule file.
        tests: the text of a file of tests that names RULES; for `test` alone.
        folder: an empty one, where both are put.
    """
    (folder / RULES).write_text(rules, encoding="utf-8")
    file = RULES
    if tests is not None:
        file = "tests.yaml"
        (folder / file).write_text(tests, encoding="utf-8")
    options = ["--lint-fatal"] if command == "check" else []
    line = [str(promtool()), command, "rules", *options, file]
    done = subprocess.run(line, cwd=folder, capture_output=True, text=True, timeout=SECONDS, check=False)
    return done.stdout + done.stderr if done.returncode else ""
