"""What a coordinator keeps of an ImageListPullJob. Values only; decoding.py makes them."""

from datetime import datetime

import msgspec

from daemon.api.imagepulljob import ImageListPullJob


class ListProgress(msgspec.Struct, frozen=True, kw_only=True):
    """A list's status, as far as a new coordinator has to go on from it; `raw` is the whole of it, as decoded."""

    observed_generation: int = 0
    start_time: datetime | None = None
    completion_time: datetime | None = None
    raw: dict[str, object] = {}


class SeenList(msgspec.Struct, frozen=True, kw_only=True):
    """
    An ImageListPullJob with its status.

    Attributes:
        is_orphaning: it is deleted so that its jobs stay (kubectl delete --cascade=orphan).
        wish: what it asks; None where its spec can't be used.
        problems: what is wrong with its spec.
        template: its raw spec as each of its jobs has it, which adds `image`; {} where the spec can't be used.
        labels: those of the list, which its jobs have too.
    """

    namespace: str
    name: str
    uid: str
    generation: int
    version: int
    created_at: datetime
    api_version: str = "apps.kruise.io/v1beta1"
    is_deleting: bool = False
    is_orphaning: bool = False
    wish: ImageListPullJob | None = None
    problems: tuple[str, ...] = ()
    template: dict[str, object] = {}
    labels: dict[str, str] = {}
    status: ListProgress = ListProgress()

    @property
    def key(self) -> str:
        """What ListBook knows it by: a job that names the uid from another namespace is not its own."""
        return f"{self.namespace}/{self.uid}"
