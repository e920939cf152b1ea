"""
Which version of a kind an API server serves: v1beta1 where it does, else v1alpha1 (OpenKruise up to 1.8).

A kind is looked for, not the group: OpenKruise has served another kind of the group as v1beta1 since 0.7.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from daemon.api.rules.metadata import GROUP
from daemon.cluster.errors import NotFound
from daemon.cluster.interface import Api


_BEST_FIRST: Final = ("v1beta1", "v1alpha1")


def served_version(api: Api, resource: str, *, timeout_seconds: float) -> str:
    """
    Ask in which version to speak of a resource, such as nodeimages; every account may.

    Raises:
        NotFound: the server has it in none of them: the CRD is not installed.
        ClusterError: it could not be asked.
    """
    return wanted_version(served_versions(api, (resource,), timeout_seconds=timeout_seconds), resource)


def wanted_version(served: Mapping[str, str], resource: str) -> str:
    """
    Return the version of a resource that has to be served, out of what `served_versions` has found.

    Raises:
        NotFound: it is served in none of them: the CRD is not installed.
    """
    if resource in served:
        return served[resource]
    words = f"the API server serves {resource} of {GROUP} neither as v1beta1 nor as v1alpha1: are the CRDs installed?"
    raise NotFound(words, code=404)


def served_versions(api: Api, resources: Sequence[str], *, timeout_seconds: float) -> dict[str, str]:
    """
    Ask in which version to speak of each of several resources; one that is not served is left out.

    Raises:
        ClusterError: it could not be asked.
    """
    found: dict[str, str] = {}
    for version in _BEST_FIRST:
        if len(found) < len(resources):
            served = _resources(api, version, timeout_seconds=timeout_seconds)
            found = {**{resource: version for resource in resources if resource in served}, **found}
    return found


def _resources(api: Api, version: str, *, timeout_seconds: float) -> list[object]:
    """List what a version of the group has; of one that no CRD has brought, the server says only: not found."""
    try:
        answer = api.get(f"/apis/{GROUP}/{version}", timeout_seconds=timeout_seconds)
    except NotFound:
        return []
    found = answer.get("resources")
    return [each.get("name") for each in found if isinstance(each, dict)] if isinstance(found, list) else []
