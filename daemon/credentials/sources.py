"""
All sources of credentials for one image, in the order to try them: pull secrets, docker config files, exec plugins.

No candidate means that no source covers the image. Whether it is then pulled anonymously, and whether a problem of a
source forbids that, is the caller's decision; one try for each candidate is too.
"""

import os
import stat
import threading
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import msgspec

from daemon.api.credential import Credential
from daemon.api.secret import PullSecret
from daemon.credentials.dockerconfig import DockerConfig, parse_config_file, parse_secret
from daemon.credentials.keyring import Keyring, distinct
from daemon.credentials.plugins import Plugins
from daemon.credentials.problem import CredentialProblem
from daemon.images import ImageReference


# As large as a Secret may be; real ones have a few kilobytes.
CONFIG_FILE_BYTES_MAX = 1024 * 1024


class _Refused(Exception):
    """Why a file is not read, in words for a CredentialProblem."""


class Candidates(msgspec.Struct, frozen=True, kw_only=True):
    """The credentials to try in order, each once, and what is wrong with any source."""

    credentials: tuple[Credential, ...] = ()
    problems: tuple[CredentialProblem, ...] = ()


class Credentials:
    """
    Finds the credentials for an image; safe from any thread.

    Args:
        config_files: docker config.json files, read at each search so that a rotated one is seen; absent is fine.
        plugins: the exec plugins, None for none.

    """

    def __init__(self, *, config_files: Sequence[Path] = (), plugins: Plugins | None = None) -> None:
        self._config_files = tuple(config_files)
        self._plugins = plugins

    def find(
        self, reference: ImageReference, *, secrets: Iterable[PullSecret], cancelled: threading.Event
    ) -> Candidates:
        """
        Return the candidates: those of the secrets, then of the files, then of the plugins.

        Among secrets, among files and within each plugin's answer the most specific comes first.

        Blocks while plugins run; `cancelled` ends that soon, with a problem that says so.
        """
        groups = (
            [parse_secret(secret) for secret in secrets],
            [_read_config_file(path) for path in self._config_files],
        )
        found = [credential for group in groups for credential in _keyring(group).lookup(reference)]
        problems = [problem for group in groups for config in group for problem in config.problems]
        if self._plugins is not None:
            answer = self._plugins.ask(reference, cancelled=cancelled)
            found += answer.credentials
            problems += answer.problems
        return Candidates(credentials=distinct(found), problems=tuple(problems))


def default_config_files(environ: Mapping[str, str]) -> tuple[Path, ...]:
    """Name docker's own config.json: in the folder DOCKER_CONFIG, else in .docker under HOME."""
    if folder := environ.get("DOCKER_CONFIG"):
        return (Path(folder) / "config.json",)
    if home := environ.get("HOME"):
        return (Path(home) / ".docker" / "config.json",)
    return ()


def _keyring(group: Iterable[DockerConfig]) -> Keyring:
    return Keyring(entry for config in group for entry in config.entries)


def _read_config_file(path: Path) -> DockerConfig:
    source = f"file {path}"
    try:
        return parse_config_file(_read_bounded(path), source=source)
    except (FileNotFoundError, NotADirectoryError):
        return DockerConfig()
    except _Refused as refused:
        return DockerConfig(problems=(CredentialProblem(source=source, message=str(refused)),))
    except OSError as error:
        problem = CredentialProblem(source=source, message=f"can't be read: {error.strerror}")
        return DockerConfig(problems=(problem,))


def _read_bounded(path: Path) -> bytes:
    """Read a regular file; opened so that a FIFO without a writer does not block, and looked at once it is open."""
    file = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        if not stat.S_ISREG(os.fstat(file).st_mode):
            raise _Refused("can't be read: it is no regular file")
        with os.fdopen(file, "rb", closefd=False) as stream:
            content = stream.read(CONFIG_FILE_BYTES_MAX + 1)
    finally:
        os.close(file)
    if len(content) > CONFIG_FILE_BYTES_MAX:
        raise _Refused(f"can't be read: it has more than {CONFIG_FILE_BYTES_MAX} bytes")
    return content
