"""What is asked of the API server for a list, as requests. Pure; what of it is asked when is turns.py's."""

from typing import Final

from daemon.cluster.interface import Operation
from daemon.cluster.writes import creation, deletion, json_patch, merge_patch
from daemon.coordinator.jobstatus import status_patch
from daemon.coordinator.lists.course import Key
from daemon.coordinator.lists.names import job_name
from daemon.coordinator.lists.plan import Amendment, spec_of
from daemon.coordinator.lists.seen import SeenList
from daemon.coordinator.paths import Paths
from daemon.coordinator.requests import About, Request, Urgency
from daemon.coordinator.seen import SeenJob


KIND: Final = "ImageListPullJob"

_IMAGE: Final = "image"
_JOB: Final = "job"


def subject_of(list_key: str, key: Key) -> str:
    """Name what a request about a list's job is for."""
    return f"{list_key} {_IMAGE if key.is_image else _JOB} {key.text}"


def parsed_subject(subject: str) -> tuple[str, Key]:
    """Return the list, as book.py knows it, and what the request is for."""
    list_key, kind, text = subject.split(" ", 2)
    return list_key, Key(is_image=kind == _IMAGE, text=text)


def to_create(seen: SeenList, *, image: str, paths: Paths) -> Request:
    """Have an image's job made."""
    name = job_name(seen.name, image=image)
    owner = {
        "apiVersion": paths.api_version,
        "kind": KIND,
        "name": seen.name,
        "uid": seen.uid,
        "controller": True,
    }
    metadata = {"name": name, "namespace": seen.namespace, "ownerReferences": [owner]}
    body = {
        "apiVersion": paths.api_version,
        "kind": "ImagePullJob",
        "metadata": {**metadata, **({"labels": seen.labels} if seen.labels else {})},
        "spec": spec_of(seen, image=image),
    }
    return Request(
        urgency=Urgency.LIST,
        about=About.CHILD,
        subject=subject_of(seen.key, Key(is_image=True, text=image)),
        path=paths.job(seen.namespace, name=name),
        write=creation(paths.jobs_in(seen.namespace), body),
    )


def to_amend(seen: SeenList, amendment: Amendment, *, paths: Paths) -> Request:
    """Have a job made what its image is asked for, unless anyone has changed it meanwhile: it may have finished."""
    job = amendment.job
    path = paths.job(job.namespace, name=job.name)
    operations = [
        Operation(op="test", path="/metadata/uid", value=job.uid),
        Operation(op="test", path="/metadata/resourceVersion", value=str(job.version)),
        Operation(op="replace", path="/spec", value=spec_of(seen, image=amendment.image)),
    ]
    return Request(
        urgency=Urgency.LIST,
        about=About.CHILD,
        subject=subject_of(seen.key, Key(is_image=False, text=job.uid)),
        path=path,
        write=json_patch(path, operations),
    )


def to_delete(list_key: str, job: SeenJob, *, paths: Paths) -> Request:
    """Have a job deleted, unless anyone has changed it meanwhile: it may be the list's no more."""
    path = paths.job(job.namespace, name=job.name)
    return Request(
        urgency=Urgency.LIST,
        about=About.CHILD,
        subject=subject_of(list_key, Key(is_image=False, text=job.uid)),
        path=path,
        write=deletion(path, uid=job.uid, resource_version=str(job.version)),
        is_removal=True,
    )


def to_read(list_key: str, key: Key, *, path: str) -> Request:
    """Have a job read of which it is not known what became of it, or who has its name."""
    return Request(urgency=Urgency.READ, about=About.CHILD, subject=subject_of(list_key, key), path=path)


def to_read_list(list_key: str, *, namespace: str, name: str, paths: Paths) -> Request:
    """Have a list read."""
    path = paths.list(namespace, name=name)
    return Request(urgency=Urgency.READ, about=About.LIST, subject=list_key, path=path)


def to_tell(seen: SeenList, wanted: dict[str, object], *, paths: Paths) -> Request:
    """Have a list's status written."""
    path = paths.list(seen.namespace, name=seen.name)
    write = merge_patch(f"{path}/status", status_patch(seen, wanted))
    return Request(urgency=Urgency.STATUS, about=About.LIST, subject=seen.key, path=path, write=write)


def to_end(seen: SeenList, *, paths: Paths) -> Request:
    """Have a finished list deleted whose time to live is over."""
    path = paths.list(seen.namespace, name=seen.name)
    return Request(
        urgency=Urgency.STATUS,
        about=About.LIST,
        subject=seen.key,
        path=path,
        write=deletion(path, uid=seen.uid),
        is_removal=True,
    )
