"""The rules of a sandboxConfig, which a job and a NodeImage's repository have alike."""

from daemon.api.fields import Field
from daemon.api.nodeimage import SandboxConfig


def read_sandbox_config(field: Field) -> SandboxConfig:
    """Read the labels and annotations that go into CRI's sandbox_config."""
    if not field.is_present or not field.is_object(("annotations", "labels")):
        return SandboxConfig()
    return SandboxConfig(labels=field.child("labels").string_map(), annotations=field.child("annotations").string_map())
