"""The writes that an API server has answered, by its own count, so that none is missed, whoever made it. Pure."""

import re
from collections import Counter
from typing import Final


WRITES: Final = ("POST", "PUT", "PATCH", "APPLY", "DELETE", "DELETECOLLECTION")
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
