"""
One object of a known kind as a value, such as an API server's answer decoded from JSON.

It knows no text: an agent that reads NodeImages and Secrets alone does without a YAML parser and the rules of jobs.
"""

from collections.abc import Callable
from typing import Generic, TypeVar

import msgspec

from daemon.api.fields import Field
from daemon.api.findings import Finding, Findings
from daemon.api.imagepulljob import ImageListPullJob, ImagePullJob
from daemon.api.nodeimage import NodeImage


Resource = ImagePullJob | ImageListPullJob | NodeImage

Value = TypeVar("Value")


class Parsed(msgspec.Struct, Generic[Value], frozen=True, kw_only=True):
    """
    One object as a value, with what was found in it.

    `value` is None where its kind is unknown, and of a Secret that serves no pull. With errors, a job's value is not to
    be used; a NodeImage's holds the entries that have none.
    """

    value: Value | None
    findings: tuple[Finding, ...] = ()

    @property
    def errors(self) -> tuple[Finding, ...]:
        """The findings that are no warnings."""
        return tuple(finding for finding in self.findings if not finding.is_warning)


def read_object(value: object, *, kind: str, read: Callable[[Field], Value | None]) -> Parsed[Value]:
    """Read an object of one kind by its rules, and collect what is wrong with it; of another kind nothing is read."""
    document = Field(value=value, findings=Findings())
    if not document.is_object():
        return Parsed(value=None, findings=document.findings.all())
    if document.child("kind").value != kind:
        document.child("kind").unsupported((kind,))
        return Parsed(value=None, findings=document.findings.all())
    return Parsed(value=read(document), findings=document.findings.all())
