"""What a registry refuses: each refusal ends with its own reason after as many attempts as are allowed."""

import grpc
import pytest
from msgspec.structs import replace

from daemon.api.nodeimage import Phase
from daemon.api.reasons import Reason
from tests.lab.engine import RETRY_SECONDS, Engine, pull_secret, wanted_image
from tests.servers.containerd import Containerd
from tests.servers.faults import Fault, Status
from tests.servers.images import Push
from tests.servers.proxy import FaultProxy
from tests.servers.registry import Registry
from tests.servers.traffic import Kind


def test_an_absent_image_is_asked_for_backoff_limit_times_more(
    containerd: Containerd, push: Push, faults: FaultProxy
) -> None:
    """An image that the registry does not have ends as ImageNotFound after backoffLimit + 1 attempts."""
    present = push(layers=[1000])
    wanted = wanted_image(f"{faults.host}/{present.repository}:absent", backoff_limit=2)
    with pytest.raises(grpc.RpcError, match="not found"):
        containerd.pull(wanted.image)
    of_one_pull = len(faults.traffic.requests())

    with Engine(containerd.endpoint, retry_seconds=0) as engine:
        engine.want(wanted)
        task = engine.ended(wanted)

    assert (Phase.FAILED, Reason.IMAGE_NOT_FOUND, 3) == (task.phase, task.reason, task.attempt)
    assert (1 + 3) * of_one_pull == len(faults.traffic.requests())
    assert "" == task.image_id


def test_an_image_that_appears_between_attempts_is_brought(
    containerd: Containerd, push: Push, faults: FaultProxy
) -> None:
    """Not found is retried: a tag may be pushed a little later than it is wanted."""
    wanted = wanted_image(f"{faults.host}/base:latest")

    with Engine(containerd.endpoint) as engine:
        engine.want(wanted)
        first = engine.until(wanted, lambda task: task.reason is Reason.IMAGE_NOT_FOUND)
        image = push("base", layers=[1000])
        engine.jump(RETRY_SECONDS)
        task = engine.ended(wanted)

    assert Phase.WAITING is first.phase
    assert (Phase.SUCCEEDED, image.digest, None) == (task.phase, task.digest, task.reason)


def test_without_a_credential_a_private_image_is_unauthorized(
    containerd: Containerd, private_registry: Registry, push_private: Push
) -> None:
    """A registry that asks who is there ends as Unauthorized, and the message says that no credential matched."""
    wanted = wanted_image(push_private(layers=[1000]).reference, backoff_limit=0)

    with Engine(containerd.endpoint) as engine:
        engine.want(wanted)
        task = engine.ended(wanted)

    assert (Phase.FAILED, Reason.UNAUTHORIZED, 1) == (task.phase, task.reason, task.attempt)
    assert "no credential matches" in task.message


def test_a_refused_password_is_unauthorized(
    containerd: Containerd, private_registry: Registry, push_private: Push
) -> None:
    """A wrong password ends as Unauthorized, and the message says how many were tried."""
    secret = pull_secret("wrong", {private_registry.host: ("anna", "not hers")})
    wanted = wanted_image(push_private(layers=[1000]).reference, backoff_limit=0, secrets=[secret])

    with Engine(containerd.endpoint, secrets=[secret]) as engine:
        engine.want(wanted)
        task = engine.ended(wanted)

    assert (Phase.FAILED, Reason.UNAUTHORIZED) == (task.phase, task.reason)
    assert "1 credential tried" in task.message


@pytest.mark.parametrize("kind", [Kind.MANIFEST, Kind.BLOB])
def test_what_one_may_not_see_is_forbidden(containerd: Containerd, push: Push, faults: FaultProxy, kind: Kind) -> None:
    """HTTP 403, at the manifest or at a blob, ends as Forbidden after all attempts."""
    image = push(layers=[1000]).at(faults.host)
    faults.add(Fault(Status(403), kind=kind, times=None))
    wanted = wanted_image(image.reference, backoff_limit=1)

    with Engine(containerd.endpoint, retry_seconds=0) as engine:
        engine.want(wanted)
        task = engine.ended(wanted)

    assert (Phase.FAILED, Reason.FORBIDDEN, 2) == (task.phase, task.reason, task.attempt)


def test_no_image_for_this_platform_fails_at_once(containerd: Containerd, push: Push, faults: FaultProxy) -> None:
    """An index without the node's platform ends as PlatformMismatch after one attempt: asking again cannot help."""
    other = push(tag="arm64", layers=[1000], platform="linux/arm64")
    image = push.index("base", {"linux/arm64": other}, tag="foreign").at(faults.host)
    wanted = wanted_image(image.reference, backoff_limit=3)

    with Engine(containerd.endpoint) as engine:
        engine.want(wanted)
        task = engine.ended(wanted)

    asked = faults.traffic.requests(Kind.MANIFEST, method="HEAD", reference="foreign")
    assert (Phase.FAILED, Reason.PLATFORM_MISMATCH, 1) == (task.phase, task.reason, task.attempt)
    assert 1 == len(asked)


def test_an_image_that_no_runtime_can_use_has_a_known_reason(
    containerd: Containerd, push: Push, faults: FaultProxy
) -> None:
    """A config that is no JSON ends as CorruptContent, not as words that nobody knows."""
    wanted = wanted_image(push.malformed().at(faults.host).reference, backoff_limit=0)

    with Engine(containerd.endpoint) as engine:
        engine.want(wanted)
        task = engine.ended(wanted)

    assert (Phase.FAILED, Reason.CORRUPT_CONTENT) == (task.phase, task.reason)


def test_a_name_that_is_none_fails_without_asking(containerd: Containerd) -> None:
    """An entry that names no image fails as InvalidReference with what is wrong, before any attempt."""
    problem = 'tag "not a tag" has a blank'
    wanted = replace(wanted_image("localhost:1/base:latest"), reference=None, problem=problem)

    with Engine(containerd.endpoint) as engine:
        engine.want(wanted)
        task = engine.ended(wanted)

    assert (Phase.FAILED, Reason.INVALID_REFERENCE, 0) == (task.phase, task.reason, task.attempt)
    assert problem == task.message
