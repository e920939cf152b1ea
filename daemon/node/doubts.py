"""
When to look again for an image whose removal the runtime told.

containerd's CRI learns of a removal from the same event as we do, so a look that is quicker than it finds the image
still there (containerd 2.3.7 on a busy machine: once in forty, 6 ms too early), and no event follows. A removal while
the image is being pulled is for the pull's end to tell, unless that had looked just before.

Pure: names and times in, names and times out. Looking is warmth.py's.
"""

from typing import Final

import msgspec


LOOK_AGAIN_SECONDS: Final = (1.0, 10.0)


class Doubts(msgspec.Struct, frozen=True):
    """What to look for again, and when: image names as the runtime told them."""

    looks: tuple[tuple[float, str], ...] = ()

    @property
    def next_seconds(self) -> float | None:
        """When the next look is due, None without any."""
        return min((at for at, _ in self.looks), default=None)


def doubted(doubts: Doubts, name: str, *, now_seconds: float) -> Doubts:
    """Add the looks that follow a removal."""
    return Doubts((*doubts.looks, *((now_seconds + seconds, name) for seconds in LOOK_AGAIN_SECONDS)))


def due(doubts: Doubts, *, now_seconds: float) -> tuple[frozenset[str], Doubts]:
    """Return the names to look for now, and what is left for later."""
    names = frozenset(name for at, name in doubts.looks if at <= now_seconds)
    return names, Doubts(tuple(look for look in doubts.looks if look[0] > now_seconds)) if names else doubts
