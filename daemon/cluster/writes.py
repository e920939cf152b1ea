"""
What is written to the API server, as values: decided apart from sending, which is transport.py's. Pure.

Each names its object by path, such as /apis/apps.kruise.io/v1beta1/nodeimages/n1; a subresource is a path too.
"""

from collections.abc import Mapping, Sequence

import msgspec

from daemon.cluster.interface import Operation, Write
from daemon.cluster.paths import Verb


JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"


def creation(path: str, body: object) -> Write:
    """Create an object in the collection at this path; 409 where the name is taken."""
    return Write(verb=Verb.CREATE, path=path, body=msgspec.json.encode(body))


def dry_run(path: str, body: object) -> Write:
    """Have a creation gone through, defaults, webhooks and all, of which nothing is kept."""
    return Write(verb=Verb.CREATE, path=path, body=msgspec.json.encode(body), query={"dryRun": "All"})


def replacement(path: str, body: object) -> Write:
    """Put this whole object in the place of another; with a resourceVersion in it, 409 where that is not the last."""
    return Write(verb=Verb.UPDATE, path=path, body=msgspec.json.encode(body))


def json_patch(path: str, operations: Sequence[Operation]) -> Write:
    """Apply a JSON Patch (RFC 6902); 422 where one of its tests fails."""
    return Write(verb=Verb.PATCH, path=path, body=msgspec.json.encode(operations), content_type=JSON_PATCH)


def merge_patch(path: str, body: Mapping[str, object]) -> Write:
    """Apply a merge patch (RFC 7386): null removes, a list is replaced whole; with a resourceVersion in it, 409."""
    return Write(verb=Verb.PATCH, path=path, body=msgspec.json.encode(body), content_type=MERGE_PATCH)


def deletion(path: str, *, uid: str, resource_version: str = "") -> Write:
    """
    Delete the object of this uid, and leave what it owns to the garbage collector; 409 where it is another's.

    With a resourceVersion, 409 also where anyone has changed it since.
    """
    preconditions = {"uid": uid, **({"resourceVersion": resource_version} if resource_version else {})}
    options = {
        "apiVersion": "v1",
        "kind": "DeleteOptions",
        "preconditions": preconditions,
        "propagationPolicy": "Background",
    }
    return Write(verb=Verb.DELETE, path=path, body=msgspec.json.encode(options))
