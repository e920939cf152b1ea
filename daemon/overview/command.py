"""The command `prewarm status`: find the API server and what is meant, read it, and show it once or for as long."""

import importlib.util
import os
import sys
from collections.abc import Callable, Mapping
from typing import Final

from daemon.clock import SystemClock
from daemon.cluster.errors import Denied, NotFound
from daemon.cluster.interface import WatchApi
from daemon.config import StatusSettings, Subject
from daemon.display.output import write_line
from daemon.overview.asking import asked
from daemon.overview.documents import Document, JobsDocument
from daemon.overview.following import Pace, follow
from daemon.overview.reading import JOBS, LISTS, NODE_IMAGES, NODES_PATH, Kinds, found_at, kinds_of
from daemon.overview.scenes import AllJobs, OneJob, OneList, OneNode, Scene
from daemon.overview.screens import Documents, Screen, Text, json_line, json_text, page_text, yaml_part, yaml_text
from daemon.overview.surveyscenes import AllImages, AllNodes


REDRAW_SECONDS: Final = 1.0


def status(settings: StatusSettings, *, environment: Mapping[str, str]) -> int:
    """
    Show jobs, a job, a list or a node.

    Returns the exit code: 0 shown, 1 not found or not readable, 2 no usable kubeconfig, 130 interrupted.
    """
    return asked(
        settings,
        environment=environment,
        ask=lambda api, place: _shown(settings, api, settings.namespace or place.namespace),
    )


def _shown(settings: StatusSettings, api: WatchApi, namespace: str) -> int:
    scene = _scene(settings, namespace=namespace, api=api, kinds=kinds_of(api))
    clock = SystemClock()
    if settings.is_watching:
        screen = _screen(settings)
        pace = Pace(most_seconds=REDRAW_SECONDS if _is_redrawn(settings) else None)
        return follow(scene, api=api, screen=screen, clock=clock, pace=pace)
    read(scene, api)
    document = scene.document(clock.now().at.replace(microsecond=0))
    # As kubectl does: that there is nothing is no output for a pipe.
    is_empty = isinstance(document, JobsDocument) and not document.jobs and settings.output not in {"json", "yaml"}
    write_line(sys.stderr if is_empty else sys.stdout, _text(document, output=settings.output))
    return 0


def read(scene: Scene, api: WatchApi) -> None:
    """
    Read everything that a scene needs, once.

    Raises:
        ClusterError: something that it needs can't be read.
    """
    done: set[int] = set()
    while todo := [part for part in scene.parts() if id(part.collection) not in done]:
        for part in todo:
            done.add(id(part.collection))
            try:
                part.collection.fill(api)
            except Denied as error:
                if part.is_needed:
                    raise
                part.collection.error = error


def _scene(settings: StatusSettings, *, namespace: str, api: WatchApi, kinds: Kinds) -> Scene:
    named = settings.named
    if named is None or not named.name:
        return _all(named.kind if named is not None else None, settings=settings, namespace=namespace, kinds=kinds)
    match named.kind or _kind_of(named.name, namespace=namespace, api=api, kinds=kinds):
        case Subject.JOB:
            return OneJob(kinds, namespace=namespace, name=named.name)
        case Subject.LIST:
            return OneList(kinds, namespace=namespace, name=named.name)
        case _:
            return OneNode(kinds, name=named.name)


def _all(kind: Subject | None, *, settings: StatusSettings, namespace: str, kinds: Kinds) -> Scene:
    match kind:
        case Subject.NODE:
            return AllNodes(kinds)
        case Subject.IMAGE:
            return AllImages(kinds)
        case _:
            return AllJobs(kinds, namespace=None if settings.is_everywhere else namespace, only=kind)


def _kind_of(name: str, *, namespace: str, api: WatchApi, kinds: Kinds) -> Subject:
    """
    Find out what has a name: a job of the namespace, else a list, else a node.

    Raises:
        NotFound: nothing has.
        Denied: nothing that may be read has.
    """
    places = [(Subject.JOB, JOBS, namespace), (Subject.LIST, LISTS, namespace), (Subject.NODE, NODE_IMAGES, None)]
    paths = [
        (subject, kinds.path(resource, namespace=inside, name=name))
        for subject, resource, inside in places
        if kinds.has(resource)
    ]
    denied: Denied | None = None
    for subject, path in (*paths, (Subject.NODE, f"{NODES_PATH}/{name}")):
        try:
            if found_at(api, path) is not None:
                return subject
        except Denied as error:
            # Without the right to read Nodes only those without a NodeImage are not found.
            denied = denied or (error if path.startswith("/apis/") else None)
    if denied is not None:
        raise denied
    words = f'no ImagePullJob or ImageListPullJob of the namespace {namespace}, and no node, is called "{name}"'
    raise NotFound(f"{words}; `prewarm status -A` names all jobs", code=404)


def _text(document: Document, *, output: str) -> str:
    match output:
        case "json":
            return json_text(document)
        case "yaml":
            return yaml_text(document)
        case _:
            return page_text(document, is_wide=output == "wide")


def _screen(settings: StatusSettings) -> Screen:
    dumps: Mapping[str, Callable[[Document], str]] = {"json": json_line, "yaml": yaml_part}
    if settings.output in dumps:
        return Documents(sys.stdout, dump=dumps[settings.output])
    if _is_redrawn(settings):
        from daemon.overview.terminal import Redrawn

        return Redrawn(sys.stdout, is_wide=settings.output == "wide")
    return Text(sys.stdout, is_wide=settings.output == "wide")


def _is_redrawn(settings: StatusSettings) -> bool:
    """Tell whether pages are drawn in place: on a terminal that can, where rich is installed."""
    is_capable = sys.stdout.isatty() and os.environ.get("TERM", "") not in {"", "dumb"}
    return is_capable and settings.output not in {"json", "yaml"} and importlib.util.find_spec("rich") is not None
