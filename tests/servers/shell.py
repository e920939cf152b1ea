"""What a person has on their PATH who follows the documents: prewarm, kubectl and jq."""

import os
import sys
from pathlib import Path

from tests.servers import jq
from tests.servers.binaries import kubernetes


def programs() -> dict[str, str]:
    """
    Return the variables by which a shell finds the three; what the machine has already comes after them.

    Raises:
        CommandFailed: jq is not here, and the configured sources do not have it.
    """
    folders = (Path(sys.executable).parent, kubernetes().kubectl.parent)
    return {"PATH": os.pathsep.join([*map(str, folders), os.environ["PATH"], str(jq.jq().parent)]), **jq.variables()}
