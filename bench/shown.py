"""
What a person is shown of a pull, every bit of it: the engine of `prewarm run` on one image, in a process of its own.

Bars on a terminal get each sample; a pipe gets them thinned. So this takes the events before any display and prints a
JSON line for each, stamped with the monotonic clock, which all processes of a machine share with the registry's proxy:
`python -m bench.shown ENDPOINT IMAGE`.
"""

import subprocess
import sys
import time
from pathlib import Path

import msgspec

from bench.stage import checked, environment
from daemon.api.manifest import Manifests
from daemon.api.nodeimage import ImagePullPolicy, Phase
from daemon.clock import Moment, SystemClock
from daemon.credentials.sources import Credentials
from daemon.display.events import Event, events_between
from daemon.node.loop import NodeLoop
from daemon.node.settings import NodeSettings
from daemon.node.task import NodeState
from daemon.node.wanted import wanted_of
from daemon.runtime.connect import connect
from daemon.standalone.credentials import ManifestCredentials
from daemon.standalone.selection import Place, select
from daemon.standalone.wishes import node_image, wishes_of


PULL_TIMEOUT_SECONDS = 300.0


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """One event and when it was shown, in monotonic seconds."""

    at: float
    event: Event


class Screen:
    """The node loop's observer: prints every event as it comes."""

    def __init__(self) -> None:
        self.loop: NodeLoop | None = None

    def changed(self, before: NodeState, after: NodeState, *, now: Moment) -> None:
        """Print what happened, and stop the loop once the image has its answer."""
        for event in events_between(before, after, now=now):
            print(msgspec.json.encode(Shown(at=time.monotonic(), event=event)).decode(), flush=True)
        if (
            self.loop
            and after.tasks
            and all(task.phase in {Phase.SUCCEEDED, Phase.FAILED} for task in after.tasks.values())
        ):
            self.loop.stop()


def pull(endpoint: str, image: str, *, folder: Path) -> tuple[Shown, ...]:
    """
    Pull an image in a process of its own and return what was shown, in order.

    Raises:
        RuntimeError: the image could not be brought.
    """
    command = [sys.executable, "-m", "bench.shown", endpoint, image]
    done = subprocess.run(
        command,
        check=False,
        capture_output=True,
        text=True,
        timeout=PULL_TIMEOUT_SECONDS,
        env=environment(folder),
    )
    shown = tuple(msgspec.json.decode(line, type=Shown) for line in checked(done).splitlines())
    if not shown or shown[-1].event.event != "image_pulled":
        raise RuntimeError(f"{image} was not pulled: {done.stdout[-2000:]}")
    return shown


def main() -> int:
    """Pull the one image as `prewarm run --image` does."""
    endpoint, image = sys.argv[1:]
    clock, screen = SystemClock(), Screen()
    chosen = select(Manifests(), images=(image,), policy=ImagePullPolicy.ALWAYS, place=Place())
    now = clock.now().at
    runtime = connect(endpoint, clock=clock)
    screen.loop = NodeLoop(
        runtime,
        credentials=ManifestCredentials(Credentials(), secrets={}),
        observer=screen,
        clock=clock,
        settings=NodeSettings(role="run", min_free="1Gi", is_kept_warm=False),
    )
    screen.loop.want(wanted_of(node_image(wishes_of(chosen.jobs, node="bench", now=now), now=now)))
    screen.loop.run()
    runtime.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
