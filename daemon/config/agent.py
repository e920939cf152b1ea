"""The settings of `prewarm agent`; kruise-daemon's flags work as aliases where they mean the same."""

from collections.abc import Mapping

import msgspec

from daemon.config.cluster import (
    ACCOUNT_FOLDER,
    KUBECONFIG,
    LISTEN,
    LOG_FORMAT,
    SECRET_NAMESPACE,
    SECRET_NAMESPACE_DEFAULT,
    SERVICE_ACCOUNT_FOLDER,
)
from daemon.config.coordinator import LEADING_SETTINGS, CoordinatorSettings, coordinator_settings
from daemon.config.engine import (
    MAX_CONCURRENT_PULLS,
    MIN_FREE,
    PLUGIN_BIN_DIR,
    PLUGIN_CONFIG,
    RUNTIME_ENDPOINT,
    check_plugins,
)
from daemon.config.settings import InvalidSetting, Setting, name, settle, switch


class AgentSettings(msgspec.Struct, frozen=True, kw_only=True):
    """
    What `prewarm agent` works with.

    `node_name` is never guessed: it is the name of the NodeImage that this agent serves. `kubeconfig` "" means: as a
    Pod does, by the files in `service_account_folder`. `runtime_endpoint` "" means: look for one. `coordinator` None
    means: without --with-coordinator; settings that both roles have are the same in it.
    """

    node_name: str
    kubeconfig: str = ""
    service_account_folder: str = SERVICE_ACCOUNT_FOLDER
    runtime_endpoint: str = ""
    max_concurrent_pulls: int = 2
    min_free: str = "20%"
    listen: str = ":10221"
    secret_namespace: str = SECRET_NAMESPACE_DEFAULT
    has_owner_events: bool = False
    plugin_config: str = ""
    plugin_bin_dir: str = ""
    log_format: str = "auto"
    coordinator: CoordinatorSettings | None = None


AGENT_SETTINGS = (
    Setting(
        flag="--node-name",
        field="node_name",
        metavar="NAME",
        parse=name,
        variables=("NODE_NAME",),
        help="the node that this agent serves: the name of its NodeImage; required (also from NODE_NAME)",
    ),
    KUBECONFIG,
    ACCOUNT_FOLDER,
    RUNTIME_ENDPOINT,
    MAX_CONCURRENT_PULLS,
    MIN_FREE,
    # kruise-daemon's name for it.
    msgspec.structs.replace(LISTEN, aliases=("--addr",)),
    SECRET_NAMESPACE,
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
    LOG_FORMAT,
    Setting(
        flag="--with-coordinator",
        field="with_coordinator",
        metavar="BOOL",
        parse=switch,
        is_switch=True,
        help="be a coordinator too, of which one among all leads; needs the coordinator's rights (default: false)",
    ),
)


def agent_settings(given: Mapping[str, object], *, environment: Mapping[str, str]) -> AgentSettings:
    """
    Settle what `prewarm agent` works with.

    Args:
        given: the text of each flag by its field, None: not given.
        environment: where the twins are.

    Raises:
        InvalidSetting: a value cannot be used, the node's name is missing, or a flag is a coordinator's alone.
    """
    values = settle(given, settings=AGENT_SETTINGS, environment=environment)
    if "node_name" not in values:
        raise InvalidSetting("--node-name: required, the node that this agent serves (in a Pod: NODE_NAME by fieldRef)")
    if values.pop("with_coordinator", False):
        values["coordinator"] = coordinator_settings(given, environment=environment)
    else:
        _check_needless(given)
    settings = msgspec.convert(values, AgentSettings)
    check_plugins(plugin_config=settings.plugin_config, plugin_bin_dir=settings.plugin_bin_dir)
    return settings


def _check_needless(given: Mapping[str, object]) -> None:
    """
    Look for flags that mean nothing to an agent alone; variables may be there for another container's sake.

    Raises:
        InvalidSetting: there is one.
    """
    for setting in LEADING_SETTINGS:
        if given.get(setting.field) is not None:
            raise InvalidSetting(f"{setting.flag}: needs --with-coordinator; an agent alone does not coordinate")
