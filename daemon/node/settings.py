"""How one node is run, whoever runs it."""

import msgspec


class NodeSettings(msgspec.Struct, frozen=True, kw_only=True):
    """
    What the loop and its workers go by.

    `role` labels its holds ("agent" or "run"), `slots` is --max-concurrent-pulls, `min_free` the disk floor ("20%" or a
    quantity), `is_kept_warm` whether removed images are pulled again.
    """

    role: str
    slots: int = 2
    min_free: str = "20%"
    is_kept_warm: bool = True
