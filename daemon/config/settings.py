"""
What a setting is: its flag, its PREWARM_ twin, its default in a Struct, and how its text becomes a value.

A flag beats its twin in the environment, which beats the default. Values are checked here, so that a bad one is one
line that names it and exit code 2, before anything starts. Which settings there are is each role's module's.
"""

import math
from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from daemon.api.names import is_dns_subdomain, is_label_key
from daemon.api.quantity import bytes_to_keep_free


# As long as the name of a Pod may be.
_LONGEST_IDENTITY: Final = 253


class InvalidSetting(ValueError):
    """A flag or environment variable has a value that cannot be used; the text names it and says what can."""


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """
    One setting: its flag (the twin follows from it), how its text becomes a value, and what --help says.

    A switch needs no value: alone it means "true". `letter` is the flag's short form, as -n.
    """

    flag: str
    field: str
    help: str
    metavar: str = ""
    parse: Callable[[str], object] = str
    aliases: tuple[str, ...] = ()
    is_switch: bool = False
    variables: tuple[str, ...] = ()
    letter: str = ""

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


def period(text: str) -> float:
    """Parse a number of seconds, more than 0."""
    count = seconds(text)
    if count == 0:
        raise InvalidSetting(f'"{text}" is no time at all; it is a number of seconds, more than 0')
    return count


def rate(text: str) -> float:
    """Parse how many a second, more than 0; there is no word for "no limit", a large number does it."""
    try:
        count = float(text)
    except ValueError:
        count = math.nan
    if not 0 < count < math.inf:
        raise InvalidSetting(f'"{text}" is not a number of writes a second, more than 0')
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


def name(text: str) -> str:
    """Check a node's or namespace's name."""
    if not is_dns_subdomain(text):
        raise InvalidSetting(f'"{text}" is no name of an object: lower case letters, digits, "-" and "."')
    return text


def identity(text: str) -> str:
    """Check what a process is called among others: anything in one word of a length that a person can read."""
    if not 1 <= len(text) <= _LONGEST_IDENTITY or not text.isprintable() or " " in text:
        raise InvalidSetting(f'"{text}" is not one word of 1 to {_LONGEST_IDENTITY} characters')
    return text


def taint_key(text: str) -> str:
    """Check the key of a taint, which is written as a label's; an empty text is none."""
    if text and not is_label_key(text):
        raise InvalidSetting(f'"{text}" is no key of a taint, such as example.com/starting: no value, no effect')
    return text


def switch(text: str) -> bool:
    """Parse "true" or "false", as Kubernetes' own flags take them."""
    if text not in {"true", "false"}:
        raise InvalidSetting(f'"{text}" is neither true nor false')
    return text == "true"


def settle(
    given: Mapping[str, object], *, settings: tuple[Setting, ...], environment: Mapping[str, str]
) -> dict[str, object]:
    """
    Work out each setting that is not left at its default: the flag's text, else its twin's.

    Args:
        given: the text of each flag by its setting's field; what is no text was not given.
        settings: which there are.
        environment: where the twins are.

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


def _found(setting: Setting, *, given: Mapping[str, object], environment: Mapping[str, str]) -> tuple[str, str | None]:
    """Return where a setting's text stands, flag or variable, and the text; None where nowhere."""
    text = given.get(setting.field)
    if isinstance(text, str):
        return setting.flag, text
    origin = next((name for name in (setting.variable, *setting.variables) if name in environment), "")
    return origin, environment.get(origin)
