"""
What becomes of an ImagePullJob that somebody creates: tried as a dry run, which every webhook hears and nothing keeps.

So it shows what no right to read webhooks could: whether one refuses, whether one is configured that nobody answers
for, and whether OpenKruise's has filled in its defaults. Ours sets none.
"""

import re
from enum import StrEnum
from typing import Final

import msgspec

from daemon.api.rules.metadata import GROUP
from daemon.cluster.errors import ClusterError, Denied, NotFound
from daemon.cluster.interface import RawApi
from daemon.cluster.metadata import UNREADABLE
from daemon.cluster.writes import dry_run


# The API server gives a webhook ten seconds, if its configuration says nothing else.
TIMEOUT_SECONDS: Final = 12.0

_VERSIONS: Final = ("v1beta1", "v1alpha1")
# Names that can't be: should it ever be kept, it selects nothing.
_NOWHERE: Final = "dry-run.invalid"
_WEBHOOK: Final = re.compile(r'admission webhook "(?P<name>[^"]*)" denied the request:?\s*(?P<words>.*)')
_UNANSWERED: Final = re.compile(r'failed calling webhook "(?P<name>[^"]*)":?\s*(?P<words>.*)')
_RIGHT: Final = "cannot create resource"
# As the API server words it of a webhook with side effects, which is not asked then.
_NO_TRIAL: Final = "does not support dry run"
_NO_NAMESPACE: Final = 'namespaces "'
_OPENKRUISE: Final = frozenset({"mimagepulljob.kb.io", "vimagepulljob.kb.io"})


class Outcome(StrEnum):
    """What an attempt to create an ImagePullJob came to."""

    TAKEN = "taken"
    # By a webhook, a policy or a schema: the words say which.
    REFUSED = "refused"
    # A webhook that has to be asked does not answer.
    UNANSWERED = "unanswered"
    # We have no right to try.
    DENIED = "denied"
    # There are no CRDs.
    UNSERVED = "unserved"
    # The API server has not said.
    UNKNOWN = "unknown"


class Creation(msgspec.Struct, frozen=True, kw_only=True):
    """
    What an attempt came to.

    Attributes:
        outcome: of it.
        webhook: the name of the webhook that refused it, or did not answer; "" for none.
        is_openkruises: an OpenKruise that runs has refused it, or has filled in its defaults.
        words: of whoever refused it, or of the API server.
    """

    outcome: Outcome
    webhook: str = ""
    is_openkruises: bool = False
    words: str = ""

    @property
    def is_leftover(self) -> bool:
        """Whether a webhook of OpenKruise's is configured that nobody answers for."""
        return self.outcome is Outcome.UNANSWERED and self.webhook in _OPENKRUISE


class _Policy(msgspec.Struct, frozen=True, rename="camel"):
    timeout_seconds: object = None
    backoff_limit: object = None


class _Spec(msgspec.Struct, frozen=True, rename="camel"):
    pull_policy: _Policy | None = None


class _Job(msgspec.Struct, frozen=True):
    spec: _Spec = _Spec()


_DEFAULTS: Final = _Policy(timeout_seconds=600, backoff_limit=3)


def try_creation(api: RawApi, *, namespace: str, timeout_seconds: float = TIMEOUT_SECONDS) -> Creation:
    """
    Have the API server go through the creation of an ImagePullJob, and keep nothing of it.

    Args:
        api: which server; the right to create ImagePullJobs is needed, and that is an outcome too.
        namespace: where it would be; it has to be there.
        timeout_seconds: of each of two requests at most.
    """
    for version in _VERSIONS:
        path = f"/apis/{GROUP}/{version}/namespaces/{namespace}/imagepulljobs"
        try:
            answer = api.send(dry_run(path, _job(version)), timeout_seconds=timeout_seconds)
        except NotFound as error:
            # Of a version that is not served the API server says this or that, or nothing.
            if _NO_NAMESPACE in error.message:
                return Creation(outcome=Outcome.UNKNOWN, words=error.message)
        except ClusterError as error:
            return creation_of(error)
        else:
            return Creation(outcome=Outcome.TAKEN, is_openkruises=_is_defaulted(answer))
    return Creation(outcome=Outcome.UNSERVED, words="the API server serves no ImagePullJobs")


def creation_of(error: ClusterError) -> Creation:
    """Return what an attempt came to that ended in this error."""
    if (refused := _WEBHOOK.search(error.message)) is not None:
        name = refused["name"]
        is_openkruises = name in _OPENKRUISE
        return Creation(
            outcome=Outcome.REFUSED,
            webhook=name,
            is_openkruises=is_openkruises,
            words=refused["words"] or error.message,
        )
    if (unanswered := _UNANSWERED.search(error.message)) is not None:
        return Creation(outcome=Outcome.UNANSWERED, webhook=unanswered["name"], words=unanswered["words"])
    if isinstance(error, Denied) and _RIGHT in error.message:
        return Creation(outcome=Outcome.DENIED, words=error.message)
    is_refusal = error.code in {400, 403, 409, 422} and _NO_TRIAL not in error.message
    return Creation(outcome=Outcome.REFUSED if is_refusal else Outcome.UNKNOWN, words=error.message)


def _job(version: str) -> dict[str, object]:
    return {
        "apiVersion": f"{GROUP}/{version}",
        "kind": "ImagePullJob",
        "metadata": {"generateName": "dry-run-"},
        "spec": {
            "image": f"{_NOWHERE}/prewarm:check",
            "selector": {"names": [_NOWHERE]},
            "completionPolicy": {"type": "Always"},
        },
    }


def _is_defaulted(answer: bytes) -> bool:
    """Tell whether a job has the pull policy that OpenKruise's webhook gives to one that has none."""
    try:
        return msgspec.json.decode(answer, type=_Job).spec.pull_policy == _DEFAULTS
    except UNREADABLE:
        return False
