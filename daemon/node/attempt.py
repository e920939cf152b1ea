"""
One attempt to bring one image to the node: look, ask for space, pull with each fitting credential, look again.

Runs in a worker's thread and waits there; it decides nothing about what follows its end. The loop may cancel it at any
time through its `Cancellation`, which cancels the pull in the runtime.
"""

import threading
import time
from typing import Protocol

import msgspec
from msgspec.structs import replace

from daemon.api.credential import Credential
from daemon.api.nodeimage import ImagePullPolicy
from daemon.api.reasons import Reason
from daemon.credentials.sources import Candidates
from daemon.images import ImageReference
from daemon.node.backoff import DROPS_HOLD
from daemon.node.cancellation import Cancellation
from daemon.node.floor import SpaceShort, space_shortage
from daemon.node.task import AttemptEnd, CancelCause, Ending
from daemon.node.wanted import WantedImage
from daemon.runtime.errors import CallTimeout, CriError, PullCancelled, PullRejected, RuntimeDown
from daemon.runtime.interface import Follower, ImageRuntime, LocalImage, Progress, PullCall, PullRequest


SAMPLE_SECONDS = 0.5
SPACE_CHECK_SECONDS = 1.0

# A registry that hides what one may not see answers "not found", so the next credential is worth asking with too.
_NEXT_CREDENTIAL = frozenset({Reason.UNAUTHORIZED, Reason.FORBIDDEN, Reason.IMAGE_NOT_FOUND})
_DENIED = frozenset({Reason.UNAUTHORIZED, Reason.FORBIDDEN})


class CredentialSource(Protocol):
    """Where an attempt gets the credentials that fit an image, fresh each time."""

    def candidates(self, wanted: WantedImage, *, cancelled: threading.Event) -> Candidates:
        """Return what to try, in order (none: anonymously), and what is wrong with any source."""
        ...


class Listener(Protocol):
    """Hears from a running attempt; called in the worker's thread."""

    def pulling(self) -> None:
        """The registry is asked from now on."""
        ...

    def progressed(self, progress: Progress) -> None:
        """The pull is this far."""
        ...


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """What one attempt needs: the image, the parts it works with, and whom it tells."""

    wanted: WantedImage
    reference: ImageReference
    role: str
    min_free: str
    needed_bytes: int
    is_refill: bool
    is_held: bool
    is_hold_stale: bool
    runtime: ImageRuntime
    credentials: CredentialSource
    cancellation: Cancellation
    listener: Listener


def run_attempt(attempt: Attempt) -> AttemptEnd:
    """Run one attempt to its end, whatever that is; raises nothing that a runtime or registry can cause."""
    before: LocalImage | None = None
    try:
        before = attempt.runtime.image_status(attempt.reference.full)
        return _bring(attempt, before)
    except (RuntimeDown, CallTimeout) as error:
        return AttemptEnd(ending=Ending.RUNTIME_DOWN, reason=Reason.RUNTIME_UNAVAILABLE, message=error.message)
    except PullCancelled as error:
        return replace(_cancelled(attempt, message=error.message), image_id=_image_id(attempt, before))
    except CriError as error:
        reason = error.reason if isinstance(error, PullRejected) else Reason.PULL_FAILED
        end = AttemptEnd(ending=Ending.FAILED, reason=reason, message=error.message)
        return replace(end, image_id=_image_id(attempt, before))
    finally:
        if attempt.cancellation.cause is CancelCause.WITHDRAWN:
            _let_go(attempt)


def release(runtime: ImageRuntime, image: str, *, role: str, is_awaited: bool = True) -> None:
    """Let go of what is held of an image; a hold that cannot be deleted now expires by itself within a day."""
    if runtime.downloads is None:
        return
    try:
        runtime.downloads.release(image, role=role, is_awaited=is_awaited)
    except CriError:
        return


def _let_go(attempt: Attempt, *, is_awaited: bool = True) -> None:
    release(attempt.runtime, attempt.wanted.image, role=attempt.role, is_awaited=is_awaited)


