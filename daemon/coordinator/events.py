"""What reaches the loop's inbox: what the watches saw, what became of requests, and the word to end."""

import msgspec

from daemon.coordinator.lists.seen import SeenList
from daemon.coordinator.seen import SeenJob, SeenNode, SeenNodeImage, SeenPod


class Seen(msgspec.Struct, frozen=True):
    """An object is new or has changed."""

    value: SeenJob | SeenNode | SeenNodeImage | SeenPod | SeenList


class Gone(msgspec.Struct, frozen=True):
    """An object of a kind (the resource's name, such as nodes) is gone; `version` is its last resourceVersion."""

    resource: str
    namespace: str
    name: str
    uid: str
    version: int = 0


class Listed(msgspec.Struct, frozen=True):
    """Everything of a resource has been told; of Pods, everything in a namespace."""

    resource: str
    namespace: str = ""


class Stop(msgspec.Struct, frozen=True):
    """Send nothing new, and end when nothing is on its way."""
