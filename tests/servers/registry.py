"""A registry of a test's own: Debian's docker-registry on a free loopback port, with its storage in one folder."""

import ctypes
import json
import os
import re
import socket
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.servers import binaries
from tests.servers.processes import Process


class Registry:
    """
    One registry in `folder`; a name with `users` (name to password) asks for basic auth.

    The kernel chooses the port at the first start; a restart keeps it.
    """

    def __init__(self, folder: Path, *, users: Mapping[str, str] | None = None) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.users = dict(users or {})
        self.port = 0
        self._process = Process(
            [binaries.registry(), "serve", folder / "config.json"],
            log=folder / "registry.log",
            environment={"PATH": os.environ["PATH"]},
        )

    @property
    def host(self) -> str:
        """The registry's part of an image reference; containerd needs no configuration for it."""
        return f"localhost:{self.port}"

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start it and return when it answers."""
        self.set_users(self.users)
        (self.folder / "config.json").write_text(json.dumps(self._config()))
        self._process.log.unlink(missing_ok=True)
        self._process.start(self._answers)

    def stop(self) -> None:
        """Stop it; what was pushed stays."""
        self._process.stop()

    def set_users(self, users: Mapping[str, str]) -> None:
        """Change who may pull and push, as a rotated secret does; the registry sees the file's new time."""
        self.users = dict(users)
        lines = "".join(f"{name}:{_bcrypt(password)}\n" for name, password in users.items())
        (self.folder / "htpasswd").write_text(lines)

    def _config(self) -> dict[str, object]:
        config: dict[str, object] = {
            "version": "0.1",
            "log": {"level": "info", "accesslog": {"disabled": False}},
            "storage": {"filesystem": {"rootdirectory": str(self.folder / "data")}, "delete": {"enabled": True}},
            "http": {"addr": f"127.0.0.1:{self.port}", "secret": "one instance"},
        }
        if self.users:
            config["auth"] = {"htpasswd": {"realm": "lab", "path": str(self.folder / "htpasswd")}}
        return config

    def _answers(self) -> bool:
        log = self._process.log.read_text(errors="replace")
        found = re.search(r"listening on 127\.0\.0\.1:(\d+)", log)
        if not found:
            return False
        self.port = int(found[1])
        with socket.socket() as client:
            client.settimeout(1)
            return client.connect_ex(("127.0.0.1", self.port)) == 0


def _bcrypt(password: str) -> str:
    """Return the only kind of hash that docker-registry takes, from the system's libcrypt, at the lowest cost."""
    crypt = ctypes.CDLL("libcrypt.so.1").crypt
    crypt.restype = ctypes.c_char_p
    answer: bytes | None = crypt(password.encode(), b"$2y$04$" + b"a" * 21 + b"u")
    if not answer or not answer.startswith(b"$2y$"):
        raise OSError("this system's libcrypt has no bcrypt")
    return answer.decode()
