"""
A process that wants to lead, and says on its output when it does: "won AT", "lost AT", and "sends AT" every 20 ms.

    python -m tests.behaviour.cluster_candidate FOLDER NAMESPACE IDENTITY

AT is CLOCK_BOOTTIME, the same in all processes, read before `may_send` was asked. SIGTERM stops it in order.
"""

import os
import signal
import sys
import threading
import time
from pathlib import Path

from daemon.cluster.access import in_pod
from daemon.cluster.errors import ClusterError
from daemon.cluster.lease import LeaderElection
from daemon.cluster.transport import HttpApi


EACH_SECONDS = 0.02


class Voice:
    """Says what it hears."""

    def won(self) -> None:
        """Say so."""
        say("won", at_seconds=now_seconds())

    def lost(self) -> None:
        """Say so."""
        say("lost", at_seconds=now_seconds())


def now_seconds() -> float:
    """Return the time that runs through a freeze."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def say(word: str, *, at_seconds: float) -> None:
    """Write a line, whole."""
    os.write(1, f"{word} {at_seconds:.6f}\n".encode())


def missed(error: ClusterError) -> None:
    """Leave a word for who looks for what went wrong."""
    os.write(2, f"missed: {error.message}\n".encode())


def main(folder: str, namespace: str, identity: str) -> None:
    """Run until SIGTERM."""
    api = HttpApi(in_pod(Path(folder), environment=os.environ), user_agent="prewarm-test/1")
    election = LeaderElection(
        api,
        namespace=namespace,
        identity=identity,
        listener=Voice(),
        missed=missed,
    )
    signal.signal(signal.SIGTERM, lambda *_: election.stop())
    thread = threading.Thread(target=election.run)
    thread.start()
    say("started", at_seconds=now_seconds())
    while thread.is_alive():
        at_seconds = now_seconds()
        if election.may_send():
            say("sends", at_seconds=at_seconds)
        thread.join(EACH_SECONDS)


if __name__ == "__main__":
    main(*sys.argv[1:])
