"""The settings of `prewarm run`."""

from collections.abc import Mapping

import msgspec

from daemon.api.nodeimage import ImagePullPolicy
from daemon.config.engine import (
    MAX_CONCURRENT_PULLS,
    MIN_FREE,
    PLUGIN_BIN_DIR,
    PLUGIN_CONFIG,
    RUNTIME_ENDPOINT,
    check_plugins,
)
from daemon.config.settings import Setting, labels, one_of, seconds, settle


class RunSettings(msgspec.Struct, frozen=True, kw_only=True):
    """
    What `prewarm run` works with.

    `sources` are files, folders or "-"; `runtime_endpoint` "" means: look for one. `node_labels` None means: not told.
    `image_pull_policy` None means: Always for tags, IfNotPresent for digests, which cannot move.
    """

    sources: tuple[str, ...] = ()
    images: tuple[str, ...] = ()
    image_pull_policy: ImagePullPolicy | None = None
    is_watching: bool = False
    node_name: str = ""
    node_labels: dict[str, str] | None = None
    runtime_endpoint: str = ""
    max_concurrent_pulls: int = 2
    min_free: str = "20%"
    output: str = "auto"
    plugin_config: str = ""
    plugin_bin_dir: str = ""
    runtime_wait_seconds: float = 30


RUN_SETTINGS = (
    Setting(
        flag="--image-pull-policy",
        field="image_pull_policy",
        metavar="POLICY",
        parse=one_of(*ImagePullPolicy),
        help="for --image: Always asks the registry even if the image is there, IfNotPresent does not (default: Always "
        "for tags, IfNotPresent for digests, which cannot move)",
    ),
    RUNTIME_ENDPOINT,
    Setting(
        flag="--runtime-wait",
        field="runtime_wait_seconds",
        metavar="SECONDS",
        parse=seconds,
        help="how long to wait for a runtime that is away; with --watch there is no limit (default: 30)",
    ),
    MAX_CONCURRENT_PULLS,
    MIN_FREE,
    Setting(
        flag="--node-name",
        field="node_name",
        metavar="NAME",
        variables=("NODE_NAME",),
        help="this node's name, to honour selectors by name (also from NODE_NAME)",
    ),
    Setting(
        flag="--node-labels",
        field="node_labels",
        metavar="KEY=VALUE,...",
        parse=labels,
        help="this node's labels, to honour selectors by label",
    ),
    PLUGIN_CONFIG,
    PLUGIN_BIN_DIR,
    Setting(
        flag="--output",
        field="output",
        metavar="FORM",
        parse=one_of("auto", "bars", "lines", "json"),
        help="bars, lines or json (default: bars on a terminal, a JSON line an event in a pipe)",
    ),
)


def run_settings(given: Mapping[str, object], *, environment: Mapping[str, str]) -> RunSettings:
    """
    Settle what `prewarm run` works with.

    Args:
        given: `sources`, `images` and `is_watching` as they are; the text of each flag by its field, None: not given.
        environment: where the twins are.

    Raises:
        InvalidSetting: a value cannot be used, or one setting lacks another.
    """
    values = settle(given, settings=RUN_SETTINGS, environment=environment)
    plain = {field: given[field] for field in ("sources", "images", "is_watching")}
    settings = msgspec.convert({**values, **plain}, RunSettings)
    check_plugins(plugin_config=settings.plugin_config, plugin_bin_dir=settings.plugin_bin_dir)
    return settings
