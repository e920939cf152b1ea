"""containerd's own client, by which tests look at a runtime apart from CRI and from the code under test."""

import subprocess
from pathlib import Path


NAMESPACE = "k8s.io"


class Ctr:
    """Asks the containerd at `socket`, in Kubernetes' namespace."""

    def __init__(self, program: Path, socket: Path) -> None:
        self._program = program
        self._socket = socket

    def run(self, *arguments: str, timeout_seconds: float = 60) -> str:
        """
        Return what it prints.

        Raises:
            subprocess.CalledProcessError: it ended with an error; its words are in `stderr`.
        """
        command = [str(self._program), "--address", str(self._socket), "--namespace", NAMESPACE, *arguments]
        done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=timeout_seconds)
        return done.stdout

    def images(self) -> dict[str, str]:
        """
        Return each image's name and the digest of its manifest or index.

        CRI's own records, which are named by the image's ID alone, are left out.
        """
        rows = [line.split() for line in self.run("images", "ls").splitlines()[1:]]
        return {row[0]: row[2] for row in rows if not row[0].startswith("sha256:")}

    def blobs(self) -> set[str]:
        """Return the digests of all finished content."""
        return set(self.run("content", "ls", "--quiet").split())

    def leases(self) -> dict[str, str]:
        """Return each lease's id and its labels as printed."""
        rows = [line.split(maxsplit=2) for line in self.run("leases", "ls").splitlines()[1:]]
        return {row[0]: row[2].strip() if len(row) > 2 else "" for row in rows}

    def containers(self) -> dict[str, str]:
        """Return the image of each container, running or not, by its ID."""
        rows = [line.split() for line in self.run("containers", "ls").splitlines()[1:]]
        return {row[0]: row[1] for row in rows}
