"""The rules of a sandboxConfig, which a job and a NodeImage's repository have alike."""

from typing import Final

from daemon.api.fields import Field
from daemon.api.nodeimage import SandboxConfig


# A job's stand in each node's NodeImage, which holds 1.5 MiB for the jobs of all tenants.
MOST_ENTRIES: Final = 64
MOST_CHARACTERS: Final = 4096


def read_sandbox_config(field: Field) -> SandboxConfig:
    """Read the labels and annotations that go into CRI's sandbox_config."""
    if not field.is_present or not field.is_object(("annotations", "labels")):
        return SandboxConfig()
    return SandboxConfig(labels=field.child("labels").string_map(), annotations=field.child("annotations").string_map())


def read_bounded_sandbox_config(field: Field) -> SandboxConfig:
    """Read a job's, which may not take the room of others."""
    read = read_sandbox_config(field)
    for name, found in (("labels", read.labels), ("annotations", read.annotations)):
        _check_size(field.child(name), found)
    return read


def _check_size(field: Field, found: dict[str, str]) -> None:
    if len(found) > MOST_ENTRIES:
        field.error(f"Too many: {len(found)}: must have at most {MOST_ENTRIES} items")
    elif sum(len(key) + len(value) for key, value in found.items()) > MOST_CHARACTERS:
        field.invalid(f"must have at most {MOST_CHARACTERS} characters, keys and values together")
