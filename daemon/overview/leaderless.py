"""
Whether somebody leads who passes a job's edit on to the nodes.

Told by the coordinator's Lease in the namespace that daemonset.yaml has; whoever may not read it is told nothing. Why
nobody leads is `prewarm check`'s to say.
"""

from datetime import datetime, timedelta
from typing import Final

from daemon.api.times import parse_time
from daemon.cluster.errors import ClusterError, NotFound
from daemon.cluster.interface import Api, Resource


LEASE: Final = "/apis/coordination.k8s.io/v1/namespaces/prewarm-system/leases/prewarm-coordinator"
LONG: Final = timedelta(minutes=1)
"""A leader renews each two seconds. The two clocks may differ; another takes a Lease over after fifteen."""
WORDS: Final = (
    "no coordinator leads, so nobody passes this on to the nodes until one does: `prewarm check` says why, and "
    "`kubectl delete daemonset prewarm-agent --namespace prewarm-system` ends every pull of Prewarm's agents"
)


def lacks_leader(api: Api, *, now: datetime, timeout_seconds: float) -> bool:
    """Tell whether it is certain that nobody leads; not where the Lease can't be read."""
    try:
        lease = api.get(LEASE, timeout_seconds=timeout_seconds)
    except NotFound:
        return True
    except ClusterError:
        return False
    return is_left(lease, now=now)


def is_left(lease: Resource, *, now: datetime) -> bool:
    """Tell whether a Lease names nobody, or was last renewed long ago."""
    spec = lease.get("spec")
    if not isinstance(spec, dict) or not spec.get("holderIdentity"):
        return True
    try:
        return now - parse_time(str(spec.get("renewTime"))) > LONG
    except ValueError:
        return True
