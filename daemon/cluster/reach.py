"""How a command finds its API server: by a kubeconfig where one is named, else as a Pod does."""

import os
from pathlib import Path

from daemon.cluster.access import Access, in_pod


def access_of(kubeconfig: str, *, folder: Path) -> Access:
    """
    Find the API server.

    Args:
        kubeconfig: the file's path; "" for none.
        folder: where a Pod's service account is.

    Raises:
        NoAccess: neither the kubeconfig nor a Pod's files tell where it is.
    """
    if kubeconfig:
        # Its reader loads the official client, which a Pod does not have.
        from daemon.cluster.kubeconfig import read_kubeconfig

        return read_kubeconfig(Path(kubeconfig))
    return in_pod(folder, environment=os.environ)
