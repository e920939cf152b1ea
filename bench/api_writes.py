"""The writes that an API server has answered, by its own count, so that none is missed, whoever made it. Pure."""

import re
from collections import Counter
from typing import Final


WRITES: Final = ("POST", "PUT", "PATCH", "APPLY", "DELETE", "DELETECOLLECTION")
# What is written whether or not there is work (heartbeats), and what is asked by a POST and kept nowhere.
BESIDE: Final = frozenset(
    {
        *("leases", "nodes", "nodes/status"),
        *("serviceaccounts/token", "tokenreviews", "subjectaccessreviews", "selfsubjectaccessreviews"),
    }
)
EVENTS: Final = "events"
_SAMPLE: Final = re.compile(r"apiserver_request_total\{([^}]*)\} ([0-9.e+]+)")
_LABEL: Final = re.compile(r'(\w+)="([^"]*)"')


def writes_of(metrics: str) -> Counter[str]:
    """Count the writes in the text of /metrics, by what they wrote: such as "PATCH nodeimages/status"."""
    found: Counter[str] = Counter()
    for labels, value in _SAMPLE.findall(metrics):
        named = dict(_LABEL.findall(labels))
        if named.get("verb") in WRITES:
            what = "/".join(part for part in (named.get("resource", ""), named.get("subresource", "")) if part)
            found[f"{named['verb']} {what}"] += int(float(value))
    return found


def for_work(writes: Counter[str]) -> Counter[str]:
    """Leave out events, heartbeats, and questions that are asked by a POST: what is left is there to be kept."""
    return Counter(
        {what: count for what, count in writes.items() if what.split()[1] not in {*BESIDE, EVENTS} and count}
    )


def told(writes: Counter[str]) -> str:
    """Return writes for a person, such as "3 POST pods, 6 PATCH pods/status"."""
    return ", ".join(f"{count} {what}" for what, count in sorted(writes.items()))
