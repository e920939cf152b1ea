"""
Every setting, its default and its unit: one Struct a role.

A flag beats its PREWARM_ twin in the environment, which beats the default. Values are checked here, so that a bad one
is one line that names it and exit code 2, before anything starts.
"""

import math
from collections.abc import Callable, Mapping

import msgspec

from daemon.api.nodeimage import ImagePullPolicy
from daemon.api.quantity import bytes_to_keep_free


class InvalidSetting(ValueError):
    """A flag or environment variable has a value that cannot be used; the text names it and says what can."""


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


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """One setting: its flag (the twin follows from it), how its text becomes a value, and what --help says."""

    flag: str
    field: str
    help: str
    metavar: str = ""
    parse: Callable[[str], object] = str
    aliases: tuple[str, ...] = ()
    variables: tuple[str, ...] = ()

    @property
    def variable(self) -> str:
        """The environment variable that says the same, such as PREWARM_MIN_FREE for --min-free."""
        return "PREWARM_" + self.flag.removeprefix("--").replace("-", "_").upper()


def pulls(text: str) -> int:
    """Parse a number of concurrent pulls, at least 1 (kruise-daemon's -1, no limit, is refused with a reason)."""
    try:
        count = int(text)
    except ValueError:
        raise InvalidSetting(f'"{text}" is not a whole number') from None
    if count < 1:
        raise InvalidSetting(f"{count} is less than 1; a node without a limit starves its Pods of disk and network")
    return count


def floor(text: str) -> str:
    """Check a disk floor: a percentage of the image filesystem or a quantity of bytes; "0" turns it off."""
    try:
        bytes_to_keep_free(text, total_bytes=0)
    except ValueError:
        raise InvalidSetting(f'"{text}" is neither a percentage such as "20%" nor a size such as "10Gi"') from None
    return text


def labels(text: str) -> dict[str, str]:
    """Parse `key=value,key=value` as kubectl does; an empty text is no label at all."""
    pairs = [pair.strip() for pair in text.split(",") if pair.strip()]
    bad = next((pair for pair in pairs if "=" not in pair or pair.startswith("=")), None)
    if bad is not None:
        raise InvalidSetting(f'"{bad}" is not of the form key=value')
    return {key.strip(): value.strip() for key, _, value in (pair.partition("=") for pair in pairs)}


def seconds(text: str) -> float:
    """Parse a number of seconds, 0 or more."""
    try:
        count = float(text)
    except ValueError:
        count = math.nan
    if not 0 <= count < math.inf:
        raise InvalidSetting(f'"{text}" is not a number of seconds, 0 or more')
    return count


def endpoint(text: str) -> str:
    """Check a runtime's socket: an absolute path, with or without unix://; an empty text is none given."""
    if text and not text.removeprefix("unix://").removeprefix("unix:").startswith("/"):
        raise InvalidSetting(f'"{text}" is neither an absolute path nor unix:// and an absolute path')
    return text


def one_of(*choices: str) -> Callable[[str], str]:
    """Make a parser that takes one of some words."""

    def parse(text: str) -> str:
        if text not in choices:
            raise InvalidSetting(f'"{text}" is none of {", ".join(choices)}')
        return text

    return parse


RUN_SETTINGS = (
    Setting(
        flag="--image-pull-policy",
        field="image_pull_policy",
        metavar="POLICY",
        parse=one_of(*ImagePullPolicy),
        help="for --image: Always asks the registry even if the image is there, IfNotPresent does not (default: Always "
        "for tags, IfNotPresent for digests, which cannot move)",
    ),
    Setting(
        flag="--runtime-endpoint",
        field="runtime_endpoint",
        metavar="SOCKET",
        parse=endpoint,
        aliases=("--socket-file",),
        help="the container runtime's socket, a path or a unix:// address (default: the first of containerd, k3s, "
        "CRI-O and cri-dockerd that answers)",
    ),
    Setting(
        flag="--runtime-wait",
        field="runtime_wait_seconds",
        metavar="SECONDS",
        parse=seconds,
        help="how long to wait for a runtime that is away; with --watch there is no limit (default: 30)",
    ),
    Setting(
        flag="--max-concurrent-pulls",
        field="max_concurrent_pulls",
        metavar="N",
        parse=pulls,
        aliases=("--max-workers-for-pull-image",),
        help="how many images are pulled at once (default: 2)",
    ),
    Setting(
        flag="--min-free",
        field="min_free",
        metavar="FREE",
        parse=floor,
        help="what stays free on the filesystem of the images, a share or a quantity such as 10Gi; 0 is no floor "
        "(default: 20%%; the kubelet evicts Pods below 15%%)",
    ),
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
    Setting(
        flag="--plugin-config",
        field="plugin_config",
        metavar="PATH",
        aliases=("--plugin-config-file",),
        help="credential provider plugins: a CredentialProviderConfig, file or folder, as the kubelet's "
        "--image-credential-provider-config",
    ),
    Setting(
        flag="--plugin-bin-dir",
        field="plugin_bin_dir",
        metavar="DIR",
        help="where the executables of those plugins are",
    ),
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
    texts = {setting.field: text for setting in RUN_SETTINGS if isinstance(text := given.get(setting.field), str)}
    values = settle(texts, settings=RUN_SETTINGS, environment=environment)
    plain = {field: given[field] for field in ("sources", "images", "is_watching")}
    settings = msgspec.convert({**values, **plain}, RunSettings)
    if settings.plugin_config and not settings.plugin_bin_dir:
        raise InvalidSetting("--plugin-config: needs --plugin-bin-dir, the folder of the plugins' executables")
    return settings


def settle(
    given: Mapping[str, str | None], *, settings: tuple[Setting, ...], environment: Mapping[str, str]
) -> dict[str, object]:
    """
    Work out each setting that is not left at its default: the flag's text, else its twin's.

    Raises:
        InvalidSetting: naming the flag or the variable, its value and what would do.
    """
    values: dict[str, object] = {}
    for setting in settings:
        origin, text = _found(setting, given=given, environment=environment)
        if text is None:
            continue
        try:
            values[setting.field] = setting.parse(text)
        except InvalidSetting as error:
            raise InvalidSetting(f"{origin}: {error}") from None
    return values


def _found(
    setting: Setting, *, given: Mapping[str, str | None], environment: Mapping[str, str]
) -> tuple[str, str | None]:
    """Return where a setting's text stands, flag or variable, and the text; None where nowhere."""
    text = given.get(setting.field)
    if text is not None:
        return setting.flag, text
    origin = next((name for name in (setting.variable, *setting.variables) if name in environment), "")
    return origin, environment.get(origin)
