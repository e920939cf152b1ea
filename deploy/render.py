"""
Renders daemonset.yaml from deploy/base, for those who apply one file.

kustomize is the one inside kubectl, so the file holds what `kubectl apply -k deploy/base` would send. What kubectl to
take is tests/servers/binaries.py's to know.
"""

import sys
from pathlib import Path

from tests.servers.binaries import kubernetes
from tests.servers.setup.commands import CommandFailed, announce, run


ROOT = Path(__file__).parents[1]
BASE = ROOT / "deploy/base"
DAEMONSET_ONLY = ROOT / "deploy/overlays/daemonset-only"
MANIFEST = ROOT / "daemonset.yaml"

HEADER = """\
# All that a cluster needs for Prewarm, in one file, for Kubernetes 1.30 or newer: kubectl apply -f daemonset.yaml
# Made from deploy/base by `make manifest`; change it there. What each right is for: docs/security.md.
"""


def render(folder: Path, *, kubectl: Path) -> str:
    """
    Return the objects of a kustomization as YAML documents.

    Raises:
        CommandFailed: kustomize refused it; the message has its words.
    """
    return run([kubectl, "kustomize", folder], timeout_seconds=60)


def main() -> int:
    """Write daemonset.yaml anew."""
    try:
        objects = render(BASE, kubectl=kubernetes().kubectl)
    except (CommandFailed, FileNotFoundError) as error:
        announce(str(error))
        return 1
    MANIFEST.write_text(HEADER + objects, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
