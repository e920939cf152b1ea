"""
etcd and kube-apiserver as processes of a test's own.

No controller-manager runs: nobody makes service accounts, finishes deleting a namespace, collects what has lost its
owner, or fills the aggregated ClusterRoles (view, edit, admin). No kubelet and no scheduler runs either.
"""

import os
from collections.abc import Sequence
from pathlib import Path

import trustme
import urllib3

from tests.servers import binaries
from tests.servers.apiserver_access import Access, ApiFailed, Requests, write_kubeconfig
from tests.servers.apiserver_port import HeldPort
from tests.servers.etcd import Etcd
from tests.servers.processes import Process


ISSUER = "https://kubernetes.default.svc.cluster.local"
SERVER_NAMES = ("127.0.0.1", "::1", "localhost", "kubernetes.default.svc")


class ControlPlane:
    """
    One etcd and one kube-apiserver with its files in `folder`; `flags` are added to kube-apiserver's command line.

    It listens on every address: kube-apiserver takes one alone, and both 127.0.0.1 and [::1] are to answer. Who holds
    no certificate or token of this folder learns its version and no more.
    """

    def __init__(self, folder: Path, *, flags: Sequence[str] = ()) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.programs = binaries.kubernetes()
        self._port = HeldPort()
        self.has_ipv6 = self._port.has_ipv6
        self.access = certified(folder, url=f"https://127.0.0.1:{self._port.number}")
        self.kubeconfig = write_kubeconfig(folder / "kubeconfig", self.access)
        self._etcd = Etcd(self.programs.etcd, folder)
        self._requests = Requests(self.access)
        self._process = Process(
            [self.programs.kube_apiserver, *self._flags(), *flags],
            log=folder / "kube-apiserver.log",
            # A third less work until it is ready, for 80 MB: collecting garbage is most of what a start can spare.
            environment={"PATH": os.environ["PATH"], "GOGC": "400"},
        )

    @property
    def kubectl(self) -> Path:
        """The client that goes with it."""
        return self.programs.kubectl

    def open(self) -> None:
        """Start both and return when the API server is ready."""
        self._etcd.start()
        self.start()

    def close(self) -> None:
        """Stop both and remove etcd's data."""
        self._requests.close()
        self._process.stop()
        self._etcd.remove()
        self._port.close()

    def start(self) -> None:
        """Start the API server and return when it is ready and its first namespaces are there."""
        self._process.start(self._is_ready, timeout_seconds=60)

    def stop(self) -> None:
        """Stop the API server as a service manager would."""
        self._process.stop()

    def kill(self) -> None:
        """Kill the API server."""
        self._process.kill()

    def freeze(self) -> None:
        """Stop the API server's execution; its connections stay open."""
        self._process.freeze()

    def thaw(self) -> None:
        """Let it go on."""
        self._process.thaw()

    def compact(self) -> None:
        """Make etcd forget every revision but the current one."""
        self._etcd.compact()

    def _is_ready(self) -> bool:
        return is_ready(self._requests)

    def _flags(self) -> Sequence[str]:
        return (
            *usual_flags(self.folder, etcd_url=self._etcd.url),
            f"--secure-port={self._port.number}",
            "--permit-port-sharing",
            # The Endpoints of the kubernetes Service may not be loopback's, and nobody asks for them here.
            "--advertise-address=127.0.0.1",
            "--endpoint-reconciler-type=none",
        )


def is_ready(requests: Requests) -> bool:
    """Tell whether an API server says that it is ready, and has its first namespaces."""
    try:
        for path in ("/readyz", "/api/v1/namespaces/default", "/api/v1/namespaces/kube-system"):
            requests.send("GET", path, timeout_seconds=1)
    except (ApiFailed, urllib3.exceptions.HTTPError):
        return False
    return True


def usual_flags(folder: Path, *, etcd_url: str) -> Sequence[str]:
    """Return kube-apiserver's flags with the files of `certified` in `folder`; its address and port are not in them."""
    return (
        f"--etcd-servers={etcd_url}",
        "--bind-address=0.0.0.0",
        f"--tls-cert-file={folder / 'server.crt'}",
        f"--tls-private-key-file={folder / 'server.key'}",
        f"--client-ca-file={folder / 'ca.crt'}",
        f"--service-account-issuer={ISSUER}",
        f"--service-account-key-file={folder / 'accounts.key'}",
        f"--service-account-signing-key-file={folder / 'accounts.key'}",
        "--authorization-mode=Node,RBAC",
        "--enable-admission-plugins=NodeRestriction",
        "--allow-privileged",
        # Otherwise one open watch holds a stop up for a minute.
        "--shutdown-watch-termination-grace-period=1s",
        "--service-cluster-ip-range=10.0.0.0/24",
    )


def certified(folder: Path, *, url: str, names: Sequence[str] = SERVER_NAMES) -> Access:
    """Write a CA, the server's and an administrator's certificate, and the key of service account tokens."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / "ca.crt")
    authority.private_key_pem.write_to_path(folder / "ca.key")
    write_certificate(authority.issue_cert(*names, common_name="kube-apiserver"), folder / "server")
    # Without a name of a host the certificate gets an extension that Go refuses.
    admin = authority.issue_cert("admin.test", common_name="admin", organization_name="system:masters")
    write_certificate(admin, folder / "admin")
    authority.issue_cert("accounts.test").private_key_pem.write_to_path(folder / "accounts.key")
    return Access(url=url, ca_file=folder / "ca.crt", certificate=folder / "admin.crt", key=folder / "admin.key")


def write_certificate(issued: trustme.LeafCert, path: Path) -> None:
    """Write a certificate beside its key, to `path` with .crt and .key."""
    issued.cert_chain_pems[0].write_to_path(path.with_name(f"{path.name}.crt"))
    issued.private_key_pem.write_to_path(path.with_name(f"{path.name}.key"))
