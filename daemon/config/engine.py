"""The settings of the engine, which `prewarm run` and `prewarm agent` share: the runtime, slots, the floor, plugins."""

from daemon.config.settings import InvalidSetting, Setting, endpoint, floor, pulls


RUNTIME_ENDPOINT = Setting(
    flag="--runtime-endpoint",
    field="runtime_endpoint",
    metavar="SOCKET",
    parse=endpoint,
    aliases=("--socket-file",),
    help="the container runtime's socket, a path or a unix:// address (default: the first of containerd, k3s, "
    "CRI-O and cri-dockerd that answers)",
)
MAX_CONCURRENT_PULLS = Setting(
    flag="--max-concurrent-pulls",
    field="max_concurrent_pulls",
    metavar="N",
    parse=pulls,
    aliases=("--max-workers-for-pull-image",),
    help="how many images are pulled at once (default: 2)",
)
MIN_FREE = Setting(
    flag="--min-free",
    field="min_free",
    metavar="FREE",
    parse=floor,
    help="what stays free on the filesystem of the images, a share or a quantity such as 10Gi; 0 is no floor "
    "(default: 20%%; the kubelet evicts Pods below 15%%)",
)
PLUGIN_CONFIG = Setting(
    flag="--plugin-config",
    field="plugin_config",
    metavar="PATH",
    aliases=("--plugin-config-file",),
    help="credential provider plugins: a CredentialProviderConfig, file or folder, as the kubelet's "
    "--image-credential-provider-config",
)
PLUGIN_BIN_DIR = Setting(
    flag="--plugin-bin-dir",
    field="plugin_bin_dir",
    metavar="DIR",
    help="where the executables of those plugins are",
)


def check_plugins(*, plugin_config: str, plugin_bin_dir: str) -> None:
    """
    Check what two settings mean together.

    Raises:
        InvalidSetting: plugins are configured and nobody says where they are.
    """
    if plugin_config and not plugin_bin_dir:
        raise InvalidSetting("--plugin-config: needs --plugin-bin-dir, the folder of the plugins' executables")
