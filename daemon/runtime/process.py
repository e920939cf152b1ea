"""Names this process so that a later one can tell whether it still runs: a pid alone is used again."""

import os
from pathlib import Path


def own_process() -> str:
    """Return this process's name: the machine's boot, the pid namespace, the pid, and when it started."""
    return _process("self")


def is_running(process: str) -> bool | None:
    """Tell whether the named process still runs; None for one of another pid namespace, which can't be looked up."""
    match process.split("/"):
        case [boot, namespace, pid, _] if pid.isdecimal():
            own_boot, own_namespace, _, _ = own_process().split("/")
            if boot == own_boot and namespace != own_namespace:
                return None
            return _process(pid) == process
        case _:
            return False


def _process(pid: str) -> str:
    try:
        # The name in the second field can hold spaces and brackets, so fields are counted from behind it.
        fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
        namespace = Path("/proc/self/ns/pid").readlink()
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""
    number = str(os.getpid()) if pid == "self" else pid
    return f"{boot}/{namespace}/{number}/{fields[19]}"
