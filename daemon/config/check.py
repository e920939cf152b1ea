"""The settings of `prewarm check`: which cluster a person means, and in which form it answers."""

from collections.abc import Mapping
from typing import Final

import msgspec

from daemon.config.cluster import ACCOUNT_FOLDER, SERVICE_ACCOUNT_FOLDER
from daemon.config.settings import settle
from daemon.config.status import STATUS_SETTINGS


CHECK_OUTPUTS: Final = ("json", "yaml")


class CheckSettings(msgspec.Struct, frozen=True, kw_only=True):
    """
    What `prewarm check` works with.

    `kubeconfig` "" means: as kubectl finds one, or a Pod's own account. `context` "" is the current one, `output` "" a
    report for a person.
    """

    kubeconfig: str = ""
    context: str = ""
    service_account_folder: str = SERVICE_ACCOUNT_FOLDER
    output: str = ""


CHECK_SETTINGS: Final = (
    *(setting for setting in STATUS_SETTINGS if setting.field in {"kubeconfig", "context"}),
    ACCOUNT_FOLDER,
)


def check_settings(given: Mapping[str, object], *, environment: Mapping[str, str]) -> CheckSettings:
    """
    Settle what `prewarm check` works with.

    Args:
        given: `output` as it is; the text of each flag by its field.
        environment: where the twins are.

    Raises:
        InvalidSetting: a value cannot be used.
    """
    values = settle(given, settings=CHECK_SETTINGS, environment=environment)
    return msgspec.convert({**values, "output": given.get("output") or ""}, CheckSettings)
