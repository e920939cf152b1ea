"""The ten questions of docs/runbook.md, each answered by the one command that stands there, on a real API server."""

import functools
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.behaviour.night import EVICTED, THROTTLED, TIMEOUT, make_night
from tests.behaviour.runbook import QUESTIONS, ROOT, answers, command, run
from tests.servers.apiserver import ApiServer
from tests.servers.persons import kubeconfig_of


Ask = Callable[[str], str]
ACCOUNT = "oncall"
STOP = "Stop everything now"


@pytest.fixture(scope="module")
def night(with_roles: ApiServer) -> ApiServer:
    """The module's API server as somebody who is woken up finds it."""
    make_night(with_roles)
    return with_roles


@pytest.fixture(scope="module")
def kubeconfig(night: ApiServer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A person on call, with the roles that the commands of docs/status.md give to a group, and no other right."""
    folder = tmp_path_factory.mktemp(ACCOUNT)
    text = (ROOT / "docs/status.md").read_text(encoding="utf-8").partition("\n## Rights\n")[2]
    for line in re.findall(r"^kubectl .*$", text.partition("\n## ")[0], re.MULTILINE):
        given = line.replace("--group oncall", f"--serviceaccount default:{ACCOUNT}")
        run(given, kubeconfig=night.kubeconfig, home=folder)
    return kubeconfig_of(night, folder / "config", namespace="default", account=ACCOUNT)


@pytest.fixture(scope="module")
def ask(kubeconfig: Path) -> Ask:
    """Run the command that stands below a question, once, and return the answer with single blanks."""

    @functools.cache
    def asked(question: str) -> str:
        lines = run(command(question), kubeconfig=kubeconfig, home=kubeconfig.parent).splitlines()
        return "\n".join(" ".join(line.split()) for line in lines)

    return asked


@pytest.fixture
def resumed(kubeconfig: Path, tmp_path: Path) -> Iterator[None]:
    """Let all go on at the end."""
    yield
    run("prewarm resume --all -A", kubeconfig=kubeconfig, home=tmp_path)


def _rows(page: str, title: str) -> list[list[str]]:
    """Return the words of a table's rows: of the one with a title, or of the only one."""
    lines = page.splitlines()
    first = lines.index(title) + 2 if title else 1
    end = lines.index("", first) if "" in lines[first:] else len(lines)
    return [line.split() for line in lines[first:end]]


def test_each_question_has_one_command() -> None:
    """All ten, in their order; and what is said of kubectl prewarm."""
    found = answers()

    assert list(QUESTIONS) == list(found)
    assert [1] * len(QUESTIONS) == [len(lines) for lines in found.values()]


def test_which_nodes_are_cold_and_why(ask: Ask) -> None:
    """Each by name, over all jobs, with the reason and the words; warm ones are not in the way."""
    rows = _rows(ask("Which nodes are cold, and why?"), "NOT WARM")

    cold = {row[0]: (row[9], " ".join(row[10:])) for row in rows if row[7] != "0"}
    assert {
        "worker-2": ("-", "it pulls"),
        "worker-3": ("RegistryUnavailable", TIMEOUT),
        "worker-7": ("EvictionLoop", EVICTED),
    } == cold
    assert "worker-1" not in [row[0] for row in rows]


def test_only_stale_or_really_absent(ask: Ask) -> None:
    """Of each job how many nodes have an older image, and how many have none."""
    head, *rows = [line.split() for line in ask("Only stale, or really absent?").splitlines()]

    stale, cold = head.index("STALE"), head.index("COLD")
    assert ("1", "3") == next((row[stale], row[cold]) for row in rows if row[1] == "base")
    assert ("0", "0") == next((row[stale], row[cold]) for row in rows if row[1] == "gpu-runtime")


def test_who_is_pulling_how_far_until_when(ask: Ask) -> None:
    """The node, its bytes, since when, and when the job is likely to have ended."""
    page = ask("Who is pulling, how far, until when?")

    (row,) = _rows(page, "PULLING")
    assert "worker-2 [##########----------] 50% 512.0 MiB of 1.0 GiB" == " ".join(row[:8])
    assert re.search(r"^ETA: in (89|90)m \(\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ\)$", page, re.MULTILINE)


def test_whether_the_refresh_ends_in_its_window(ask: Ask) -> None:
    """Of the one that runs, by how much it is late; of others nothing."""
    head, *rows = [line.split() for line in ask("Will the refresh end in its window?").splitlines()]

    window = head.index("WINDOW")
    found = {row[1]: " ".join(row[window : window + 3]) for row in rows}
    assert "late by 30m" == found["base"]
    assert found["gpu-runtime"].startswith("- ")


def test_which_registry_hurts(ask: Ask) -> None:
    """The worst first, with what fails, on which nodes; what a node's own disk does is no registry's."""
    worst, other = _rows(ask("Which registry hurts us?"), "REGISTRIES")

    words = "registry.example.com 1 1 2 RegistryUnavailable 1, RegistryThrottled 1 worker-3, worker-6"
    assert f"{words} {TIMEOUT}" == " ".join(worst)
    assert "quay.example.com 1 0 0 - - -" == " ".join(other)


@pytest.mark.usefixtures("resumed")
def test_everything_is_stopped(night: ApiServer, ask: Ask) -> None:
    """Jobs and lists of all namespaces; a list's jobs are its own to stop."""
    said = ask(STOP).splitlines()

    kinds = "/apis/apps.kruise.io/v1beta1"
    suspended = {
        found["metadata"]["name"]: found["spec"].get("prewarm", {}).get("suspend", False)
        for resource in ("imagepulljobs", "imagelistpulljobs")
        for found in night.request("GET", f"{kinds}/{resource}")["items"]
    }
    assert {
        "base": True,
        "gpu-runtime": True,
        "nightly": True,
        "nightly-a-nope": False,
        "nightly-b-v2": False,
    } == suspended
    assert 5 == len(said)


def test_why_a_node_is_skipped(ask: Ask) -> None:
    """In a word and a sentence."""
    assert "Skipped: NodeNotReady: the node is not Ready" in ask("Why was this node skipped?").splitlines()


def test_what_evicted_an_image(ask: Ask) -> None:
    """The kubelet, by the agent's words, and how full the disk is."""
    page = ask("What evicted the image?")

    assert "SpaceSufficient: False, DiskLow: 12.1 GiB free on /, 20.0 GiB must stay free" in page.splitlines()
    assert any("base:latest Waiting" in line and EVICTED in line for line in page.splitlines())


def test_which_agents_run_which_version(ask: Ask) -> None:
    """How many of each, who has none, and each node with its own."""
    page = ask("Which agents run which version, which nodes have none?")

    rows = _rows(page, "AGENTS")
    assert [("none", "1"), ("0.1.0", "5"), ("0.0.9", "1")] == [(row[0], row[1]) for row in rows]
    assert "worker-5" == rows[0][2]
    versions = {row[0]: row[1] for row in _rows(page, "NODES")}
    assert ("0.1.0", "0.0.9", "none", 7) == (
        *(versions["worker-1"], versions["worker-4"], versions["worker-5"]),
        len(versions),
    )


def test_which_job_fills_the_disks(ask: Ask) -> None:
    """What takes most first, with its bytes on one node and on all, and who wants it."""
    page = ask("Which job fills the disks?")

    first, second = (" ".join(row) for row in _rows(page, "IMAGES"))
    assert "quay.example.com/gpu-runtime:v7 7 6 0 0 9.0 GiB 54.0 GiB - team-b/gpu-runtime -" == first
    assert second.startswith("registry.example.com/base:latest 7 3 1 2 1.0 GiB 3.0 GiB")
    assert THROTTLED not in second
    assert page.endswith("images that no job wants take 896.0 MiB more, of those that the kubelets name")


@pytest.mark.parametrize("question", [question for question in QUESTIONS if question != STOP])
def test_each_sample_looks_like_the_answer(ask: Ask, question: str) -> None:
    """Its titles, columns and names of facts stand in the answer, so that a person finds them."""
    text = (ROOT / "docs/runbook.md").read_text(encoding="utf-8")
    sample = text.partition(f"\n### {question}\n")[2].partition("```text\n")[2].partition("```")[0]

    page = ask(question)

    lines = [" ".join(line.split()) for line in sample.splitlines()]
    heads = [line for line in lines if line and line == line.upper() and not re.search(r"[\d.]", line)]
    labels = [line.partition(" ")[0] for line in lines if re.match(r"[A-Z][A-Za-z]+: ", line)]
    assert heads or labels
    assert [] == [head for head in heads if head not in page.splitlines()]
    assert [] == [label for label in labels if f"\n{label} " not in f"\n{page}"]


def test_kubectl_knows_the_command(kubeconfig: Path, tmp_path: Path) -> None:
    """`kubectl prewarm` is the same."""
    line = command("Which registry hurts us?")

    ours, theirs = (run(f"{before}{line}", kubeconfig=kubeconfig, home=tmp_path) for before in ("", "kubectl "))

    assert ours == theirs
