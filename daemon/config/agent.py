"""The settings of `prewarm agent`; kruise-daemon's flags work as aliases where they mean the same."""

from collections.abc import Mapping
from typing import Final

import msgspec

from daemon.config.engine import (
    MAX_CONCURRENT_PULLS,
    MIN_FREE,
    PLUGIN_BIN_DIR,
    PLUGIN_CONFIG,
    RUNTIME_ENDPOINT,
    check_plugins,
)
from daemon.config.settings import InvalidSetting, Setting, name, one_of, settle, switch


SERVICE_ACCOUNT_FOLDER: Final = "/var/run/secrets/kubernetes.io/serviceaccount"


class AgentSettings(msgspec.Struct, frozen=True, kw_only=True):
    """
    What `prewarm agent` works with.

    `node_name` is never guessed: it is the name of the NodeImage that this agent serves. `kubeconfig` "" means: as a
    Pod does, by the files in `service_account_folder`. `runtime_endpoint` "" means: look for one.
    """

    node_name: str
    kubeconfig: str = ""
    service_account_folder: str = SERVICE_ACCOUNT_FOLDER
    runtime_endpoint: str = ""
    max_concurrent_pulls: int = 2
    min_free: str = "20%"
    listen: str = ":10221"
    secret_namespace: str = "kruise-daemon-config"  # noqa: S105  a namespace, no password
    has_owner_events: bool = False
    plugin_config: str = ""
    plugin_bin_dir: str = ""
    log_format: str = "auto"


AGENT_SETTINGS = (
    Setting(
        flag="--node-name",
        field="node_name",
        metavar="NAME",
        parse=name,
        variables=("NODE_NAME",),
        help="the node that this agent serves: the name of its NodeImage; required (also from NODE_NAME)",
    ),
    Setting(
        flag="--kubeconfig",
        field="kubeconfig",
        metavar="PATH",
        help="reach the API server by this file's current context (default: as a Pod does, by its service account); "
        "needs the extra prewarm[kubeconfig]",
    ),
    Setting(
        flag="--service-account-folder",
        field="service_account_folder",
        metavar="DIR",
        help=f"where token and ca.crt of the service account are (default: {SERVICE_ACCOUNT_FOLDER})",
    ),
    RUNTIME_ENDPOINT,
    MAX_CONCURRENT_PULLS,
    MIN_FREE,
    Setting(
        flag="--listen",
        field="listen",
        metavar="ADDRESS",
        aliases=("--addr",),
        help="where /healthz, /readyz, /metrics and /state are served, such as :10221 or [::1]:8080 "
        "(default: :10221, on every address)",
    ),
    Setting(
        flag="--secret-namespace",
        field="secret_namespace",
        metavar="NAMESPACE",
        parse=name,
        help="where the copies of pull secrets are; secrets elsewhere are never read (default: kruise-daemon-config)",
    ),
    Setting(
        flag="--owner-events",
        field="has_owner_events",
        metavar="BOOL",
        parse=switch,
        is_switch=True,
        help="write events on the jobs too, not on the NodeImage alone; needs the right to create events in every "
        "namespace (default: false)",
    ),
    PLUGIN_CONFIG,
    PLUGIN_BIN_DIR,
    Setting(
        flag="--log-format",
        field="log_format",
        metavar="FORM",
        parse=one_of("auto", "json", "console"),
        help="json, or console for a person (default: console on a terminal, else json)",
    ),
)


def agent_settings(given: Mapping[str, object], *, environment: Mapping[str, str]) -> AgentSettings:
    """
    Settle what `prewarm agent` works with.

    Args:
        given: the text of each flag by its field, None: not given.
        environment: where the twins are.

    Raises:
        InvalidSetting: a value cannot be used, or the node's name is missing.
    """
    values = settle(given, settings=AGENT_SETTINGS, environment=environment)
    if "node_name" not in values:
        raise InvalidSetting("--node-name: required, the node that this agent serves (in a Pod: NODE_NAME by fieldRef)")
    settings = msgspec.convert(values, AgentSettings)
    check_plugins(plugin_config=settings.plugin_config, plugin_bin_dir=settings.plugin_bin_dir)
    return settings
