"""
The rules that all kinds share: apiVersion, kind and metadata.

What only an API server fills in (resourceVersion, managedFields and so on) is known but not looked at.
"""

from typing import Final

import msgspec

from daemon.api.fields import INT64_MAX, Field
from daemon.api.names import check_dns_label, check_dns_subdomain, check_label_key, check_label_value


GROUP: Final = "apps.kruise.io"
API_VERSIONS: Final = (f"{GROUP}/v1alpha1", f"{GROUP}/v1beta1")

_METADATA: Final = (
    "annotations",
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "finalizers",
    "generateName",
    "generation",
    "labels",
    "managedFields",
    "name",
    "namespace",
    "ownerReferences",
    "resourceVersion",
    "selfLink",
    "uid",
)


class Metadata(msgspec.Struct, frozen=True, kw_only=True):
    """What we use of an object's metadata; `name` is generateName's prefix where there is no name yet."""

    name: str
    namespace: str
    uid: str
    generation: int


def read_metadata(document: Field, *, is_namespaced: bool) -> Metadata:
    """Check metadata by the API server's rules for names, labels and annotations."""
    field = document.child("metadata")
    if field.is_present:
        field.is_object(_METADATA)
    _check_labels(field.child("labels"))
    _check_annotations(field.child("annotations"))
    return Metadata(
        name=_name(field),
        namespace=_namespace(field.child("namespace"), is_namespaced=is_namespaced),
        uid=field.child("uid").string(""),
        generation=field.child("generation").integer(0, maximum=INT64_MAX),
    )


def _name(metadata: Field) -> str:
    name, prefix = metadata.child("name"), metadata.child("generateName")
    if name.is_present or not prefix.is_present:
        text = name.required_string()
        check_dns_subdomain(name, text)
        return text
    text = prefix.required_string()
    # The API server appends five characters, so a prefix may end as a name may not.
    check_dns_subdomain(prefix, text.removesuffix("-") + "x" if text else "")
    return text


def _namespace(field: Field, *, is_namespaced: bool) -> str:
    if not is_namespaced:
        if field.string(""):
            field.forbidden("not allowed on this type")
        return ""
    namespace = field.string("default")
    check_dns_label(field, namespace)
    return namespace or "default"


def _check_labels(field: Field) -> None:
    if field.value is None:
        return
    for key, inner in field.entries().items():
        check_label_key(inner, key)
        check_label_value(inner, inner.string(""))


def _check_annotations(field: Field) -> None:
    if field.value is None:
        return
    for key, inner in field.entries().items():
        check_label_key(inner, key.lower())
        inner.string("")
