"""
Builds the node image from the Dockerfile on a base of this system's own release, once a content.

What comes out is an OCI image layout in the cache. What the person's pip needs travels as build secrets, and is in no
layer of it.
"""

import hashlib
import shutil
from pathlib import Path

from tests.servers.setup import cache, debian, layout, pip
from tests.servers.setup.buildah import Buildah, buildah
from tests.servers.setup.commands import announce


PROJECT = Path(__file__).parents[3]
# What the build reads; .dockerignore lets no more into it.
INPUTS = (
    "Dockerfile",
    ".dockerignore",
    "LICENSE",
    "README.md",
    "daemon",
    "hatch_build.py",
    "protos",
    "pyproject.toml",
    "requirements/base.txt",
    "requirements/build.txt",
)
GENERATED = ("wire", "__pycache__")
# So many are kept, the newest: a run may still use the one before.
KEPT = 5

_BASE = """
FROM scratch
ADD root.tar /
ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8
CMD ["python3"]
"""


def base() -> Path:
    """
    Return the folder with the base image's OCI layout.

    Raises:
        CommandFailed: it could not be built here.
    """
    key = hashlib.sha256(f"{_BASE}{layout.GZIP}{layout.LEVEL}".encode()).hexdigest()[:8]
    return cache.kept(f"image/base/{debian.name()}-{key}", _make_base)


def image(base_folder: Path, *, project: Path = PROJECT) -> Path:
    """
    Return the folder with the node image's OCI layout, made of `project` on the base in `base_folder`.

    Raises:
        CommandFailed: a step of the Dockerfile failed; the message ends with its output.
    """
    name = f"image/built/{base_folder.name}-{content_key(project)}"
    folder = cache.kept(name, lambda folder: _make(project, base_folder, folder))
    cache.forget_older(folder, kept=KEPT)
    return folder


def content_key(project: Path) -> str:
    """Return what changes when anything changes that the image is made of."""
    content = hashlib.sha256()
    for file in sorted(_files(project)):
        content.update(f"{file.relative_to(project)} {file.stat().st_size} {file.stat().st_mode:o}\n".encode())
        content.update(file.read_bytes())
    return content.hexdigest()[:16]


def _files(project: Path) -> list[Path]:
    places = [project / name for name in INPUTS]
    found = [file for place in places for file in (place.rglob("*") if place.is_dir() else [place])]
    return [file for file in found if file.is_file() and not set(GENERATED) & set(file.relative_to(project).parts)]


def _make_base(folder: Path) -> None:
    announce("making a base image of this system's own release in the cache (a minute, once)")
    context = folder / "context"
    context.mkdir()
    debian.make_root(context)
    file = context / "Dockerfile"
    file.write_text(_BASE)
    with buildah() as builder:
        builder.build(context, file, into=folder)
    shutil.rmtree(context)


def _make(project: Path, base_folder: Path, folder: Path) -> None:
    announce("building the node image (two minutes, later a few seconds)")
    with buildah() as builder:
        _build(builder, project, base_folder, folder)


def _build(builder: Buildah, project: Path, base_folder: Path, folder: Path) -> None:
    settings, certificates = pip.settings(), pip.certificates()
    secrets: dict[str, str | Path] = {"pip": _pip_conf(settings)}
    volumes = {place: place for place in map(Path, settings.get("find-links", "").split()) if place.is_dir()}
    if certificates:
        secrets["certificates"] = certificates
    name = f"localhost/prewarm-base:{base_folder.name}"
    builder.take(base_folder, name=name)
    builder.build(
        project,
        project / "Dockerfile",
        into=folder,
        arguments={"BASE": name},
        secrets=secrets,
        volumes=volumes,
    )


def _pip_conf(settings: dict[str, str]) -> str:
    here = {**settings, **({"cert": pip.SYSTEM_CERTIFICATES} if "cert" in settings else {})}
    return "\n".join(["[global]", *(f"{name} = {value}" for name, value in here.items()), ""])
