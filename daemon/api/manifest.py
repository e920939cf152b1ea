"""
From manifest text to values: documents, lists of objects, the kinds we know, and every problem with its line.

The text itself is yamltext.py's, the rules are rules/'s; reading files is daemon/manifests.py's. The same readers serve
objects that come from an API server, as `parse_object`.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final

import msgspec

from daemon.api.fields import Field
from daemon.api.findings import FieldPath, Findings, printable
from daemon.api.imagepulljob import ImageListPullJob, ImagePullJob
from daemon.api.nodeimage import NodeImage
from daemon.api.objects import Parsed, Resource
from daemon.api.rules.imagelistpulljob import read_image_list_pull_job
from daemon.api.rules.imagepulljob import read_image_pull_job
from daemon.api.rules.metadata import API_VERSIONS
from daemon.api.rules.nodeimage import read_node_image
from daemon.api.rules.secret import SECRET_VERSIONS, read_secret
from daemon.api.secret import PullSecret
from daemon.api.yamltext import YamlDocument, read_yaml


Readable = Resource | PullSecret

_READERS: Final[Mapping[str, Callable[[Field], Readable | None]]] = {
    "ImageListPullJob": read_image_list_pull_job,
    "ImagePullJob": read_image_pull_job,
    "NodeImage": read_node_image,
    "Secret": read_secret,
}
_LIST_KINDS: Final = frozenset({"List", *(f"{kind}List" for kind in _READERS)})


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """
    One error or warning, with where it is.

    `document` counts from 1 within its source; `line` from 1, 0 where the whole source is meant; kind and name are ""
    where they are not known.
    """

    source: str
    document: int = 0
    line: int = 0
    kind: str = ""
    name: str = ""
    text: str
    is_warning: bool = False


class Manifests(msgspec.Struct, frozen=True, kw_only=True):
    """
    Everything that was read: what is sound by kind, in the order of the text, and every problem.

    `objects` counts the bad ones too, and Secrets that serve no pull; 0 means that there was nothing to read.
    """

    jobs: tuple[ImagePullJob, ...] = ()
    lists: tuple[ImageListPullJob, ...] = ()
    node_images: tuple[NodeImage, ...] = ()
    secrets: tuple[PullSecret, ...] = ()
    problems: tuple[Problem, ...] = ()
    objects: int = 0

    @property
    def errors(self) -> tuple[Problem, ...]:
        """The problems that are no warnings."""
        return tuple(problem for problem in self.problems if not problem.is_warning)


def parse_manifests(text: str, *, source: str) -> Manifests:
    """
    Parse YAML or JSON text of any number of documents; never raises, every problem is in the answer.

    Args:
        text: the manifests; a document may also be a List of objects.
        source: what to call the text in problems, such as a file's name.

    """
    return merge(
        _document(document, source=source, index=index) for index, document in enumerate(read_yaml(text), start=1)
    )


def parse_object(value: object) -> Parsed[Readable]:
    """Parse one object, such as an API server's answer decoded from JSON, and collect what is wrong with it."""
    return _parse(value, Findings())


def merge(parts: Iterable[Manifests]) -> Manifests:
    """Put manifests from several places together, in their order."""
    found = list(parts)
    return Manifests(
        jobs=tuple(job for part in found for job in part.jobs),
        lists=tuple(item for part in found for item in part.lists),
        node_images=tuple(item for part in found for item in part.node_images),
        secrets=tuple(item for part in found for item in part.secrets),
        problems=tuple(problem for part in found for problem in part.problems),
        objects=sum(part.objects for part in found),
    )


def describe(problem: Problem) -> str:
    """Write a problem as one line: FILE:LINE: KIND/NAME: what is wrong."""
    place = f"{printable(problem.source)}:{problem.line}" if problem.line else printable(problem.source)
    who = f"{problem.kind}/{problem.name}: " if problem.kind else ""
    return f"{place}: {who}{'warning: ' if problem.is_warning else ''}{problem.text}"


def _document(document: YamlDocument, *, source: str, index: int) -> Manifests:
    if document.problems:
        broken = [
            Problem(source=source, document=index, line=problem.line, text=problem.text)
            for problem in document.problems
        ]
        return Manifests(problems=tuple(broken), objects=1)
    return merge(
        _object(value, path, document=document, source=source, index=index) for path, value in _objects(document.value)
    )


def _objects(value: object, path: FieldPath = ()) -> Iterator[tuple[FieldPath, object]]:
    """Yield the objects of a document: none of an empty one, the items of a List."""
    if value is None and not path:
        return
    items = value.get("items") if isinstance(value, dict) and value.get("kind") in tuple(_LIST_KINDS) else None
    if path or not isinstance(items, list):
        yield path, value
        return
    for index, item in enumerate(items):
        yield ("items", index), item


def _object(value: object, path: FieldPath, *, document: YamlDocument, source: str, index: int) -> Manifests:
    parsed = _parse(value, Findings(document.scalars, below=path))
    kind, name = _identity(value)
    problems = tuple(
        Problem(
            source=source,
            document=index,
            line=document.line_of((*path, *finding.path)),
            kind=kind,
            name=name,
            text=finding.text,
            is_warning=finding.is_warning,
        )
        for finding in parsed.findings
    )
    in_order = tuple(sorted(problems, key=lambda problem: problem.line))
    resource = None if parsed.errors else parsed.value
    return Manifests(
        jobs=(resource,) if isinstance(resource, ImagePullJob) else (),
        lists=(resource,) if isinstance(resource, ImageListPullJob) else (),
        node_images=(resource,) if isinstance(resource, NodeImage) else (),
        secrets=(resource,) if isinstance(resource, PullSecret) else (),
        problems=in_order,
        objects=1,
    )


def _parse(value: object, findings: Findings) -> Parsed[Readable]:
    document = Field(value=value, findings=findings)
    read = _reader(document)
    resource = read(document) if read else None
    return Parsed(value=resource, findings=findings.all())


def _reader(document: Field) -> Callable[[Field], Readable | None] | None:
    """Return what reads an object of this kind, or None with the error that says which kinds there are."""
    if not document.is_object():
        return None
    version, kind = document.child("apiVersion"), document.child("kind")
    versions = SECRET_VERSIONS if kind.value == "Secret" else API_VERSIONS
    found = _one_of(version, versions), _one_of(kind, tuple(_READERS))
    return _READERS[found[1]] if all(found) else None


def _one_of(field: Field, supported: tuple[str, ...]) -> str:
    text = field.required_string()
    if text and text not in supported:
        field.unsupported(supported)
    return text if text in supported else ""


def _identity(value: object) -> tuple[str, str]:
    """Return kind and name for a message, whatever stands there."""
    if not isinstance(value, dict):
        return "", ""
    kind, metadata = value.get("kind"), value.get("metadata")
    names = [metadata.get(key) for key in ("name", "generateName")] if isinstance(metadata, dict) else []
    name = next((name for name in names if isinstance(name, str) and name), "?")
    return (printable(kind), printable(name)) if isinstance(kind, str) and kind else ("", "")
