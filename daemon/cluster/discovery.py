"""Which version of our kinds an API server serves: v1beta1 where it does, else v1alpha1 (OpenKruise up to 1.8)."""

from typing import Final

from daemon.cluster.errors import NotFound
from daemon.cluster.interface import Api


GROUP: Final = "apps.kruise.io"
_BEST_FIRST: Final = ("v1beta1", "v1alpha1")


def served_version(api: Api, *, timeout_seconds: float) -> str:
    """
    Ask which version to speak, which every account may.

    Raises:
        NotFound: the server has none of them: the CRDs are not installed.
        ClusterError: it could not be asked.
    """
    served = _served(api, timeout_seconds=timeout_seconds)
    for version in _BEST_FIRST:
        if version in served:
            return version
    raise NotFound(f"the API server serves neither {GROUP}/v1beta1 nor v1alpha1: are the CRDs installed?", code=404)


def _served(api: Api, *, timeout_seconds: float) -> list[object]:
    """List the group's versions; of a group that no CRD has brought, the server says only that it is not found."""
    try:
        group = api.get(f"/apis/{GROUP}", timeout_seconds=timeout_seconds)
    except NotFound:
        return []
    versions = group.get("versions")
    return [each.get("version") for each in versions if isinstance(each, dict)] if isinstance(versions, list) else []
