"""A person at a shell: `prewarm` commands against an API server, by a kubeconfig of an account of theirs."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import yaml

from tests.servers.apiserver import ApiServer
from tests.servers.processes import until


Json = dict[str, Any]

ROOT: Final = Path(__file__).parents[2]
RBAC: Final = "/apis/rbac.authorization.k8s.io/v1"
COMMAND_SECONDS: Final = 60.0
WAIT_SECONDS: Final = 60.0


class Person:
    """Runs commands; `kubeconfig` None is a shell without one."""

    def __init__(self, kubeconfig: Path | None, folder: Path) -> None:
        self.kubeconfig = kubeconfig
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def run(self, *arguments: str, variables: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        """Run `prewarm` with these arguments to its end."""
        return subprocess.run(
            self.command(*arguments),
            capture_output=True,
            text=True,
            env=self.environment(variables),
            timeout=COMMAND_SECONDS,
            check=False,
        )

    def output(self, *arguments: str) -> str:
        """Return what `prewarm` prints; it has to end well and complain of nothing."""
        done = self.run(*arguments)
        assert (0, "") == (done.returncode, done.stderr), done.stderr
        return done.stdout

    def document(self, *arguments: str) -> Any:  # noqa: ANN401 - JSON
        """Return the document of `prewarm ... -o json`."""
        return json.loads(self.output(*arguments, "-o", "json"))

    def following(self, *arguments: str) -> "Following":
        """Start `prewarm ... --watch` with its output in a file."""
        return Following(self, arguments, self._folder / f"watch-{len(list(self._folder.iterdir()))}")

    def command(self, *arguments: str) -> list[str]:
        """Return the command line."""
        return [sys.executable, "-m", "daemon", *arguments]

    def environment(self, variables: Mapping[str, str] | None = None) -> dict[str, str]:
        """Return a shell's variables, and nothing of the machine's."""
        known = {"KUBECONFIG": str(self.kubeconfig)} if self.kubeconfig is not None else {}
        plain = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "HOME": str(self._folder), "COLUMNS": "200"}
        return {**plain, **known, **(variables or {})}


class Following:
    """One command that goes on while it is entered; it is killed at the end if nothing has ended it."""

    def __init__(self, person: Person, arguments: tuple[str, ...], log: Path) -> None:
        self._person = person
        self._arguments = arguments
        self._log = log
        self._child: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        with self._log.open("wb") as log:
            self._child = subprocess.Popen(
                self._person.command(*self._arguments, "--watch"),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self._person.environment(),
            )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._child is not None:
            self._child.kill()
            self._child.wait()

    @property
    def lines(self) -> list[str]:
        """What it has written so far."""
        return self._log.read_text(encoding="utf-8").splitlines()

    def until(self, *words: str) -> str:
        """Return the first line with all these words, once there is one."""

        def found() -> str:
            return next((line for line in self.lines if all(word in line for word in words)), "")

        return until(found, what=f"a line with {words} among {self.lines}", timeout_seconds=WAIT_SECONDS)

    def interrupt(self) -> int:
        """Press Ctrl-C, and return the exit code."""
        assert self._child is not None
        self._child.send_signal(signal.SIGINT)
        return self._child.wait(WAIT_SECONDS)

    def ended(self) -> int:
        """Return the exit code once it has ended by itself."""
        assert self._child is not None
        return self._child.wait(WAIT_SECONDS)


def roles() -> list[Json]:
    """Return the ClusterRoles that daemonset.yaml has for people."""
    return list(yaml.safe_load_all((ROOT / "deploy/base/roles.yaml").read_text(encoding="utf-8")))


def bound(
    apiserver: ApiServer, namespace: str, account: str, folder: Path, *, role: str, is_everywhere: bool = True
) -> Person:
    """Return a person who has a ClusterRole, in the whole cluster or in their namespace alone."""
    kind = "ClusterRoleBinding" if is_everywhere else "RoleBinding"
    place = f"{RBAC}/clusterrolebindings" if is_everywhere else f"{RBAC}/namespaces/{namespace}/rolebindings"
    kubeconfig = kubeconfig_of(apiserver, folder / account, namespace=namespace, account=account)
    subject = {"kind": "ServiceAccount", "name": account, "namespace": namespace}
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role}
    binding = {"kind": kind, "metadata": {"name": f"{namespace}-{account}"}, "roleRef": reference}
    apiserver.request("POST", place, {**binding, "subjects": [subject]})
    return Person(kubeconfig, folder / f"home-{account}")


def kubeconfig_of(apiserver: ApiServer, path: Path, *, namespace: str, account: str, server: str = "") -> Path:
    """Write a kubeconfig of a service account, which is created where absent, with its namespace as the context's."""
    cluster = {"server": server or apiserver.url, "certificate-authority": str(apiserver.ca_file)}
    config: Json = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "test", "cluster": cluster}],
        "users": [{"name": account, "user": {"token": apiserver.token(namespace, account)}}],
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": account, "namespace": namespace}}],
        "current-context": "test",
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(config), encoding="utf-8")
    return path
