"""What `prewarm clean` says. Pure: what was found in, lines out."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence

from daemon.api.findings import printable
from daemon.cleaning.processes import Process, Processes
from daemon.display.text import size
from daemon.runtime.leftovers import CONTENT, INGESTS, Kept, Leftover


UNSEEN = (
    "only processes of this container can be seen: an agent that still runs on the node makes its leases again, "
    "so take its DaemonSet off first"
)


def warnings_of(found: Processes) -> list[str]:
    """Say who would make leases again, and that not everybody could be seen where that is so."""
    return [*map(_alive, found.seen), *([] if found.are_all else [UNSEEN])]


def line_of(leftover: Leftover, *, sizes: Mapping[Kept, int]) -> str:
    """Say what a lease is for and what it keeps."""
    name = printable(leftover.image or leftover.lease_id)
    return f"{name} (role {printable(leftover.role)}): {_what(leftover.kept)}, {size(total(leftover.kept, sizes))}"


def trial(leftovers: Sequence[Leftover], *, sizes: Mapping[Kept, int]) -> str:
    """Say what would be done."""
    amount = size(sum(sizes.values()))
    return f"{_count(len(leftovers), 'lease')} would be removed, and at most {amount} collected: what images need stays"


def result(removed: int, *, before: Mapping[Kept, int], after: Mapping[Kept, int]) -> str:
    """Say what was done."""
    collected, stay = sum(before.values()) - sum(after.values()), sum(after.values())
    rest = f"; {size(stay)} stay, which images or others need" if stay else ""
    return f"{_count(removed, 'lease')} removed, {size(collected)} collected{rest}"


def total(kept: Collection[Kept], sizes: Mapping[Kept, int]) -> int:
    """Return the bytes of what is kept; what is gone has none."""
    return sum(sizes.get(one, 0) for one in kept)


def _alive(one: Process) -> str:
    if one.role == "run":
        return f"`prewarm run` is alive (process {one.pid}): the pull that it works on begins anew"
    return (
        f"`prewarm agent` is alive (process {one.pid}): it makes its leases again, and the pull that it works on "
        "begins anew; take its DaemonSet off first"
    )


def _what(kept: Collection[Kept]) -> str:
    counts = Counter(_kind(one) for one in kept)
    said = [_count(counts[kind], kind) for kind in ("blob", "partial blob", "unpacked layer") if counts[kind]]
    return ", ".join(said) or "nothing"


def _kind(one: Kept) -> str:
    return {CONTENT: "blob", INGESTS: "partial blob"}.get(one.kind, "unpacked layer")


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
