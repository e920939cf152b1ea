"""
Enters the node image as a container runtime does: its root read-only, its own user and environment, and no more.

There is neither a runtime nor a kubelet in it, so nothing else of a Pod is: namespaces are the machine's.
"""

import shlex
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from tests.servers.image import BuiltImage, unpacked


def environment(image: BuiltImage) -> dict[str, str]:
    """Return the variables that the image sets."""
    return dict(variable.split("=", 1) for variable in image.config["config"]["Env"])


def entered(
    image: BuiltImage, command: Sequence[str | Path], *, place: Path, volumes: Mapping[str, Path] | None = None
) -> list[str]:
    """
    Return a command line that runs `command` in the image; the process that it starts becomes the command itself.

    Args:
        image: what is entered.
        command: its program is looked up on the image's PATH.
        place: an empty folder to mount in; the mounts are seen by the command alone and end with it.
        volumes: folders of the machine by their place in the image, which the command may write to as far as it may.
    """
    root = place / "root"
    lines = [
        f"mount -t tmpfs -o mode=755 tmpfs {_quoted(place)}",
        f"mkdir {_quoted(place / 'upper')} {_quoted(place / 'work')} {_quoted(root)}",
        f"mount -t overlay -o {_quoted(_overlay(unpacked(image), place))} overlay {_quoted(root)}",
        *_bound(root, {"/proc": Path("/proc"), "/dev": Path("/dev"), **(volumes or {})}),
        f"mount -o remount,ro {_quoted(root)}",
        f'exec chroot --userspec={image.config["config"]["User"]} --groups= {_quoted(root)} "$@"',
    ]
    return ["unshare", "--mount", "--propagation", "private", "sh", "-ec", "\n".join(lines), "sh", *map(str, command)]


def output(image: BuiltImage, command: Sequence[str | Path], *, place: Path, timeout_seconds: float = 60) -> str:
    """
    Return what a command prints in the image.

    Raises:
        subprocess.CalledProcessError: it ended with an error; its words are in a note.
    """
    done = subprocess.run(
        entered(image, command, place=place),
        check=False,
        capture_output=True,
        env=environment(image),
        stdin=subprocess.DEVNULL,
        text=True,
        timeout=timeout_seconds,
    )
    if done.returncode:
        error = subprocess.CalledProcessError(done.returncode, list(map(str, command)), done.stdout, done.stderr)
        error.add_note(done.stderr)
        raise error
    return done.stdout


def _overlay(lower: Path, place: Path) -> str:
    return f"lowerdir={lower},upperdir={place / 'upper'},workdir={place / 'work'}"


def _bound(root: Path, volumes: Mapping[str, Path]) -> Iterator[str]:
    for there, here in volumes.items():
        # Links on the way, such as /var/run, are the image's own and not the machine's.
        inside = f"chroot {_quoted(root)} {{}} {_quoted(there)}"
        yield inside.format("mkdir -p")
        yield f'mount --rbind {_quoted(here)} {_quoted(root)}"$({inside.format("realpath")})"'


def _quoted(path: Path | str) -> str:
    return shlex.quote(str(path))
