"""The settings of `prewarm clean`."""

from collections.abc import Mapping
from typing import Final

import msgspec

from daemon.config.engine import RUNTIME_ENDPOINT
from daemon.config.settings import settle


class CleanSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What `prewarm clean` works with: `runtime_endpoint` "" means: look for one; a trial only tells."""

    runtime_endpoint: str = ""
    is_trial: bool = False


CLEAN_SETTINGS: Final = (RUNTIME_ENDPOINT,)


def clean_settings(given: Mapping[str, object], *, environment: Mapping[str, str]) -> CleanSettings:
    """
    Settle what `prewarm clean` works with.

    Args:
        given: `is_trial` as it is; the text of each flag by its field.
        environment: where the twins are.

    Raises:
        InvalidSetting: a value cannot be used.
    """
    values = settle(given, settings=CLEAN_SETTINGS, environment=environment)
    return msgspec.convert({**values, "is_trial": given["is_trial"]}, CleanSettings)
