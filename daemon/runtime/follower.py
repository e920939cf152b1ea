"""
Follows one pull inside its lease: finds the manifest, then tells how far each layer is.

The lease says what belongs to this pull, so two tags of one repository, layers shared with another pull, and a tag that
moves back to what is there are all told apart. What a person sees of it is meter.py's.
"""

from collections.abc import Callable, Mapping

import msgspec

from daemon.clock import Clock
from daemon.runtime.content import ContentStore
from daemon.runtime.errors import CallTimeout, CriError, RuntimeDown
from daemon.runtime.holds import Held, Holds
from daemon.runtime.interface import Hold, Progress, Stage
from daemon.runtime.manifest import Manifest, chain_ids, parse_children, parse_manifest
from daemon.runtime.meter import LayerReading, Meter, Reading


class Followed(msgspec.Struct, kw_only=True):
    """
    What is known of the pull's manifest; `present` and `unpacked` were there before the pull came to them.

    `chain` stays empty where the config can't be read: layers that lay unpacked before are not known then.
    """

    digest: str
    manifest: Manifest
    present: frozenset[str] = frozenset()
    is_config_read: bool = False
    chain: tuple[str, ...] = ()
    unpacked: frozenset[str] = frozenset()


class LeaseFollower:
    """
    Follows the pull that runs inside a hold's lease; see interface.Follower.

    A sample costs ListStatuses and ListResources; the manifest and the config are read once. Not thread-safe.
    """

    def __init__(
        self,
        hold: Hold,
        *,
        digest: str,
        snapshotter: str,
        content: ContentStore,
        holds: Holds,
        meter: Meter,
        clock: Clock,
        on_close: Callable[[], None],
    ) -> None:
        self.is_resumed = not hold.is_new
        self._lease_id = hold.lease_id
        self._asked_digest = digest
        self._snapshotter = snapshotter
        self._content = content
        self._holds = holds
        self._meter = meter
        self._clock = clock
        self._on_close = on_close
        self._manifests: dict[str, Manifest] = {}
        self._children: dict[str, frozenset[str]] = {}
        self._followed: Followed | None = None

    def sample(self) -> Progress | None:
        """Return how far the pull is; before its manifest is there, a stage without bytes."""
        # In this order: a blob that is committed between the two calls is seen twice, which is harmless, and not never.
        ingests = self._content.open_ingests()
        held = self._holds.kept(self._lease_id)
        self._find_manifest(held)
        if self._followed is None:
            return Progress(stage=Stage.DOWNLOADING)
        self._find_chain(self._followed, held)
        reading = reading_of(self._followed, held, ingests)
        self._look_beyond(self._followed, reading, held)
        return self._meter.progress(reading, now_seconds=self._clock.now().seconds)

    def _find_manifest(self, held: Held) -> None:
        """Read each manifest and index that the lease names, once, and take the one that this pull walks through."""
        for digest in self._unexplained(held):
            self._read(digest)
        candidates = [digest for digest in self._manifests if digest in held.blobs and self._is_asked(digest)]
        if len(candidates) > 1:  # an earlier attempt's is held too, from before the tag moved
            candidates.sort(key=lambda digest: self._content.parent_updated_at(digest) or 0.0)
        if candidates and (self._followed is None or self._followed.digest != candidates[-1]):
            self._followed = self._begin(candidates[-1])

    def _unexplained(self, held: Held) -> frozenset[str]:
        """Return the held blobs that may be a manifest or an index: not read yet, and no manifest's layer or config."""
        known = set(self._manifests) | set(self._children)
        for manifest in self._manifests.values():
            known |= {manifest.config.digest, *(layer.digest for layer in manifest.layers)}
        return held.blobs - known

    def _read(self, digest: str) -> None:
        if self._content.parent_updated_at(digest) is None:
            return
        document = self._document(digest)
        manifest = parse_manifest(document)
        if manifest is not None:
            self._manifests[digest] = manifest
        else:
            self._children[digest] = parse_children(document)

    def _document(self, digest: str) -> bytes:
        """Read a blob; one that is too large, or that the runtime refuses, says nothing and is not asked for again."""
        try:
            return self._content.document(digest)
        except (RuntimeDown, CallTimeout):  # these are the runtime's state and not the blob's: the next sample asks
            raise
        except CriError:
            return b""

    def _is_asked(self, digest: str) -> bool:
        """Tell whether a manifest can be what a reference with a digest asks for: itself, or through its index."""
        asked = self._asked_digest
        return not asked or digest == asked or digest in self._children.get(asked, frozenset())

    def _begin(self, digest: str) -> Followed:
        manifest = self._manifests[digest]
        blobs = {manifest.config.digest, *(layer.digest for layer in manifest.layers)}
        return Followed(
            digest=digest, manifest=manifest, present=frozenset(blob for blob in blobs if self._content.has(blob))
        )

    def _find_chain(self, followed: Followed, held: Held) -> None:
        """Read the config once it is there, and ask which layers lay unpacked before: each needs the one below."""
        config = followed.manifest.config.digest
        if followed.is_config_read or not _is_there(config, followed, held):
            return
        followed.chain = chain_ids(self._document(config))
        followed.is_config_read = True
        for chain_id in followed.chain:
            if not self._is_unpacked(chain_id):
                return
            followed.unpacked |= {chain_id}

    def _look_beyond(self, followed: Followed, reading: Reading, held: Held) -> None:
        """Ask for the next layer when all is fetched: one that another pull unpacked is not in our lease."""
        lowest = next(
            (chain_id for chain_id in followed.chain if chain_id not in followed.unpacked | held.snapshots), ""
        )
        if lowest and reading.bytes_done >= reading.bytes_total and self._is_unpacked(lowest):
            followed.unpacked |= {lowest}

    def _is_unpacked(self, chain_id: str) -> bool:
        return bool(self._snapshotter) and self._content.is_unpacked(chain_id, snapshotter=self._snapshotter)

    def close(self) -> None:
        """End following. There is nothing to save, since the runtime itself kept the lease up to date."""
        self._on_close()


def reading_of(followed: Followed, held: Held, ingests: Mapping[str, int]) -> Reading:
    """Return the pull as it is: a blob is there whole, or as far as its ingest, or not at all."""
    config = followed.manifest.config
    counted: set[str] = set()
    layers = []
    for index, layer in enumerate(followed.manifest.layers):
        is_unpacked = index < len(followed.chain) and followed.chain[index] in followed.unpacked | held.snapshots
        size = 0 if layer.digest in counted else layer.size
        # An unpacked layer is not fetched again, even if its blob is gone.
        is_whole = is_unpacked or _is_there(layer.digest, followed, held)
        done = size if is_whole else min(size, ingests.get(layer.digest, 0))
        layers.append(LayerReading(size_bytes=size, bytes_done=done, is_unpacked=is_unpacked))
        counted.add(layer.digest)
    config_done = config.size if _is_there(config.digest, followed, held) else 0
    return Reading(
        digest=followed.digest,
        layers=tuple(layers),
        config=LayerReading(size_bytes=config.size, bytes_done=config_done),
    )


def _is_there(digest: str, followed: Followed, held: Held) -> bool:
    return digest in held.blobs or digest in followed.present
