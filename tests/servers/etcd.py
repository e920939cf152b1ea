"""
An etcd of an API server's own: Debian's, on a Unix socket, with its data in memory where the machine has room.

etcd waits for the disk at every write (3.4 cannot be told not to), which a test has no use for. A Unix socket needs no
port and lets no other user of the machine in: whoever reaches etcd owns the cluster.
"""

import contextlib
import fcntl
import http.client
import json
import os
import shutil
import socket
import tempfile
from pathlib import Path

from tests.servers.processes import Process
from tests.servers.setup import cache


MEMORY = Path("/dev/shm")  # noqa: S108 - a tmpfs is what is wanted; the folder in it is made by mkdtemp
# Two write-ahead logs are reserved at the start, 64 MB each.
ROOM_BYTES = 512 << 20
PREFIX = "prewarm-etcd-"
# etcd takes host:port alone, and makes a socket of that name in its working folder.
_CLIENT, _PEER = "client:0", "peer:0"


class Etcd:
    """One etcd; its data lives from the first `start` to `remove`, its log is in `folder`."""

    def __init__(self, program: Path, folder: Path) -> None:
        self.folder, self._lock = _scratch()
        client, peer = f"unix://{_CLIENT}", f"unix://{_PEER}"
        self._process = Process(
            [
                *("env", f"--chdir={self.folder}", program, "--data-dir=data", "--logger=zap", "--log-level=warn"),
                *(f"--listen-client-urls={client}", f"--advertise-client-urls={client}"),
                *(f"--listen-peer-urls={peer}", f"--initial-advertise-peer-urls={peer}"),
                f"--initial-cluster=default={peer}",
            ],
            log=folder / "etcd.log",
            environment={"PATH": os.environ["PATH"]},
        )

    @property
    def url(self) -> str:
        """Where an API server reaches it."""
        return f"unix://{self.folder / _CLIENT}"

    def start(self) -> None:
        """Start it on the data that it has, and return when it answers."""
        self._process.start(self._answers)

    def stop(self) -> None:
        """Stop it; the data stays."""
        self._process.stop()

    def remove(self) -> None:
        """Stop it and remove its data."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)
        os.close(self._lock)

    def compact(self) -> None:
        """Forget every revision but the current one."""
        header = self._post("/v3/kv/range", {"key": "AA=="})["header"]
        assert isinstance(header, dict)
        self._post("/v3/kv/compaction", {"revision": header["revision"], "physical": True})

    def _answers(self) -> bool:
        try:
            return self._ask("GET", "/health").get("health") == "true"
        except (OSError, http.client.HTTPException, ValueError):
            return False

    def _post(self, path: str, body: dict[str, object]) -> dict[str, object]:
        return self._ask("POST", path, json.dumps(body))

    def _ask(self, method: str, path: str, body: str | None = None) -> dict[str, object]:
        with contextlib.closing(http.client.HTTPConnection("etcd")) as connection:
            connection.sock = socket.socket(socket.AF_UNIX)
            connection.sock.settimeout(5)
            connection.sock.connect(str(self.folder / _CLIENT))
            connection.request(method, path, body)
            answer = connection.getresponse()
            text = answer.read()
            if answer.status != http.HTTPStatus.OK:
                raise OSError(f"etcd answered {answer.status} to {method} {path}: {text.decode()}")
            decoded: dict[str, object] = json.loads(text)
            return decoded


def _scratch() -> tuple[Path, int]:
    """Return a new folder and the lock on it that says its owner lives; remove what killed runs left."""
    with cache.locked(cache.folder() / "etcd"):
        for left in [*MEMORY.glob(f"{PREFIX}*"), *Path(tempfile.gettempdir()).glob(f"{PREFIX}*")]:
            _remove_if_abandoned(left)
        has_room = MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > ROOM_BYTES
        folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=MEMORY if has_room else None))
        lock = os.open(folder, os.O_RDONLY)
        fcntl.flock(lock, fcntl.LOCK_EX)
        return folder, lock


def _remove_if_abandoned(folder: Path) -> None:
    # Another user's can't be opened, a living run's is locked.
    with contextlib.suppress(OSError):
        lock = os.open(folder, os.O_RDONLY)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)
        finally:
            os.close(lock)