def _bring(attempt: Attempt, before: LocalImage | None) -> AttemptEnd:
    if before is not None and not _asks_registry(attempt, before):
        if attempt.is_held:
            _let_go(attempt)
        return _found(attempt, before=before, after=before, is_fetched=False)
    short = space_shortage(attempt.runtime.filesystem(), floors=_floors(attempt), needed_bytes=attempt.needed_bytes)
    if short is not None:
        return replace(_low(attempt, short), image_id=_image_id(attempt, before))
    candidates = attempt.credentials.candidates(attempt.wanted, cancelled=attempt.cancellation.cancelled)
    attempt.listener.pulling()
    if attempt.is_hold_stale:
        _let_go(attempt)
    is_resumed = _pull_with_each(attempt, candidates)
    after = attempt.runtime.image_status(attempt.reference.full)
    if after is None:
        raise PullRejected("the runtime pulled the image but does not list it", reason=Reason.PULL_FAILED)
    # What a single attempt held is all the image's now: there is no space to wait for.
    _let_go(attempt, is_awaited=is_resumed)
    return _found(attempt, before=before, after=after, is_fetched=True)


def _asks_registry(attempt: Attempt, before: LocalImage) -> bool:
    """Tell whether a present image is asked for all the same; a refill only wants it back."""
    if attempt.wanted.image_pull_policy is ImagePullPolicy.ALWAYS and not attempt.is_refill:
        return True
    return _is_half_named(attempt, before)


def _is_half_named(attempt: Attempt, before: LocalImage) -> bool:
    """
    Tell whether our own pull was cut in its last moments, after the tag and before the digest was noted.

    The runtime names an image by its tag first. One that was brought by others, such as from an archive, may never get
    a digest; of one whose pull has ended there is no hold.
    """
    if not attempt.is_held or _digests(attempt.reference, before) or attempt.runtime.downloads is None:
        return False
    holds = attempt.runtime.downloads.held(role=attempt.role)
    return any(hold.image == attempt.wanted.image for hold in holds)


def _floors(attempt: Attempt) -> tuple[str, ...]:
    return tuple(floor for floor in (attempt.min_free, attempt.wanted.min_free) if floor)


def _low(attempt: Attempt, short: SpaceShort) -> AttemptEnd:
    _let_go(attempt)
    return AttemptEnd(ending=Ending.LOW_SPACE, reason=Reason.DISK_LOW, message=short.message)


def _cancelled(attempt: Attempt, *, message: str) -> AttemptEnd:
    if attempt.cancellation.cause is not CancelCause.LOW_SPACE:
        return AttemptEnd(ending=Ending.CANCELLED, cause=attempt.cancellation.cause, message=message)
    _let_go(attempt)
    return AttemptEnd(ending=Ending.LOW_SPACE, reason=Reason.DISK_LOW, message=attempt.cancellation.words)


def _found(attempt: Attempt, *, before: LocalImage | None, after: LocalImage, is_fetched: bool) -> AttemptEnd:
    digests_before = _digests(attempt.reference, before)
    digests = _digests(attempt.reference, after)
    return AttemptEnd(
        ending=Ending.DONE,
        image_id=_image_id(attempt, after),
        digest=_newest(digests, before=digests_before),
        is_fetched=is_fetched,
        is_changed=before is None or before.id != after.id or not digests <= digests_before,
    )


def _image_id(attempt: Attempt, image: LocalImage | None) -> str:
    """Name what lies on the node now as NodeImage's status does (`repository@id`); empty when absent."""
    return f"{attempt.wanted.key.repository}@{image.id}" if image else ""


def _digests(reference: ImageReference, image: LocalImage | None) -> frozenset[str]:
    """Pick the digests under which the image is known in the reference's own repository."""
    prefix = f"{reference.repository_full}@"
    names = image.repo_digests if image else ()
    return frozenset(name.removeprefix(prefix) for name in names if name.startswith(prefix))


