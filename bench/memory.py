"""A process' memory at rest, from /proc/PID/status: sizes in MiB, and its number of threads."""

import os
import time
from pathlib import Path

from tests.servers.processes import until


REST_SECONDS = 10.0
REST_TIMEOUT_SECONDS = 120.0
KIB_PER_MIB = 1024
FIELDS = ("RssAnon", "VmRSS", "Threads")

Sample = dict[str, float]


def at_rest(pid: int) -> Sample:
    """Return the values once they have not moved for REST_SECONDS."""
    last, since = status_of(pid), time.monotonic()

    def is_settled() -> bool:
        nonlocal last, since
        now = status_of(pid)
        if now != last:
            last, since = now, time.monotonic()
        return time.monotonic() - since >= REST_SECONDS

    until(is_settled, what="memory at rest", timeout_seconds=REST_TIMEOUT_SECONDS)
    return last


def status_of(pid: int) -> Sample:
    """Return the values of this moment."""
    lines = (line.split() for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    rows = {words[0].removesuffix(":"): words[1:] for words in lines if words}
    return {name: float(rows[name][0]) / (KIB_PER_MIB if "kB" in rows[name] else 1) for name in FIELDS}


def cpu_seconds(pid: int) -> float:
    """Return the processor time that a process has used so far."""
    ticks = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK")
