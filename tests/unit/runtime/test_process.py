"""How a process is told from another that got its pid later."""

import os
import subprocess
import sys

from daemon.runtime.process import is_running, own_process


def test_this_process_runs() -> None:
    """A process finds itself running."""
    assert is_running(own_process())


def test_a_process_that_has_ended_does_not_run() -> None:
    """What a dead process held may be let go."""
    name = subprocess.run(
        [sys.executable, "-c", "from daemon.runtime.process import own_process; print(own_process())"],
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    ).stdout.strip()

    assert not is_running(name)


def test_a_pid_used_again_is_another_process() -> None:
    """The start time tells them apart."""
    boot, namespace, pid, started = own_process().split("/")

    assert str(os.getpid()) == pid
    assert not is_running(f"{boot}/{namespace}/{pid}/{int(started) - 1}")


def test_another_boot_is_another_process() -> None:
    """After a restart of the machine nothing of before runs."""
    _, namespace, pid, started = own_process().split("/")

    assert not is_running(f"another-boot/{namespace}/{pid}/{started}")


def test_a_hold_without_a_process_is_nobodys() -> None:
    """Malformed or missing names count as gone."""
    assert [False] * 4 == [is_running(name) for name in ("", "x", "a/b/c/d", "a/b/../d")]


def test_of_a_process_in_another_container_nothing_is_known() -> None:
    """Its pid means something else here."""
    boot, _, pid, started = own_process().split("/")

    assert is_running(f"{boot}/pid:[1]/{pid}/{started}") is None
