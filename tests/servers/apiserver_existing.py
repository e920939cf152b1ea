"""
A person's own test cluster, where PREWARM_TEST_KUBECONFIG names one, in place of an API server that tests start.

Tests create, change and delete whatever they like in it, so PREWARM_TEST_DESTROY=yes must say that this is wanted.
KUBECONFIG is never read: it may name a cluster that matters.
"""

import os
from pathlib import Path
from typing import NoReturn

from tests.servers import binaries
from tests.servers.apiserver_access import Access


KUBECONFIG = "PREWARM_TEST_KUBECONFIG"
DESTROY = "PREWARM_TEST_DESTROY"


class ClusterNotOffered(Exception):
    """The settings name a cluster that tests can't or may not have; the message says what to set."""


class NotOurs(Exception):
    """A test wants to stop or change a server that it did not start."""


class ExistingCluster:
    """The cluster of a kubeconfig; what only one's own server can be made to do raises NotOurs."""

    has_ipv6 = False

    def __init__(self, kubeconfig: Path) -> None:
        self.kubeconfig = kubeconfig
        self.access = _access(kubeconfig)

    @property
    def kubectl(self) -> Path:
        """The machine's own client where there is one."""
        return binaries.kubectl()

    def open(self) -> None:
        """Do nothing: it runs."""

    def close(self) -> None:
        """Do nothing: it goes on running."""

    def start(self) -> NoReturn:
        """Refuse."""
        _refuse("start")

    def stop(self) -> NoReturn:
        """Refuse."""
        _refuse("stop")

    def kill(self) -> NoReturn:
        """Refuse."""
        _refuse("kill")

    def freeze(self) -> NoReturn:
        """Refuse."""
        _refuse("freeze")

    def thaw(self) -> NoReturn:
        """Refuse."""
        _refuse("thaw")

    def compact(self) -> NoReturn:
        """Refuse."""
        _refuse("compact")


def offered() -> ExistingCluster | None:
    """
    Return the cluster that the environment offers to the tests, None where it offers none.

    Raises:
        ClusterNotOffered: PREWARM_TEST_KUBECONFIG is set and PREWARM_TEST_DESTROY=yes is not, or the file is absent.
    """
    name = os.environ.get(KUBECONFIG)
    if not name:
        return None
    if os.environ.get(DESTROY) != "yes":
        raise ClusterNotOffered(
            f"{KUBECONFIG}={name} names a cluster, and the tests create, change and delete objects in it at will, "
            f"cluster-wide ones too: set {DESTROY}=yes if it may be destroyed, or unset {KUBECONFIG}"
        )
    path = Path(name).absolute()
    if not path.is_file():
        raise ClusterNotOffered(f"{KUBECONFIG}={name}: there is no such file")
    return ExistingCluster(path)


def _access(kubeconfig: Path) -> Access:
    # Half a second of imports, and for this alone.
    from kubernetes import client, config

    settings = client.Configuration()
    config.load_kube_config(config_file=str(kubeconfig), client_configuration=settings)  # type: ignore[no-untyped-call]
    if not settings.ssl_ca_cert:
        raise ClusterNotOffered(f"{KUBECONFIG}={kubeconfig} names no certificate-authority, which tests hand to agents")
    return Access(
        url=settings.host.rstrip("/"),
        ca_file=Path(settings.ssl_ca_cert),
        certificate=Path(settings.cert_file) if settings.cert_file else None,
        key=Path(settings.key_file) if settings.key_file else None,
        authorization=settings.get_api_key_with_prefix("BearerToken", alias="authorization"),
    )


def _refuse(what: str) -> NoReturn:
    raise NotOurs(f"this test would {what} the API server, and {KUBECONFIG} names one that is not the tests' own")
