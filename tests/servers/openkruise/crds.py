"""
CRDs shaped like OpenKruise's: the same kinds, fields and versions, hardly any validation, and no field of ours.

Up to 1.8 it serves v1alpha1 alone; from 1.9 both versions, v1beta1 stored, where a NodeImage's secrets have a `mode` in
v1beta1 only. What these schemas do not know, an API server drops.
"""

from typing import Any, Final

from tests.servers.openkruise.crds_schemas import JOB, LIST, Schema, node_image


Json = dict[str, Any]
Column = tuple[str, str, str]

GROUP: Final = "apps.kruise.io"

_OPEN: Final[Schema] = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
_AGE: Final[Column] = ("AGE", "date", ".metadata.creationTimestamp")
_MESSAGE: Final[Column] = ("MESSAGE", "string", ".status.message")


def crds(release: str) -> list[Json]:
    """
    Return the CRDs of the three kinds, and of one that the group has had as v1beta1 long before them.

    Args:
        release: "1.6" and "1.8" have v1alpha1 alone, "1.9" both versions.

    Raises:
        KeyError: another release.
    """
    versions = {"1.6": ("v1alpha1",), "1.8": ("v1alpha1",), "1.9": ("v1alpha1", "v1beta1")}[release]
    return [
        _crd("ImagePullJob", scope="Namespaced", versions=[_job(version) for version in versions]),
        _crd("ImageListPullJob", scope="Namespaced", versions=[_list(version) for version in versions]),
        _crd("NodeImage", scope="Cluster", versions=[_node_image(version) for version in versions]),
        # OpenKruise serves it so since 0.7: what versions the group has says nothing of a NodeImage's.
        _crd("StatefulSet", scope="Namespaced", versions=[_version("v1beta1", _OPEN, columns=[_AGE])]),
    ]


def _job(version: str) -> Json:
    columns = [*_columns(TOTAL="desired", ACTIVE="active", SUCCEED="succeeded", FAILED="failed"), _AGE]
    return _version(version, JOB, columns=columns if version == "v1beta1" else [*columns, _MESSAGE])


def _list(version: str) -> Json:
    columns = _columns(TOTAL="desired", SUCCEEDED="succeeded", COMPLETED="completed")
    return _version(version, LIST, columns=[*columns, _AGE])


def _node_image(version: str) -> Json:
    columns = _columns(DESIRED="desired", PULLING="pulling", SUCCEED="succeeded", FAILED="failed")
    return _version(version, node_image(has_mode=version == "v1beta1"), columns=[*columns, _AGE])


def _columns(**fields: str) -> list[Column]:
    return [(name, "integer", f".status.{field}") for name, field in fields.items()]


def _version(name: str, schema: Schema, *, columns: list[Column]) -> Json:
    return {
        "name": name,
        "served": True,
        "storage": False,
        "schema": {"openAPIV3Schema": schema},
        "subresources": {"status": {}},
        "additionalPrinterColumns": [{"name": name, "type": kind, "jsonPath": path} for name, kind, path in columns],
    }


def _crd(kind: str, *, scope: str, versions: list[Json]) -> Json:
    plural = f"{kind.lower()}s"
    names = {"kind": kind, "listKind": f"{kind}List", "plural": plural, "singular": kind.lower()}
    stored = [*versions[:-1], {**versions[-1], "storage": True}]
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{GROUP}"},
        "spec": {"group": GROUP, "scope": scope, "names": names, "versions": stored},
    }
