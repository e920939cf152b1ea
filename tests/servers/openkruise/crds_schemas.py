"""
The schemas of crds.py: which fields OpenKruise's kinds have, and of what type.

Types, formats and required fields are all that they check; the rest is its webhook's.
"""

from typing import Any, Final


Schema = dict[str, Any]

_TEXT: Final[Schema] = {"type": "string"}
_TIME: Final[Schema] = {"type": "string", "format": "date-time"}
_INT32: Final[Schema] = {"type": "integer", "format": "int32"}
_INT64: Final[Schema] = {"type": "integer", "format": "int64"}
_COUNT: Final[Schema] = {"anyOf": [{"type": "integer"}, {"type": "string"}], "x-kubernetes-int-or-string": True}


def _object(*required: str, **fields: Schema) -> Schema:
    schema: Schema = {"type": "object", "properties": fields}
    return {**schema, "required": list(required)} if required else schema


def _list_of(items: Schema) -> Schema:
    return {"type": "array", "items": items}


def _map_of(values: Schema) -> Schema:
    return {"type": "object", "additionalProperties": values}


def _atomic(items: Schema) -> Schema:
    return {**_list_of(items), "x-kubernetes-list-type": "atomic"}


_TEXTS: Final = _list_of(_TEXT)
_LABELS: Final = _map_of(_TEXT)
_SANDBOX: Final = _object(labels=_LABELS, annotations=_LABELS)
_EXPRESSION: Final = _object("key", "operator", key=_TEXT, operator=_TEXT, values=_atomic(_TEXT))
_LABEL_PARTS: Final = {"matchLabels": _LABELS, "matchExpressions": _atomic(_EXPRESSION)}
_TEMPLATE: Final = {
    "pullSecrets": _TEXTS,
    "selector": {**_object(names=_TEXTS, **_LABEL_PARTS), "x-kubernetes-map-type": "atomic"},
    "podSelector": {**_object(**_LABEL_PARTS), "x-kubernetes-map-type": "atomic"},
    "parallelism": _COUNT,
    "pullPolicy": _object(timeoutSeconds=_INT32, backoffLimit=_INT32),
    "completionPolicy": _object(type=_TEXT, activeDeadlineSeconds=_INT64, ttlSecondsAfterFinished=_INT32),
    "sandboxConfig": _SANDBOX,
    "imagePullPolicy": _TEXT,
}
_TIMES: Final = {"startTime": _TIME, "completionTime": _TIME}


def _kind(*, spec: Schema, status: Schema) -> Schema:
    metadata: Schema = {"type": "object"}
    return _object(apiVersion=_TEXT, kind=_TEXT, metadata=metadata, spec=spec, status=status)


JOB: Final = _kind(
    spec=_object("image", "completionPolicy", image=_TEXT, **_TEMPLATE),
    status=_object(
        "desired",
        desired=_INT32,
        active=_INT32,
        succeeded=_INT32,
        failed=_INT32,
        message=_TEXT,
        failedNodes=_TEXTS,
        **_TIMES,
    ),
)
LIST: Final = _kind(
    spec=_object("images", "completionPolicy", images=_TEXTS, **_TEMPLATE),
    status=_object(
        "desired",
        desired=_INT32,
        active=_INT32,
        completed=_INT32,
        succeeded=_INT32,
        failedImageStatuses=_list_of(_object(imagePullJob=_TEXT, name=_TEXT, message=_TEXT)),
        **_TIMES,
    ),
)

_OWNER: Final = _object(
    apiVersion=_TEXT, kind=_TEXT, namespace=_TEXT, name=_TEXT, uid=_TEXT, resourceVersion=_TEXT, fieldPath=_TEXT
)
_PULL_POLICY: Final = _object(
    timeoutSeconds=_INT32, backoffLimit=_INT32, ttlSecondsAfterFinished=_INT32, activeDeadlineSeconds=_INT64
)
_ENTRY: Final = _object(
    "tag",
    tag=_TEXT,
    createdAt=_TIME,
    version=_INT64,
    imagePullPolicy=_TEXT,
    ownerReferences=_list_of({**_OWNER, "x-kubernetes-map-type": "atomic"}),
    pullPolicy=_PULL_POLICY,
)
_TAG_STATUS: Final = _object(
    "tag",
    "phase",
    tag=_TEXT,
    phase=_TEXT,
    version=_INT64,
    progress=_INT32,
    imageID=_TEXT,
    message=_TEXT,
    **_TIMES,
)
_NODE_IMAGE_STATUS: Final = _object(
    "desired",
    desired=_INT32,
    succeeded=_INT32,
    failed=_INT32,
    pulling=_INT32,
    waiting=_INT32,
    imageStatuses=_map_of(_object("tags", tags=_list_of(_TAG_STATUS))),
    firstSyncStatus=_object(syncAt=_TIME, status=_TEXT, message=_TEXT),
)


def node_image(*, has_mode: bool) -> Schema:
    """Return a NodeImage's schema; whether its secrets have a mode is all that differs between the versions."""
    secret = _object(namespace=_TEXT, name=_TEXT, **({"mode": _TEXT} if has_mode else {}))
    image = _object("tags", pullSecrets=_list_of(secret), sandboxConfig=_SANDBOX, tags=_list_of(_ENTRY))
    return _kind(spec=_object(images=_map_of(image)), status=_NODE_IMAGE_STATUS)
