"""
The settings that `prewarm agent` and `prewarm coordinator` share: the API server, what is served, the log.

What they mean for a role, and which others it has, is agent.py's and coordinator.py's.
"""

from typing import Final

from daemon.config.settings import Setting, name, one_of


SERVICE_ACCOUNT_FOLDER: Final = "/var/run/secrets/kubernetes.io/serviceaccount"
SECRET_NAMESPACE_DEFAULT: Final = "kruise-daemon-config"  # noqa: S105  a namespace, no password

KUBECONFIG = Setting(
    flag="--kubeconfig",
    field="kubeconfig",
    metavar="PATH",
    help="reach the API server by this file's current context (default: as a Pod does, by its service account); "
    "needs the extra prewarm[kubeconfig]",
)
ACCOUNT_FOLDER = Setting(
    flag="--service-account-folder",
    field="service_account_folder",
    metavar="DIR",
    help=f"where token and ca.crt of the service account are (default: {SERVICE_ACCOUNT_FOLDER})",
)
LISTEN = Setting(
    flag="--listen",
    field="listen",
    metavar="ADDRESS",
    help="where /healthz, /readyz, /metrics and /state are served, such as :10221 or [::1]:8080 "
    "(default: :10221, on every address)",
)
SECRET_NAMESPACE = Setting(
    flag="--secret-namespace",
    field="secret_namespace",
    metavar="NAMESPACE",
    parse=name,
    help="where the copies of pull secrets are, which the coordinator makes and agents read "
    "(default: kruise-daemon-config)",
)
LOG_FORMAT = Setting(
    flag="--log-format",
    field="log_format",
    metavar="FORM",
    parse=one_of("auto", "json", "console"),
    help="json, or console for a person (default: console on a terminal, else json)",
)
