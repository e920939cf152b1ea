"""
The settings of `prewarm coordinator`, and of an agent with `--with-coordinator`.

LEADING_SETTINGS are those that only one who coordinates has; an agent has the others already.
"""

import socket
import uuid
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
from daemon.config.settings import Setting, identity, name, period, rate, settle, taint_key


class CoordinatorSettings(msgspec.Struct, frozen=True, kw_only=True):
    """
    What `prewarm coordinator` works with.

    `identity` is the holder's name in the Lease, and no two may share one. `write_rate` is requests a second, and twice
    as many may be sent at once after a rest. `gate_taint` "" means: no taint is ever taken off a node; the deadline
    counts from a node's creation. `kubeconfig` "" means: as a Pod does, by the files in `service_account_folder`.
    """

    identity: str
    kubeconfig: str = ""
    service_account_folder: str = SERVICE_ACCOUNT_FOLDER
    lease_namespace: str = "prewarm-system"
    write_rate: float = 100.0
    gate_taint: str = "startup-taint.cluster-autoscaler.kubernetes.io/prewarm"
    gate_deadline_seconds: float = 600.0
    listen: str = ":10221"
    secret_namespace: str = SECRET_NAMESPACE_DEFAULT
    log_format: str = "auto"


LEADING_SETTINGS = (
    Setting(
        flag="--lease-namespace",
        field="lease_namespace",
        metavar="NAMESPACE",
        parse=name,
        variables=("POD_NAMESPACE",),
        help="where the Lease prewarm-coordinator is, by which one of all coordinators leads (also from POD_NAMESPACE; "
        "default: prewarm-system)",
    ),
    Setting(
        flag="--identity",
        field="identity",
        metavar="NAME",
        parse=identity,
        variables=("POD_NAME",),
        help="what this one is called in the Lease, no other may be called so (also from POD_NAME; default: the "
        "host's name and random letters)",
    ),
    Setting(
        flag="--write-rate",
        field="write_rate",
        metavar="N",
        parse=rate,
        help="at most this many writes to the API server a second, the Lease's aside; twice as many after a rest "
        "(default: 100)",
    ),
    Setting(
        flag="--gate-taint",
        field="gate_taint",
        metavar="KEY",
        parse=taint_key,
        help="the startup taint that is taken off a node once the images of its gating jobs are there; an empty KEY: "
        "none (default: startup-taint.cluster-autoscaler.kubernetes.io/prewarm)",
    ),
    Setting(
        flag="--gate-deadline",
        field="gate_deadline_seconds",
        metavar="SECONDS",
        parse=period,
        help="how long after a node's creation the taint is taken off all the same (default: 600)",
    ),
)
COORDINATOR_SETTINGS = (KUBECONFIG, ACCOUNT_FOLDER, *LEADING_SETTINGS, LISTEN, SECRET_NAMESPACE, LOG_FORMAT)


def coordinator_settings(given: Mapping[str, object], *, environment: Mapping[str, str]) -> CoordinatorSettings:
    """
    Settle what `prewarm coordinator` works with; an identity is made up where nobody gives one.

    Args:
        given: the text of each flag by its field, None: not given.
        environment: where the twins are.

    Raises:
        InvalidSetting: a value cannot be used.
    """
    values = settle(given, settings=COORDINATOR_SETTINGS, environment=environment)
    return msgspec.convert({"identity": _any_identity(), **values}, CoordinatorSettings)


def _any_identity() -> str:
    """Make an identity that no other process has, as client-go's do: two with the same one would both lead."""
    return f"{socket.gethostname()}_{uuid.uuid4()}"
