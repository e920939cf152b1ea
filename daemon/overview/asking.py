"""Finds the API server that a person means, and says in a line what to do where it can't be asked."""

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from daemon import __version__
from daemon.cluster.access import NoAccess
from daemon.cluster.contexts import Place, place_of
from daemon.cluster.errors import ClusterError
from daemon.cluster.transport import HttpApi
from daemon.config import CheckSettings, StatusSettings, SwitchSettings
from daemon.overview.troubles import VIEWER, words_for


FAILED: Final = 1
BAD_INPUT: Final = 2
USER_AGENT: Final = f"prewarm-person/{__version__}"


def asked(
    settings: StatusSettings | SwitchSettings | CheckSettings,
    *,
    environment: Mapping[str, str],
    ask: Callable[[HttpApi, Place], int],
    role: str = VIEWER,
    failed: int = FAILED,
) -> int:
    """
    Ask the API server that a person means, and return the exit code; failures are a line of what to do.

    Args:
        settings: which server and account.
        environment: where KUBECONFIG is.
        ask: gets the server, and where it was found.
        role: what would let a person ask, where they may not.
        failed: the exit code where it does not answer, or not as it should.
    """
    try:
        place = place_of(
            settings.kubeconfig,
            context=settings.context,
            environment=environment,
            folder=Path(settings.service_account_folder),
        )
        api = HttpApi(place.access, user_agent=USER_AGENT)
    except NoAccess as error:
        print(f"prewarm: {error}", file=sys.stderr)
        return BAD_INPUT
    try:
        return ask(api, place)
    except ClusterError as error:
        print(f"prewarm: {words_for(error, role=role)}", file=sys.stderr)
        return failed
    finally:
        api.close()
