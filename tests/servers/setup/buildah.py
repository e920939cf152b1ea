"""
Builds images without a container engine: buildah, from PATH or unpacked, with its storage in the cache.

The storage is a cache of layers and no more: what is wanted of a build is taken out of it into a folder (an OCI image
layout). A build that was killed leaves a mark, and the next one begins with an empty storage.
"""

import contextlib
import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.servers.disks import has_overlay
from tests.servers.setup import apt, cache, layout
from tests.servers.setup.chamber import run_inside
from tests.servers.setup.commands import announce


LAYOUT = "layout"
MINUTES = 20
# Layers of builds that nobody needs any more stay in the storage, until it is thrown away as a whole.
MOST_BYTES = 4 << 30

_SCRIPT = Path(__file__).with_name("buildah.sh")
_POLICY = '{"default": [{"type": "insecureAcceptAnything"}]}'


class Buildah:
    """One build at a time, on the storage in the cache; made by `buildah`."""

    def __init__(self, place: Path, *, driver: str) -> None:
        self._scratch = place / "scratch"
        self._mark = place / "unfinished"
        self._policy = place / "policy.json"
        self._storage = place / driver
        self._driver = driver
        self._program, self._libraries = _program()

    def take(self, folder: Path, *, name: str) -> None:
        """Put what `build` put into `folder` back into the storage, where a Dockerfile's FROM finds it by name."""
        # It makes a name of the path, and knows no capitals and few signs there.
        number = self._run("pull", "--quiet", f"oci:{LAYOUT}", folder=folder).split()[-1]
        self._run("tag", number, name)

    def build(
        self,
        context: Path,
        dockerfile: Path,
        *,
        into: Path,
        arguments: Mapping[str, str] | None = None,
        secrets: Mapping[str, str | Path] | None = None,
        volumes: Mapping[Path, Path] | None = None,
    ) -> None:
        """
        Build an image and put it into the folder `into`, as an OCI image layout named LAYOUT.

        Args:
            context: the folder that COPY takes from.
            dockerfile: how it is built.
            into: where the new layout goes.
            arguments: values of its ARGs.
            secrets: contents, or files with them, by the id that its RUN --mount=type=secret names.
            volumes: folders and files of the machine by their place in the build; its RUNs may read them.

        Raises:
            CommandFailed: a step of it failed; the message ends with its output.
        """
        into.mkdir(exist_ok=True)
        handed = {name: _handed(name, secret) for name, secret in (secrets or {}).items()}
        options: list[str | Path] = [
            *("--layers", "--network", "host", "--isolation", "chroot", "--pull-never"),
            *("--file", dockerfile, "--tag", "localhost/prewarm-build"),
            *(f"--build-arg={name}={value}" for name, value in (arguments or {}).items()),
            *(f"--secret=id={name},{how}" for name, (how, _) in handed.items()),
            *(f"--volume={here}:{there}:ro" for there, here in (volumes or {}).items()),
        ]
        variables = {name: text for _, each in handed.values() for name, text in each.items()}
        self._run("build", *options, context, environment=variables)
        plain = into / "plain"
        self._run("push", "--quiet", "--disable-compression", "localhost/prewarm-build", f"dir:{plain}")
        layout.compressed(plain, into / LAYOUT)
        shutil.rmtree(plain)

    def _run(
        self,
        command: str,
        *arguments: str | Path,
        folder: Path | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> str:
        storage = ("--root", self._storage, "--runroot", self._scratch / "run", "--storage-driver", self._driver)
        policy = () if command == "tag" else ("--signature-policy", self._policy)
        program = [self._program, *storage, command, *policy, *arguments]
        places = {"CACHE": str(cache.folder()), "SCRATCH": str(self._scratch), "MARK": str(self._mark)}
        return run_inside(
            ["sh", _SCRIPT, *program],
            timeout_seconds=MINUTES * 60,
            folder=folder,
            environment={**places, "LIBRARIES": self._libraries, **(environment or {})},
        )

    def prepare(self) -> None:
        """Empty the storage where a build was broken off in it, or it has become large."""
        if self._mark.exists() or _size_bytes(self._storage) > MOST_BYTES:
            announce("emptying the storage of image builds")
            shutil.rmtree(self._storage, ignore_errors=True)
            self._mark.unlink(missing_ok=True)
        self._scratch.mkdir(exist_ok=True)
        self._policy.write_text(_POLICY)


@contextlib.contextmanager
def buildah(place: Path | None = None) -> Iterator[Buildah]:
    """Yield a Buildah that nobody else uses meanwhile; its storage is in the cache, or in `place`."""
    place = place or cache.folder() / "image/storage"
    place.mkdir(parents=True, exist_ok=True)
    with cache.locked(place):
        builder = Buildah(place, driver="overlay" if has_overlay(place) else "vfs")
        builder.prepare()
        yield builder


def _handed(name: str, secret: str | Path) -> tuple[str, dict[str, str]]:
    """Return how --secret names it, and the variable that holds it where it is no file (which may be larger)."""
    if isinstance(secret, Path):
        return f"type=file,src={secret}", {}
    variable = f"BUILD_SECRET_{name.upper()}"
    return f"type=env,env={variable}", {variable: secret}


def _program() -> tuple[Path, str]:
    found = shutil.which("buildah")
    if found:
        return Path(found), ""
    folder = apt.unpacked_with_libraries("buildah")
    return folder / "usr/bin/buildah", apt.library_path(folder)


def _size_bytes(folder: Path) -> int:
    return sum(file.lstat().st_blocks * 512 for file in _files(folder))


def _files(folder: Path) -> Iterator[Path]:
    for place, _, names in os.walk(folder):
        yield from (Path(place, name) for name in names)
