"""
Guarded JSON Patches: pointers to what is changed, and the tests that come before it.

Pure. A test that fails is HTTP 422, and the API server tests again on each of its own retries; so a guard decides on
what the object is when it is changed, not on what it was when it was read. Scalars only are tested.
"""

from daemon.cluster.interface import Operation


def pointer(*parts: str) -> str:
    """Write a JSON Pointer (RFC 6901): each part is one key, whatever is in it."""
    return "".join(f"/{part.replace('~', '~0').replace('/', '~1')}" for part in parts)


def guard(*, uid: str, generation: int | None = None, resource_version: str | None = None) -> tuple[Operation, ...]:
    """
    Return the tests that a patch begins with.

    Args:
        uid: it is still the same object, not another under its name.
        generation: nobody has changed its spec since.
        resource_version: nobody has changed anything since.
    """
    wanted: dict[str, object] = {"uid": uid, "generation": generation, "resourceVersion": resource_version}
    return tuple(
        Operation(op="test", path=pointer("metadata", name), value=value)
        for name, value in wanted.items()
        if value is not None
    )