def _newest(digests: frozenset[str], *, before: frozenset[str]) -> str:
    return min(digests - before or digests, default="")


def _pull_with_each(attempt: Attempt, candidates: Candidates) -> bool:
    """
    Pull with the first credential that the registry lets in; the last one's refusal is the attempt's.

    Returns whether the pull went on from what an earlier one had left.
    """
    *firsts, last = candidates.credentials or (None,)
    resumed: list[bool] = []
    for credential in firsts:
        try:
            _pull(attempt, credential, resumed=resumed)
        except PullRejected as error:
            if error.reason not in _NEXT_CREDENTIAL:
                raise
        else:
            return any(resumed[:1])
    try:
        _pull(attempt, last, resumed=resumed)
    except PullRejected as error:
        raise _explained(error, candidates) from error
    return any(resumed[:1])


def _explained(error: PullRejected, candidates: Candidates) -> PullRejected:
    """Add to a refusal what was wrong with the credentials: the likely cause, which the registry cannot know."""
    if error.reason not in _NEXT_CREDENTIAL:
        return error
    tried = len(candidates.credentials)
    notes = [f"{tried} credential{'s' * (tried > 1)} tried" if tried else "no credential matches, asked anonymously"]
    notes += [str(problem) for problem in candidates.problems]
    reason = _root_cause(candidates) if error.reason in _DENIED else None
    return PullRejected(f"{error.message} ({'; '.join(notes)})", reason=reason or error.reason, image=error.image)


def _root_cause(candidates: Candidates) -> Reason | None:
    """Name what a registry's "denied" comes from, where a secret that should have been there was not."""
    return next((problem.reason for problem in candidates.problems if problem.reason), None)


def _pull(attempt: Attempt, credential: Credential | None, *, resumed: list[bool]) -> None:
    """Make one PullImage and follow it to its end; add to `resumed` whether there was something to go on from."""
    downloads = attempt.runtime.downloads
    follower = downloads.follow(attempt.reference.full, role=attempt.role) if downloads else None
    resumed.append(follower is not None and follower.is_resumed)
    try:
        call = attempt.runtime.pull(_request(attempt, credential))
        attempt.cancellation.watch(call)
        _wait(attempt, call, follower)
    except PullRejected as error:
        if error.reason in DROPS_HOLD:
            _close(follower)
            follower = None
            _let_go(attempt)
        raise
    finally:
        _close(follower)


def _close(follower: Follower | None) -> None:
    if follower is not None:
        follower.close()


def _request(attempt: Attempt, credential: Credential | None) -> PullRequest:
    return PullRequest(
        image=attempt.reference.full,
        credential=credential,
        sandbox_labels=attempt.wanted.sandbox_labels,
        sandbox_annotations=attempt.wanted.sandbox_annotations,
    )


def _wait(attempt: Attempt, call: PullCall, follower: Follower | None) -> None:
    """Wait for the end of a call, sampling progress on the way and watching the disk floor."""
    check_at = time.monotonic() + SPACE_CHECK_SECONDS
    while True:
        try:
            call.result(timeout_seconds=SAMPLE_SECONDS)
        except TimeoutError:
            if time.monotonic() >= check_at:
                check_at = time.monotonic() + SPACE_CHECK_SECONDS
                _watch_floor(attempt)
            _sample(attempt, follower)
        else:
            return


def _sample(attempt: Attempt, follower: Follower | None) -> None:
    """Tell how far it is; a sample that fails is no failure of the pull."""
    try:
        progress = follower.sample() if follower else None
    except CriError:
        return
    if progress is not None:
        attempt.listener.progressed(progress)


def _watch_floor(attempt: Attempt) -> None:
    try:
        short = space_shortage(attempt.runtime.filesystem(), floors=_floors(attempt))
    except CriError:
        return
    if short is not None:
        attempt.cancellation.cancel(CancelCause.LOW_SPACE, words=short.message)
