"""
A machine within the machine: PID, mount, network and UTS namespaces that one process holds, and that end with it.

Whatever runs inside ends by the kernel's hand when that process does, containers in namespaces of their own too, so a
killed test leaves no process, no mount and no network behind. What it can't hold are folders of cgroups.
"""

import ctypes
import os
import shlex
import socket
import subprocess
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from tests.servers.processes import Process, ServerFailed, until


START_SECONDS: Final = 20.0
CLONE_NEWNET: Final = 0x40000000
# Folders that a runtime and a kubelet write into whatever they are told: each machine has its own, in memory. Of
# /var/lib it has the machine's below, which may hold the programs.
_OWN: Final = ("/run", "/var/log")
_OVER: Final = "/var/lib"


class Machine:
    """
    One machine called `name`; nothing runs in it but what `process` and `run` start.

    Args:
        name: its host name.
        folder: of its logs.
        cgroups: commands that move its first process to where the root of its cgroups will be.
        mounts: commands that mount what it has of its own.
    """

    def __init__(self, name: str, folder: Path, *, cgroups: Sequence[str] = (), mounts: Sequence[str] = ()) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.name = name
        self.folder = folder
        self._processes: list[Process] = []
        self._init = Process(
            [
                *("unshare", "--pid", "--fork", "--kill-child", "--mount-proc", "--mount", "--uts", "--net"),
                *("--propagation", "private", "sh", "-ec"),
                "\n".join([*cgroups, f"exec unshare --cgroup sh -ec {shlex.quote(_script(name, mounts=mounts))}"]),
            ],
            log=folder / "machine.log",
            environment={"PATH": os.environ["PATH"]},
        )

    def start(self) -> None:
        """Switch it on."""
        self._init.log.unlink(missing_ok=True)
        self._init.start(self._is_up, timeout_seconds=START_SECONDS)

    def stop(self) -> None:
        """Cut its power: everything in it is killed."""
        self._init.kill()
        for process in self._processes:
            # Ended by now; it is still to be waited for.
            process.kill()

    @property
    def pid(self) -> int:
        """The process that holds its namespaces, as the machine outside counts."""
        holder = self._init.pid
        text = Path(f"/proc/{holder}/task/{holder}/children").read_text()
        if not text.strip():
            raise ServerFailed(f"machine {self.name} is not up\n{self._init.tail()}")
        return int(text.split()[0])

    def path(self, inside: str | Path) -> Path:
        """Return where a file of the machine is to be found from outside."""
        return Path(f"/proc/{self.pid}/root{inside}")

    def process(self, arguments: Sequence[str | Path], *, log: Path, path: Sequence[Path] = ()) -> Process:
        """Return a server that will run in it; `path` is searched for programs before the usual folders."""
        folders = ":".join([*map(str, path), os.environ["PATH"]])
        made = Process([*self._enter(), *arguments], log=log, environment={"PATH": folders, "HOME": "/root"})
        self._processes.append(made)
        return made

    def run(self, *arguments: str | Path, timeout_seconds: float = 30) -> str:
        """
        Return what a command prints that runs in it.

        Raises:
            subprocess.CalledProcessError: it ended with an error; its words are in a note.
        """
        return _run([*self._enter(), *map(str, arguments)], timeout_seconds=timeout_seconds)

    def wire(self, plug: str, other: "Machine", *, end: str) -> None:
        """Lay a cable from `plug` in this machine to `end` in another."""
        # Not in its PID namespace, where the other's number means nothing.
        enter = ["nsenter", f"--target={self.pid}", "--net"]
        _run([*enter, *f"ip link add {plug} type veth peer name {end} netns {other.pid}".split()], timeout_seconds=30)

    def in_network(self, make: Callable[[], socket.socket]) -> socket.socket:
        """Return a socket that `make` makes in its network; it may be used from everywhere."""
        return _made_in(Path(f"/proc/{self.pid}/ns/net"), make)

    def _enter(self) -> list[str]:
        # Not `ip netns exec`, which mounts /sys anew and so hides the cgroups from a kubelet. With its root, which is
        # another than its mount namespace's where all of this runs in a chroot.
        return ["nsenter", f"--target={self.pid}", "--pid", "--mount", "--root", "--net", "--uts", "--cgroup"]

    def _is_up(self) -> bool:
        return self._init.log.exists() and "up\n" in self._init.log.read_text()


def _run(command: Sequence[str], *, timeout_seconds: float) -> str:
    try:
        done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=timeout_seconds)
    except subprocess.CalledProcessError as error:
        error.add_note(error.stderr)
        raise
    return done.stdout


def _script(name: str, *, mounts: Sequence[str]) -> str:
    own = [f"mount -t tmpfs -o mode=755 tmpfs {folder}" for folder in _OWN]
    return "\n".join(
        [
            # A Pod sees mounts that come later in folders it got from its node.
            "mount --make-rshared /",
            *mounts,
            *own,
            "mkdir -p /run/containerd /run/netns /run/over /run/work /var/log/pods",
            f"mount -t overlay -o lowerdir={_OVER},upperdir=/run/over,workdir=/run/work overlay {_OVER}",
            f"hostname {shlex.quote(name)}",
            "ip link set lo up",
            # With the signal ignored, the kernel itself takes away orphans that end.
            "trap '' CHLD",
            "echo up",
            "exec sleep infinity",
        ]
    )


def _made_in(network: Path, make: Callable[[], socket.socket]) -> socket.socket:
    """A thread can be in another network than its process: make the socket in one that ends right after."""
    made: list[socket.socket | BaseException] = []

    def work() -> None:
        try:
            _enter_network(network)
            made.append(make())
        except BaseException as error:  # noqa: BLE001 - handed over to whoever asked
            made.append(error)

    thread = threading.Thread(target=work, name="in-network")
    thread.start()
    thread.join()
    if isinstance(made[0], BaseException):
        raise made[0]
    return made[0]


def _enter_network(network: Path) -> None:
    with network.open() as namespace:
        if ctypes.CDLL(None, use_errno=True).setns(namespace.fileno(), CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), f"setns {network}")


def kill(process: Process) -> None:
    """Kill a server of a machine, and return when nothing of it is left: nsenter ends before what it has started."""
    group = process.pid
    process.kill()

    def is_gone() -> bool:
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return True
        return False

    until(is_gone, what=f"process group {group} is gone", timeout_seconds=10)
