"""
A Kubernetes API server for tests: one of a test's own, or the cluster that PREWARM_TEST_KUBECONFIG names.

What a test does as the administrator goes through here, apart from the code under test. The processes are
apiserver_process.py's, which says what does not run beside them.
"""

import os
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import msgspec

from tests.servers.apiserver_access import Access, Json, Requests
from tests.servers.apiserver_accounts import Accounts, mount
from tests.servers.apiserver_interface import Server
from tests.servers.apiserver_process import ControlPlane


class ApiServer:
    """
    One API server with its files in `folder`.

    Args:
        folder: its own; credentials and logs are in it.
        flags: added to kube-apiserver's command line, such as --watch-cache=false.
        server: what runs it, where that is not to be a ControlPlane in `folder`.
    """

    def __init__(self, folder: Path, *, flags: Sequence[str] = (), server: Server | None = None) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._server: Server = server or ControlPlane(folder, flags=flags)
        self._requests = Requests(self._server.access)
        self._accounts = Accounts(self._requests)

    def __enter__(self) -> Self:
        try:
            self._server.open()
        except BaseException:
            self._server.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._requests.close()
        self._server.close()

    @property
    def url(self) -> str:
        """Where it answers, such as https://127.0.0.1:41234; our own answers at https://[::1]:PORT as well."""
        return self._server.access.url

    @property
    def port(self) -> int:
        """Its port, the same over restarts."""
        return urlsplit(self.url).port or 443

    @property
    def has_ipv6(self) -> bool:
        """Whether [::1] reaches it too."""
        return self._server.has_ipv6

    @property
    def ca_file(self) -> Path:
        """The CA that signed its certificate."""
        return self._server.access.ca_file

    def access_at(self, host: str) -> Access:
        """Return the administrator's access by another name or address of the server, such as ::1."""
        name = f"[{host}]" if ":" in host else host
        return msgspec.structs.replace(self._server.access, url=f"https://{name}:{self.port}")

    @property
    def kubeconfig(self) -> Path:
        """A kubeconfig of its administrator."""
        return self._server.kubeconfig

    def start(self) -> None:
        """Start it after a stop or a kill, on the same port and data, and return when it is ready."""
        self._server.start()

    def stop(self) -> None:
        """Stop it as a service manager would; etcd stays, and connections are refused."""
        self._server.stop()

    def kill(self) -> None:
        """Kill it with SIGKILL, as a crash would; etcd stays."""
        self._server.kill()

    def restart(self) -> None:
        """Stop it and start it again."""
        self.stop()
        self.start()

    def freeze(self) -> None:
        """Make it hang: connections stay open, new ones are taken, and nothing answers."""
        self._server.freeze()

    def thaw(self) -> None:
        """Let a frozen one go on."""
        self._server.thaw()

    def compact(self) -> None:
        """
        Make etcd forget every revision but the current one.

        kube-apiserver goes on answering from its own cache: watches from an older version get 410 after a restart, and
        lists as well as watches get it at once where the server runs with --watch-cache=false.
        """
        self._server.compact()

    def request(
        self,
        method: str,
        path: str,
        body: Json | list[Any] | None = None,
        *,
        content_type: str | None = None,
        token: str | None = None,
        timeout_seconds: float = 30,
    ) -> Json:
        """Return the decoded answer; see Requests.send for arguments and errors."""
        return self._requests.json(
            method, path, body, content_type=content_type, token=token, timeout_seconds=timeout_seconds
        )

    def text(self, path: str, *, token: str | None = None, timeout_seconds: float = 30) -> str:
        """Return what a path answers that is no JSON, such as /readyz or /metrics; errors are Requests.send's."""
        return self._requests.send("GET", path, token=token, timeout_seconds=timeout_seconds)

    def watch(self, path: str, *, token: str | None = None, timeout_seconds: float = 30) -> Iterator[Json]:
        """Yield a watch's events as they come; see Requests.watch."""
        return self._requests.watch(path, token=token, timeout_seconds=timeout_seconds)

    def kubectl(self, *arguments: str | Path, stdin: str | None = None, timeout_seconds: float = 60) -> str:
        """
        Return what kubectl prints, run as the administrator.

        Raises:
            subprocess.CalledProcessError: it ended with an error; its words are in `stderr` and in a note.
        """
        cache = self._folder / "kubectl"
        command = [self._server.kubectl, "--kubeconfig", self.kubeconfig, "--cache-dir", cache, *arguments]
        # A kubeconfig's login plugin needs its person's environment; their kubectl preferences would change answers.
        environment = {**os.environ, "KUBERC": "off"}
        try:
            done = subprocess.run(
                [str(part) for part in command],
                check=True,
                capture_output=True,
                env=environment,
                input=stdin or "",
                text=True,
                timeout=timeout_seconds,
            )
        except subprocess.CalledProcessError as error:
            error.add_note(error.stderr)
            raise
        return done.stdout

    def account(self, namespace: str, name: str) -> str:
        """Create a service account, and its namespace, where absent; return the name that RBAC knows it by."""
        self._accounts.ensure(namespace, name)
        return f"system:serviceaccount:{namespace}:{name}"

    def token(
        self, namespace: str, name: str, *, seconds: int = 3600, pod: str | None = None, node: str | None = None
    ) -> str:
        """
        Return a new token of a service account, which is created where absent.

        Args:
            namespace: of the account.
            name: of the account.
            seconds: until it expires; the API server's least is 600.
            pod: bind it to this Pod, which has to exist unless `node` is given.
            node: bind it to a Pod on this Node, so that it carries the node's name; both are created where absent.
        """
        return self._accounts.token(namespace, name, seconds=seconds, pod=pod, node=node)

    def service_account_folder(
        self, folder: Path, namespace: str, name: str, *, node: str | None = None, seconds: int = 3600
    ) -> Path:
        """
        Make `folder` what a Pod finds at /var/run/secrets/kubernetes.io/serviceaccount, and return it.

        Again on the same folder, it puts a new token there as the kubelet does: all files change at one moment.
        """
        token = self.token(namespace, name, seconds=seconds, node=node)
        mount(folder, token=token, ca=self.ca_file.read_bytes(), namespace=namespace)
        return folder

    def service_environment(self, *, host: str | None = None) -> dict[str, str]:
        """Return the variables that tell a Pod where the API server is; `host` such as ::1 in place of the usual."""
        usual = urlsplit(self.url).hostname or ""
        return {"KUBERNETES_SERVICE_HOST": host or usual, "KUBERNETES_SERVICE_PORT": str(self.port)}
