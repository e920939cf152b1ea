"""
Whose names and passwords a kruise-daemon has for a repository: those of the secrets that its NodeImage names for it.

They are the repository's, whichever job wants it. Matching is by the registry alone, which is what the tests need.
"""

import base64
import json
from collections.abc import Mapping
from typing import Final

from tests.servers.openkruise.daemon_memory import Key
from tests.servers.openkruise.manager_client import Client
from tests.servers.openkruise.manager_metadata import Secret
from tests.servers.openkruise.manager_nodeimage import NodeImage
from tests.servers.openkruise.manager_objects import SECRET_NAMESPACE, decoded


_KEY: Final = ".dockerconfigjson"


def users_of(node_image: NodeImage | None, *, key: Key, client: Client) -> list[tuple[str, str] | None]:
    """Return names with their passwords, in the order of the references; a secret that is not there is left out."""
    image = node_image.spec.images.get(key.repository) if node_image else None
    if image is None or not image.pull_secrets:
        return []
    found = [decoded(item, into=Secret) for item in client.items(f"/api/v1/namespaces/{SECRET_NAMESPACE}/secrets")]
    secrets = {secret.metadata.name: secret for secret in found}
    hosts = [_auths(secrets[each.name]) for each in image.pull_secrets if each.name in secrets]
    registry = key.repository.partition("/")[0]
    return [(auths[registry]["username"], auths[registry]["password"]) for auths in hosts if registry in auths]


def _auths(secret: Secret) -> Mapping[str, Mapping[str, str]]:
    config = json.loads(base64.b64decode(secret.data.get(_KEY, base64.b64encode(b"{}").decode())))
    auths: Mapping[str, Mapping[str, str]] = config.get("auths", {})
    return auths
