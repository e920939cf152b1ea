"""A registry or network that fails: each fault ends with its own reason, and the image arrives once it is over."""

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from daemon.api.nodeimage import Phase
from daemon.api.reasons import Reason
from tests.lab.engine import RETRY_SECONDS, Engine, wanted_image
from tests.servers.containerd import Containerd, Hosts
from tests.servers.faults import Answer, Corrupt, Fault, Hang, Reset, Status, Truncate
from tests.servers.images import Push
from tests.servers.processes import until
from tests.servers.proxy import FaultProxy
from tests.servers.registry import Registry
from tests.servers.traffic import Kind


LAYER_BYTES = 1 << 20

FAULTS: dict[str, tuple[Answer, Kind, Reason]] = {
    "manifest: HTTP 500": (Status(500), Kind.MANIFEST, Reason.REGISTRY_UNAVAILABLE),
    "manifest: HTTP 502": (Status(502), Kind.MANIFEST, Reason.REGISTRY_UNAVAILABLE),
    "manifest: HTTP 503": (Status(503), Kind.MANIFEST, Reason.REGISTRY_UNAVAILABLE),
    "manifest: HTTP 429": (Status(429), Kind.MANIFEST, Reason.REGISTRY_THROTTLED),
    "manifest: reset": (Reset(), Kind.MANIFEST, Reason.REGISTRY_UNAVAILABLE),
    "manifest: truncated": (Truncate(after_bytes=10), Kind.MANIFEST, Reason.REGISTRY_UNAVAILABLE),
    "manifest: corrupt": (Corrupt(), Kind.MANIFEST, Reason.CORRUPT_CONTENT),
    "blob: HTTP 500": (Status(500), Kind.BLOB, Reason.REGISTRY_UNAVAILABLE),
    "blob: HTTP 503": (Status(503), Kind.BLOB, Reason.REGISTRY_UNAVAILABLE),
    "blob: HTTP 404": (Status(404), Kind.BLOB, Reason.IMAGE_NOT_FOUND),
    "blob: HTTP 429": (Status(429), Kind.BLOB, Reason.REGISTRY_THROTTLED),
    "blob: reset": (Reset(after_bytes=1000), Kind.BLOB, Reason.REGISTRY_UNAVAILABLE),
    "blob: truncated": (Truncate(), Kind.BLOB, Reason.REGISTRY_UNAVAILABLE),
    "blob: corrupt": (Corrupt(offset=1000), Kind.BLOB, Reason.CORRUPT_CONTENT),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_has_its_own_reason_and_an_end(
    containerd: Containerd, push: Push, faults: FaultProxy, name: str
) -> None:
    """As long as it lasts, all attempts end with its reason; the next version brings the image when it is over."""
    answer, kind, reason = FAULTS[name]
    # As on every node, something is there already: the collector of a containerd whose content store has never had a
    # blob stops at the missing folder, and leaves a corrupt download to the next pull.
    containerd.pull(push("standing").reference)
    image = push(layers=[LAYER_BYTES]).at(faults.host)
    # The config is left alone: it is too short for a fault in its middle.
    reference = image.layers[0].digest if kind is Kind.BLOB else None
    faults.add(Fault(answer, kind=kind, reference=reference, times=None))
    wanted = wanted_image(image.reference, backoff_limit=1)

    with Engine(containerd.endpoint) as engine:
        engine.want(wanted)
        engine.until(wanted, lambda task: task.attempt == 1 and task.phase is Phase.WAITING and bool(task.reason))
        engine.jump(RETRY_SECONDS)
        failed = engine.ended(wanted)
        ends = [task.reason for task in engine.attempts_ended(wanted)]
        faults.clear()
        engine.jump(300)
        engine.want(replace(wanted, version=2))
        task = engine.ended(replace(wanted, version=2))

    assert [reason, reason] == ends, failed.message
    assert (Phase.FAILED, 2) == (failed.phase, failed.attempt)
    assert (Phase.SUCCEEDED, image.digest, None) == (task.phase, task.digest, task.reason)


def test_a_registry_that_listens_no_more_is_unavailable(containerd: Containerd, push: Push, faults: FaultProxy) -> None:
    """Connection refused ends as RegistryUnavailable; listening again, the next attempt brings the image."""
    wanted = wanted_image(push(layers=[LAYER_BYTES]).at(faults.host).reference)
    faults.refuse()

    with Engine(containerd.endpoint) as engine:
        engine.want(wanted)
        first = engine.until(wanted, lambda task: task.reason is Reason.REGISTRY_UNAVAILABLE)
        faults.accept()
        engine.jump(RETRY_SECONDS)
        task = engine.ended(wanted)

    assert Phase.WAITING is first.phase
    assert (Phase.SUCCEEDED, 2) == (task.phase, task.attempt)


def test_plain_http_where_tls_is_asked_for_is_told_as_tls(
    containerd: Containerd, push: Push, hosts: Hosts, registry: Registry
) -> None:
    """A registry whose TLS is wrong ends as RegistryTLS, which retrying seldom mends but a person can."""
    image = push(layers=[1000]).at("registry.example")
    hosts.add("registry.example", registry.url.replace("http:", "https:"))
    wanted = wanted_image(image.reference, backoff_limit=0)

    with Engine(containerd.endpoint) as engine:
        engine.want(wanted)
        task = engine.ended(wanted)

    assert (Phase.FAILED, Reason.REGISTRY_TLS) == (task.phase, task.reason), task.message


def test_a_name_that_nobody_knows_is_unavailable(containerd: Containerd) -> None:
    """A registry whose name does not resolve ends as RegistryUnavailable."""
    wanted = wanted_image("registry.invalid/base:latest", backoff_limit=0)

    with Engine(containerd.endpoint) as engine:
        engine.want(wanted)
        task = engine.ended(wanted)

    assert (Phase.FAILED, Reason.REGISTRY_UNAVAILABLE) == (task.phase, task.reason), task.message


def hang_in_the_manifest(faults: FaultProxy) -> None:
    """Answer no question for a manifest."""
    faults.add(Fault(Hang(), kind=Kind.MANIFEST, times=None))


def hang_in_a_blob(faults: FaultProxy) -> None:
    """Send the first part of each blob."""
    faults.add(Fault(Hang(after_bytes=100), kind=Kind.BLOB, times=None))


def be_slow(faults: FaultProxy) -> None:
    """Send hardly anything."""
    faults.limit(10)


@pytest.mark.parametrize("hinder", [hang_in_the_manifest, hang_in_a_blob, be_slow])
def test_what_takes_longer_than_its_timeout_is_ended(
    containerd: Containerd, push: Push, faults: FaultProxy, hinder: Callable[[FaultProxy], None]
) -> None:
    """An attempt beyond timeoutSeconds ends as AttemptTimeout; the next one, unhindered, brings the image."""
    wanted = wanted_image(push(layers=[LAYER_BYTES]).at(faults.host).reference, timeout_seconds=600)
    hinder(faults)

    with Engine(containerd.endpoint) as engine:
        engine.want(wanted)
        until(faults.traffic.requests, what="the registry is asked", timeout_seconds=60)
        engine.jump(600)
        first = engine.until(wanted, lambda task: task.reason is Reason.ATTEMPT_TIMEOUT)
        faults.clear()
        engine.jump(RETRY_SECONDS)
        task = engine.ended(wanted)

    assert "timeoutSeconds (600)" in first.message
    assert (Phase.SUCCEEDED, 2) == (task.phase, task.attempt)


def test_a_slow_registry_is_waited_for(containerd: Containerd, push: Push, faults: FaultProxy) -> None:
    """Within its timeout a slow pull is left alone, and its progress is seen on the way."""
    wanted = wanted_image(push(layers=[LAYER_BYTES]).at(faults.host).reference)
    faults.limit(LAYER_BYTES / 3)

    with Engine(containerd.endpoint) as engine:
        engine.want(wanted)
        half = engine.until(
            wanted, lambda task: task.progress is not None and 0 < task.progress.bytes_done < LAYER_BYTES
        )
        task = engine.ended(wanted)

    assert Phase.PULLING is half.phase
    assert (Phase.SUCCEEDED, 1) == (task.phase, task.attempt)


def test_a_throttling_registry_is_left_in_peace(
    containerd: Containerd, push: Push, faults: FaultProxy, registry: Registry
) -> None:
    """After a 429 nothing asks that registry until the pause is over; other registries are pulled from meanwhile."""
    faults.add(Fault(Status(429), repository="first", times=None))
    first = wanted_image(push("first").at(faults.host).reference)
    second = wanted_image(push("second").at(faults.host).reference)
    elsewhere = wanted_image(push("elsewhere").reference)

    with Engine(containerd.endpoint, slots=1) as engine:
        engine.want(first, second, elsewhere)
        throttled = engine.until_state(lambda state: bool(state.throttles))
        brought = engine.ended(elsewhere)
        asked = {request.repository for request in faults.traffic.requests()}
        faults.clear()
        engine.jump(10)
        engine.until_state(lambda state: all(task.is_ended for task in state.tasks.values()))
        tasks = engine.story.states[-1].tasks

    assert Reason.REGISTRY_THROTTLED is throttled.tasks[first.key].reason
    assert {faults.host} == set(throttled.throttles)
    assert Phase.SUCCEEDED is brought.phase
    assert {"first"} == asked
    assert {Phase.SUCCEEDED} == {task.phase for task in tasks.values()}
    assert 2 == tasks[first.key].attempt
