"""The ten questions of docs/runbook.md with their commands, and how a person runs one, for whichever cluster."""

import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from tests.servers.shell import programs


ROOT: Final = Path(__file__).parents[2]
QUESTIONS: Final = (
    "Which nodes are cold, and why?",
    "Only stale, or really absent?",
    "Who is pulling, how far, until when?",
    "Will the refresh end in its window?",
    "Which registry hurts us?",
    "Stop everything now",
    "Why was this node skipped?",
    "What evicted the image?",
    "Which agents run which version, which nodes have none?",
    "Which job fills the disks?",
)
SECONDS: Final = 60


def answers() -> dict[str, list[str]]:
    """Return the lines of the blocks of commands below each question of the document."""
    text = (ROOT / "docs/runbook.md").read_text(encoding="utf-8")
    section = text.partition("\n## The ten questions at 3 a.m.\n")[2].partition("\n## ")[0]
    found = {}
    for part in section.split("\n### ")[1:]:
        title, _, rest = part.partition("\n")
        blocks = re.findall(r"^```sh\n(.*?)^```", rest, re.DOTALL | re.MULTILINE)
        found[title] = [line for block in blocks for line in block.splitlines()]
    return found


def command(question: str, *, names: Mapping[str, str] | None = None) -> str:
    """
    Return the command that answers a question, as it stands in the document.

    `names` are other ones in the place of the document's: `base`, `team-a`, `worker-4`, `worker-7`.
    """
    line = answers()[question][0]
    for stand_in, name in (names or {}).items():
        line = re.sub(rf"(?<![\w-]){re.escape(stand_in)}(?![\w-])", name, line)
    return line


def run(line: str, *, kubeconfig: Path, home: Path) -> str:
    """Run a line as a person would, with what it names on their PATH; it has to end well and complain of nothing."""
    environment = {
        **programs(),
        "KUBECONFIG": str(kubeconfig),
        "KUBERC": "off",
        "HOME": str(home),
    }
    shell = ["bash", "-o", "pipefail", "-c", line]
    done = subprocess.run(shell, capture_output=True, text=True, env=environment, timeout=SECONDS, check=False)
    assert (0, "") == (done.returncode, done.stderr), done.stderr
    return done.stdout
