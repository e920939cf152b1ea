"""
The command: read manifests, select, find the runtime, run the node loop until done, end with an exit code.

The main thread is this module's: it waits for one inbox, where the node loop's changes and the signals arrive.
"""

import os
import platform
import sys
from pathlib import Path

from daemon.api.manifest import Manifests, describe
from daemon.clock import SystemClock
from daemon.config import RunSettings
from daemon.credentials.plugin_config import PluginConfig, read_plugin_config
from daemon.credentials.plugins import Plugins
from daemon.credentials.sources import Credentials, default_config_files
from daemon.images import InvalidReference, parse_reference
from daemon.manifests import read_manifests
from daemon.node.loop import NodeLoop
from daemon.node.settings import NodeSettings
from daemon.runtime.interface import ImageRuntime
from daemon.standalone.credentials import ManifestCredentials
from daemon.standalone.mailbox import Mailbox
from daemon.standalone.search import Interrupted, RuntimeMissing, wait_for_runtime
from daemon.standalone.selection import Place, select
from daemon.standalone.supervisor import Supervisor, code_after
from daemon.standalone.terminal import display_for
from daemon.standalone.wishes import wishes_of


BAD_INPUT = 2
NO_RUNTIME = 3


def run(settings: RunSettings) -> int:
    """
    Bring the images of the settings' manifests to this machine.

    Returns the exit code: 0 all there, 1 some failed, 2 bad input, 3 no runtime in time, 130 interrupted.
    """
    manifests = read_manifests(settings.sources, stdin=sys.stdin.buffer)
    bad_images = _bad_images(settings.images)
    for complaint in (*map(describe, manifests.problems), *bad_images):
        print(complaint, file=sys.stderr)
    if manifests.errors or bad_images:
        print("prewarm: nothing was pulled: the errors above come first", file=sys.stderr)
        return BAD_INPUT
    if not (manifests.jobs or manifests.lists or settings.images):
        print("prewarm: nothing to pull: no ImagePullJob or ImageListPullJob among the manifests", file=sys.stderr)
        return BAD_INPUT
    with Mailbox() as mailbox:
        return _run(settings, manifests, mailbox=mailbox)


def _run(settings: RunSettings, manifests: Manifests, *, mailbox: Mailbox) -> int:
    try:
        runtime = wait_for_runtime(settings, mailbox=mailbox)
    except RuntimeMissing as error:
        print(f"prewarm: {error}", file=sys.stderr)
        return NO_RUNTIME
    except Interrupted as signalled:
        return code_after(signalled.number, is_watching=settings.is_watching)
    try:
        return _bring(settings, manifests, runtime=runtime, mailbox=mailbox)
    finally:
        runtime.close()


def _bring(settings: RunSettings, manifests: Manifests, *, runtime: ImageRuntime, mailbox: Mailbox) -> int:
    clock = SystemClock()
    place = Place(node_name=settings.node_name, node_labels=settings.node_labels)
    selection = select(manifests, images=settings.images, policy=settings.image_pull_policy, place=place)
    loop = NodeLoop(
        runtime,
        credentials=_credentials(settings, manifests),
        observer=mailbox,
        clock=clock,
        settings=NodeSettings(
            role="run",
            slots=settings.max_concurrent_pulls,
            min_free=settings.min_free,
            is_kept_warm=settings.is_watching,
        ),
    )
    supervisor = Supervisor(
        loop,
        wishes=wishes_of(selection.jobs, node=settings.node_name or platform.node(), now=clock.now().at),
        display=display_for(settings.output, stream=sys.stdout),
        mailbox=mailbox,
        clock=clock,
        settings=settings,
    )
    return supervisor.run(selection.notices)


def _credentials(settings: RunSettings, manifests: Manifests) -> ManifestCredentials:
    environment = dict(os.environ)
    config = read_plugin_config(Path(settings.plugin_config)) if settings.plugin_config else PluginConfig()
    for problem in config.problems:
        print(f"prewarm: {problem}", file=sys.stderr)
    plugins = Plugins(config.providers, bin_dir=Path(settings.plugin_bin_dir), environ=environment)
    credentials = Credentials(config_files=default_config_files(environment), plugins=plugins)
    return ManifestCredentials(credentials, secrets=manifests.secrets)


def _bad_images(images: tuple[str, ...]) -> list[str]:
    bad = []
    for image in images:
        try:
            parse_reference(image)
        except InvalidReference as error:
            bad.append(f"--image: Invalid value: {_refusal(image, error)}")
    return bad


def _refusal(image: str, error: InvalidReference) -> str:
    """Say what is wrong with a name; one with a user and a password in it is not repeated, as of a manifest's."""
    if "@" in image and not image.rpartition("@")[2].startswith("sha"):
        return 'only a digest such as "sha256:..." may follow the "@"'
    return f'"{image}": {error}'
