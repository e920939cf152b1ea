"""Which living processes are an agent or a run of ours, and whether all could be seen."""

from pathlib import Path

import pytest

from daemon.cleaning.processes import Process, Processes, processes, role_of


ALL = "pid:[4026531836]"


def proc(folder: Path, *, namespace: str = ALL, **commands: list[str]) -> Path:
    """Make what looks like /proc, with processes p7="prewarm agent" and the like."""
    (folder / "self/ns").mkdir(parents=True)
    (folder / "self/ns/pid").symlink_to(namespace)
    (folder / "sys").mkdir()
    for name, words in commands.items():
        (folder / name[1:]).mkdir()
        (folder / name[1:] / "cmdline").write_bytes(b"".join(word.encode() + b"\0" for word in words))
    return folder


@pytest.mark.parametrize(
    ("words", "role"),
    [
        (["/usr/local/bin/prewarm", "agent", "--node-name", "a"], "agent"),
        (["/usr/bin/python3", "/usr/local/bin/prewarm", "agent"], "agent"),
        (["python3", "-m", "daemon", "agent"], "agent"),
        (["python3", "-P", "-m", "daemon", "run", "job.yaml"], "run"),
        (["kubectl-prewarm", "run", "job.yaml"], "run"),
        (["prewarm", "coordinator"], ""),
        (["prewarm", "clean"], ""),
        (["vi", "prewarm", ""], ""),
        (["daemon", "agent"], ""),
        (["grep", "agent"], ""),
        ([""], ""),
        ([], ""),
    ],
)
def test_a_command_line_tells_what_it_does_of_ours(words: list[str], role: str) -> None:
    """However it was started, and nothing else for it."""
    assert role == role_of(words)


def test_living_agents_and_runs_are_named_by_their_numbers(tmp_path: Path) -> None:
    """So that one can look who they are; the init process of the machine sees all."""
    folder = proc(tmp_path, p12=["prewarm", "run", "a.yaml"], p7=["python", "-m", "daemon", "agent"], p9=["sh"])

    assert Processes(seen=(Process(7, "agent"), Process(12, "run")), are_all=True) == processes(proc=folder)


def test_in_a_container_others_cannot_be_seen(tmp_path: Path) -> None:
    """It is in a namespace of its own."""
    folder = proc(tmp_path, namespace="pid:[4026532999]", p1=["prewarm", "clean"])

    assert Processes(seen=(), are_all=False) == processes(proc=folder)


def test_a_process_that_has_just_ended_is_none(tmp_path: Path) -> None:
    """Its files go before its folder does; and without any no namespace is known."""
    (tmp_path / "7").mkdir()

    assert Processes(seen=(), are_all=False) == processes(proc=tmp_path)
