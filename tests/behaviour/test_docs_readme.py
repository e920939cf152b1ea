"""
The README's first screen is what a person sees: its job, its commands, and the output that stands there.

Three nodes with a real containerd and a real agent each, of which one can't reach the registry.
"""

import re
from pathlib import Path

import pytest

from tests.behaviour.deploy_document import shell
from tests.servers.apiserver import ApiServer
from tests.servers.containerd import Hosts
from tests.servers.fixtures_coordinator import JoinNode
from tests.servers.images import Push
from tests.servers.jobs import JobOnServer, said
from tests.servers.proxy import FaultProxy
from tests.servers.registry import Registry


ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
JOB = "base-image-job"
# What is another in each run: durations, times and digests; and how wide a column is.
VARYING = (
    (r"sha256:[0-9a-f]+", "sha256:..."),
    (r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ", "TIME"),
    (r"\b\d+[smhd]\b", "AGE"),
    (r"[ \t]+", " "),
)
MORE = " ..."

pytestmark = [pytest.mark.usefixtures("coordinator"), pytest.mark.timeout(240)]


def _sample() -> str:
    """Return the block with the two commands and what they print."""
    blocks: list[str] = re.findall(r"```console\n(.*?)```", README, re.DOTALL)
    return next(block for block in blocks if JOB in block)


def _apply() -> str:
    """Return the command of the README that applies the job."""
    (line,) = (line for line in README.splitlines() if "examples/base-image-job.yaml | kubectl apply" in line)
    return line


def _plain(text: str) -> str:
    for pattern, word in VARYING:
        text = re.sub(pattern, word, text)
    return "\n".join(line.strip() for line in text.splitlines() if line.strip())


def _cut(text: str, *, like: str) -> str:
    """Cut the lines that the document cuts: those that end in dots there."""
    lines = like.splitlines()
    cuts = [len(line) - len(MORE) if line.endswith(MORE) else None for line in lines]
    found = text.splitlines()
    assert len(lines) == len(found), text
    return "\n".join(line if cut is None else f"{line[:cut]}{MORE}" for line, cut in zip(found, cuts, strict=True))


def test_the_output_of_the_first_screen_is_what_a_person_gets(
    deployed: ApiServer, join_node: JoinNode, push: Push, registry: Registry, hosts: Hosts, faults: FaultProxy
) -> None:
    """Two nodes have the image, the third says why not, and both commands print what stands there."""
    push("base", tag="latest", layers=[1 << 20])
    hosts.add("registry.example.com", registry.url)
    mirrors = Hosts(hosts.folder.with_name("mirrors"))
    mirrors.add("registry.example.com", faults.url)
    faults.refuse()
    join_node("worker-1")
    join_node("worker-2")
    join_node("worker-3", mirrors=mirrors)
    job = JobOnServer(deployed, "default", JOB)

    shell(_apply(), cluster=deployed)
    job.until(
        lambda status: (2, 1) == (status.get("succeeded"), status.get("failed")) and said(status, "Ready") == "False",
        what="two nodes are warm, and the third has failed",
        timeout_seconds=120,
    )
    printed = [
        f"$ {line}\n{shell(line, cluster=deployed)}" for line in re.findall(r"^\$ (.*)$", _sample(), re.MULTILINE)
    ]
    job.delete()

    sample = _plain(_sample())
    assert sample == _cut(_plain("".join(printed)), like=sample)
