"""
The steps of docs/migrate-from-openkruise.md with their commands and the answers that stand below them.

Whoever follows the document runs each line as it stands there, in a checkout; a block of text right below commands is
what the last of them says in the end.
"""

import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from tests.behaviour.deploy_document import IMAGE
from tests.servers.processes import until
from tests.servers.shell import programs


ROOT: Final = Path(__file__).parents[2]
DOCUMENT: Final = ROOT / "docs/migrate-from-openkruise.md"
COMMAND_SECONDS: Final = 120
ANSWER_SECONDS: Final = 60.0
# What tells by its exit code, too, that there is something to do.
_TELLS: Final = re.compile(r"^prewarm check$")


class Block(msgspec.Struct, frozen=True):
    """Lines to run, and what the last one says; "" where the document does not show it."""

    lines: tuple[str, ...]
    answer: str = ""


class Ran(msgspec.Struct, frozen=True):
    """A line that was run, and what it printed."""

    line: str
    output: str


def blocks(heading: str) -> list[Block]:
    """Return the commands below a heading of the document, up to the next one."""
    text = DOCUMENT.read_text(encoding="utf-8")
    parts = re.split(r"^#{2,3} ", text, flags=re.MULTILINE)
    (section,) = (part for part in parts if part.partition("\n")[0] == heading)
    found: list[Block] = []
    for kind, body in re.findall(r"^```(sh|text)\n(.*?)^```", section, re.DOTALL | re.MULTILINE):
        if kind == "sh":
            found.append(Block(tuple(body.splitlines())))
        else:
            found[-1] = Block(found[-1].lines, body)
    return found


class Follower:
    """
    A person with an administrator's kubeconfig, who follows the document.

    Args:
        kubeconfig: theirs.
        home: where they keep what they save.
        settle: called after each line: what runs in the cluster follows.
    """

    def __init__(self, kubeconfig: Path, home: Path, *, settle: Callable[[], None]) -> None:
        self.home = home
        self._settle = settle
        self._environment = {
            **programs(),
            "KUBECONFIG": str(kubeconfig),
            "KUBERC": "off",
            "HOME": str(home),
            # Of the document before it: the image, by its digest in a registry of theirs.
            "image": IMAGE,
        }

    def follow(self, heading: str, *, places: slice = slice(None)) -> list[Ran]:
        """Run the blocks below a heading, or those at these places; each has to end well, and say what is shown."""
        found = blocks(heading)[places]
        assert found, heading
        return [ran for block in found for ran in self._block(block)]

    def run(self, line: str) -> str:
        """Run a line, and return what it prints."""
        done = self._done(line)
        assert done.returncode in {0, 1} if _TELLS.match(line) else done.returncode == 0, f"{line}\n{done.stderr}"
        assert "rror" not in done.stderr, f"{line}\n{done.stderr}"
        self._settle()
        return done.stdout

    def _block(self, block: Block) -> list[Ran]:
        ran = [Ran(line, self.run(line)) for line in block.lines]
        if block.answer not in {"", ran[-1].output}:
            until(
                lambda: block.answer == self.run(block.lines[-1]),
                what=f"{block.lines[-1]} says {block.answer}",
                timeout_seconds=ANSWER_SECONDS,
            )
        return ran

    def _done(self, line: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["bash", "-c", line],
            capture_output=True,
            text=True,
            env=self._environment,
            cwd=ROOT,
            timeout=COMMAND_SECONDS,
            check=False,
        )
