"""
Every setting, its default and its unit: one Struct a role.

A flag beats its PREWARM_ twin in the environment, which beats the default. Values are checked here, so that a bad one
is one line that names it and exit code 2, before anything starts.
"""

from collections.abc import Callable, Mapping

import msgspec

from daemon.api.quantity import bytes_to_keep_free


class InvalidSetting(ValueError):
    """A flag or environment variable has a value that cannot be used; the text names it and says what can."""


class RunSettings(msgspec.Struct, frozen=True, kw_only=True):
    """
    What `prewarm run` works with.

    `sources` are files, folders or "-"; `runtime_endpoint` "" means: look for one. `node_labels` None means: not told.
    """

    sources: tuple[str, ...] = ()
    images: tuple[str, ...] = ()
    image_pull_policy: str = "Always"
    is_watching: bool = False
    node_name: str = ""
    node_labels: dict[str, str] | None = None
    runtime_endpoint: str = ""
    max_concurrent_pulls: int = 2
    min_free: str = "20%"
    output: str = "auto"
    plugin_config: str = ""
    plugin_bin_dir: str = ""
    runtime_wait_seconds: float = 30.0


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


def one_of(*choices: str) -> Callable[[str], str]:
    """Make a parser that takes one of some words."""

    def parse(text: str) -> str:
        if text not in choices:
            raise InvalidSetting(f'"{text}" is none of {", ".join(choices)}')
        return text

    return parse


RUN_SETTINGS = (
    Setting(
        flag="--runtime-endpoint",
        field="runtime_endpoint",
        metavar="SOCKET",
        aliases=("--socket-file",),
        help="the runtime's socket, as a path or unix:// address; default: the first of containerd, k3s, CRI-O and "
        "cri-dockerd that answers",
    ),
    Setting(
        flag="--max-concurrent-pulls",
        field="max_concurrent_pulls",
        metavar="N",
        parse=pulls,
        aliases=("--max-workers-for-pull-image",),
        help="how many images are pulled at once (default 2)",
    ),
    Setting(
        flag="--min-free",
        field="min_free",
        metavar="FREE",
        parse=floor,
        help='what stays free on the image filesystem: a percentage or a quantity such as 10Gi (default "20%%"; the '
        "kubelet evicts Pods below 15%%)",
    ),
    Setting(
        flag="--node-name",
        field="node_name",
        metavar="NAME",
        variables=("NODE_NAME",),
        help="this node's name, to honour the jobs' selectors by name (also NODE_NAME)",
    ),
    Setting(
        flag="--node-labels",
        field="node_labels",
        metavar="K=V,...",
        parse=labels,
        help="this node's labels, to honour the jobs' selectors by label",
    ),
    Setting(
        flag="--plugin-config",
        field="plugin_config",
        metavar="FILE",
        aliases=("--plugin-config-file",),
        help="a CredentialProviderConfig (file or folder), as the kubelet's --image-credential-provider-config",
    ),
    Setting(
        flag="--plugin-bin-dir",
        field="plugin_bin_dir",
        metavar="DIR",
        help="where the credential provider plugins are",
    ),
    Setting(
        flag="--output",
        field="output",
        metavar="FORM",
        parse=one_of("auto", "bars", "lines", "json"),
        help="auto, bars, lines or json (default auto: bars on a terminal, a JSON line an event in a pipe)",
    ),
)


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
        text, origin = given.get(setting.field), setting.flag
        if text is None:
            origin = next((name for name in (setting.variable, *setting.variables) if name in environment), "")
            text = environment.get(origin)
        if text is None:
            continue
        try:
            values[setting.field] = setting.parse(text)
        except InvalidSetting as error:
            raise InvalidSetting(f"{origin}: {error}") from None
    return values
