"""A cache that is late."""

from tests.servers.openkruise.manager_cache import LaggingCache
from tests.servers.openkruise.manager_nodeimage import NodeImage
from tests.unit.openkruise.given import node_image


A, B, C = (node_image(name) for name in ("a", "b", "c"))


def test_without_lag_it_shows_what_there_is() -> None:
    """Deletions too."""
    cache = LaggingCache[NodeImage]()

    cache.saw([A, B])
    cache.saw([B])

    assert [B] == cache.all()


def test_it_lags_by_so_many_changes() -> None:
    """Each change that comes pushes the oldest out."""
    cache = LaggingCache[NodeImage]()
    cache.lag_events = 1

    cache.saw([A])
    assert [] == cache.all()

    cache.saw([A, B])
    assert [A] == cache.all()

    cache.saw([A, B])
    assert [A] == cache.all()


def test_a_held_cache_catches_up_when_told() -> None:
    """In order, and then at once."""
    cache = LaggingCache[NodeImage]()
    cache.saw([A])

    cache.hold()
    cache.saw([B])
    cache.saw([B, C])
    assert [A] == cache.all()

    cache.catch_up()
    assert [B, C] == cache.all()
    cache.saw([C])
    assert C == cache.get("c")
    assert [C] == cache.all()
