"""
Shares and sizes: "10%" of the nodes, "20%" or "10Gi" of a filesystem.

What a value may look like is a pattern here, so that the CRDs' schemas can say the same.
"""

import re
from decimal import Decimal
from typing import Final


PERCENTAGE: Final = re.compile(r"(100|[1-9]?[0-9])%")
COUNT: Final = re.compile(r"0|[1-9][0-9]{0,9}")
MIN_FREE: Final = re.compile(r"([1-9]?[0-9])%|([0-9]{1,15}(?:\.[0-9]{1,9})?)(Ki|Mi|Gi|Ti|Pi|Ei|k|M|G|T|P|E)?")

_BINARY: Final = ("Ki", "Mi", "Gi", "Ti", "Pi", "Ei")
_DECIMAL: Final = ("k", "M", "G", "T", "P", "E")


def nodes_at_once(parallelism: int | str, *, nodes: int) -> int:
    """
    Return how many of `nodes` may pull at the same time.

    A percentage is rounded up and is at least one node; "0%", like 0, pauses.

    Raises:
        ValueError: a text that is no percentage; parsed manifests have none.

    """
    if isinstance(parallelism, int):
        return parallelism
    match = PERCENTAGE.fullmatch(parallelism)
    if match is None:
        raise ValueError(f"parallelism {parallelism!r} is neither a number nor a percentage")
    percent = int(match[1])
    return max(1, -(-nodes * percent // 100)) if percent else 0


def bytes_to_keep_free(min_free: str, *, total_bytes: int) -> int:
    """
    Return the floor of free bytes on a filesystem of `total_bytes`: a share of it, rounded up, or a fixed size.

    Raises:
        ValueError: neither a percentage nor a quantity; parsed manifests have none.

    """
    match = MIN_FREE.fullmatch(min_free)
    if match is None:
        raise ValueError(f'minFree {min_free!r} is neither a percentage such as "20%" nor a size such as "10Gi"')
    if match[1]:
        return -(-total_bytes * int(match[1]) // 100)
    return int(Decimal(match[2]) * _factor(match[3] or ""))


def _factor(suffix: str) -> int:
    """Return the multiplier of a quantity's suffix (Kubernetes' resource.Quantity)."""
    if suffix in _BINARY:
        return int(1024 ** (_BINARY.index(suffix) + 1))
    return int(1000 ** (_DECIMAL.index(suffix) + 1)) if suffix else 1
