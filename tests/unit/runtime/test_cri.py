import os
import threading
import time
from collections.abc import Callable

import grpc
import pytest

from daemon.api.credential import Credential
from daemon.api.reasons import Reason
from daemon.runtime import cri
from daemon.runtime.channel import MESSAGE_BYTES, socket_path
from daemon.runtime.connect import connect, prepare_environment
from daemon.runtime.errors import CallTimeout, CriError, PullCancelled, PullRejected, RuntimeDown, Unsupported
from daemon.runtime.interface import ImageRuntime, LocalImage, PullRequest, RuntimeVersion
from daemon.runtime.wire import cri_pb2
from tests.unit.runtime.scripted import Gate, ScriptedRuntime


WAIT_SECONDS = 20.0


def until(condition: Callable[[], bool]) -> None:
    """Wait until the condition holds."""
    deadline = time.monotonic() + WAIT_SECONDS
    waiting = threading.Event()
    while not condition():
        assert time.monotonic() < deadline, "the condition never came true"
        waiting.wait(0.02)


def answers(runtime: ImageRuntime) -> bool:
    """Tell whether the runtime answers now."""
    try:
        runtime.version()
    except RuntimeDown:
        return False
    return True


def test_version_names_who_answers(runtime: ImageRuntime) -> None:
    """Name and version are the runtime's own."""
    assert RuntimeVersion(name="scripted", version="1.0") == runtime.version()


def test_an_absent_image_is_none(scripted: ScriptedRuntime, runtime: ImageRuntime) -> None:
    """ImageStatus without an image means absent."""
    scripted.answers["ImageService/ImageStatus"] = lambda *_: cri_pb2.ImageStatusResponse()

    assert runtime.image_status("app:v1") is None


def test_a_present_image_is_told(scripted: ScriptedRuntime, runtime: ImageRuntime) -> None:
    """ID, names, size and pin come over."""
    image = cri_pb2.Image(id="sha256:1", repo_tags=["a:1"], repo_digests=["a@sha256:2"], size=2**40, pinned=True)
    scripted.answers["ImageService/ImageStatus"] = lambda *_: cri_pb2.ImageStatusResponse(image=image)

    status = runtime.image_status("a:1")

    expected = LocalImage(
        id="sha256:1", repo_tags=("a:1",), repo_digests=("a@sha256:2",), size_bytes=2**40, pinned=True
    )
    assert expected == status


def test_a_list_of_many_images_fits(scripted: ScriptedRuntime, runtime: ImageRuntime) -> None:
    """An answer of nearly 16 MiB is read, where gRPC's own limit is 4."""
    image = cri_pb2.Image(id=f"sha256:{'0' * 64}", repo_tags=[f"registry.example/{'x' * 200}:v1"])
    count = (MESSAGE_BYTES - 1024) // (image.ByteSize() + 5)
    scripted.answers["ImageService/ListImages"] = lambda *_: cri_pb2.ListImagesResponse(images=[image] * count)

    assert count == len(runtime.images())


def test_a_pull_says_all_that_runtimes_ask_for(scripted: ScriptedRuntime, runtime: ImageRuntime) -> None:
    """The reference, the credential without an address, and a sandbox with metadata and OpenKruise's annotation."""
    scripted.answers["ImageService/PullImage"] = lambda *_: cri_pb2.PullImageResponse(image_ref="sha256:1")
    credential = Credential(username="anna", password="secret", source="kube-system/pull")
    request = PullRequest(
        image="r.example/app:v1",
        credential=credential,
        sandbox_labels={"a": "b"},
        sandbox_annotations={"c": "d", "apps.kruise.io/pulling-image-by": "me"},
        namespace="team",
    )

    reference = runtime.pull(request).result(timeout_seconds=WAIT_SECONDS)

    seen = scripted.seen[-1]
    assert "sha256:1" == reference
    assert ("r.example/app:v1", "r.example/app:v1") == (seen.image.image, seen.image.user_specified_image)
    assert cri_pb2.AuthConfig(username="anna", password="secret") == seen.auth
    assert {"a": "b"} == dict(seen.sandbox_config.labels)
    annotations = {"c": "d", "apps.kruise.io/pulling-image-by": "kruise-daemon"}
    assert annotations == dict(seen.sandbox_config.annotations)
    metadata = seen.sandbox_config.metadata
    assert ("prewarm", "team", True) == (metadata.name, metadata.namespace, bool(metadata.uid))
    assert "containerd-lease" not in scripted.metadata[-1]


def test_an_anonymous_pull_carries_no_credential(scripted: ScriptedRuntime, runtime: ImageRuntime) -> None:
    """Without a credential the field is absent, and the runtime uses its own configuration."""
    scripted.answers["ImageService/PullImage"] = lambda *_: cri_pb2.PullImageResponse()

    runtime.pull(PullRequest(image="app:v1")).result(timeout_seconds=WAIT_SECONDS)

    assert not scripted.seen[-1].HasField("auth")
    assert scripted.seen[-1].HasField("sandbox_config")


def test_an_identity_token_travels_as_one(scripted: ScriptedRuntime, runtime: ImageRuntime) -> None:
    """A token is no password."""
    scripted.answers["ImageService/PullImage"] = lambda *_: cri_pb2.PullImageResponse()

    request = PullRequest(image="app:v1", credential=Credential(identity_token="token"))
    runtime.pull(request).result(timeout_seconds=WAIT_SECONDS)

    assert cri_pb2.AuthConfig(identity_token="token") == scripted.seen[-1].auth


def test_a_running_pull_times_out_the_wait_and_goes_on(scripted: ScriptedRuntime, runtime: ImageRuntime) -> None:
    """A wait that is too short raises TimeoutError, and the next wait gets the result."""
    gate = Gate()

    def pull(_request: object, context: grpc.ServicerContext) -> cri_pb2.PullImageResponse:
        gate.wait(context)
        return cri_pb2.PullImageResponse(image_ref="sha256:1")

    scripted.answers["ImageService/PullImage"] = pull
    call = runtime.pull(PullRequest(image="app:v1"))

    with pytest.raises(TimeoutError, match="app:v1"):
        call.result(timeout_seconds=0.05)
    gate.opened.set()

    assert "sha256:1" == call.result(timeout_seconds=WAIT_SECONDS)


def test_a_cancelled_pull_ends_in_the_runtime_too(scripted: ScriptedRuntime, runtime: ImageRuntime) -> None:
    """Cancelling twice from another thread ends the call on both sides, with PullCancelled."""
    gate = Gate()
    scripted.answers["ImageService/PullImage"] = lambda _, context: gate.wait(context)
    call = runtime.pull(PullRequest(image="app:v1"))
    assert gate.reached.wait(WAIT_SECONDS)

    for _ in range(2):
        other = threading.Thread(target=call.cancel)
        other.start()
        other.join()

    with pytest.raises(PullCancelled):
        call.result(timeout_seconds=WAIT_SECONDS)
    assert gate.left.wait(WAIT_SECONDS)


def test_a_refused_pull_has_a_reason_and_no_secret(scripted: ScriptedRuntime, runtime: ImageRuntime) -> None:
    """The error is classified, its words lose the password, and the original is chained."""

    def pull(_request: object, context: grpc.ServicerContext) -> None:
        context.abort(grpc.StatusCode.UNKNOWN, "failed to pull: status code: 401 Unauthorized for anna:hunter2")

    scripted.answers["ImageService/PullImage"] = pull
    request = PullRequest(image="app:v1", credential=Credential(username="anna", password="hunter2"))

    with pytest.raises(PullRejected) as caught:
        runtime.pull(request).result(timeout_seconds=WAIT_SECONDS)

    assert Reason.UNAUTHORIZED is caught.value.reason
    assert "hunter2" not in caught.value.message
    assert isinstance(caught.value.__cause__, grpc.RpcError)


def test_a_runtime_that_dies_in_a_pull_is_down(scripted: ScriptedRuntime, runtime: ImageRuntime) -> None:
    """A broken connection is no fault of the image."""
    gate = Gate()
    scripted.answers["ImageService/PullImage"] = lambda _, context: gate.wait(context)
    call = runtime.pull(PullRequest(image="app:v1"))
    assert gate.reached.wait(WAIT_SECONDS)

    scripted.stop()

    with pytest.raises((RuntimeDown, PullCancelled)):
        call.result(timeout_seconds=WAIT_SECONDS)


def test_a_runtime_that_is_away_is_down_at_once_and_back_by_itself(
    scripted: ScriptedRuntime, runtime: ImageRuntime
) -> None:
    """No call hangs on an absent socket, and the same connection works once the runtime is back."""
    assert answers(runtime)
    scripted.stop()
    until(lambda: not answers(runtime))

    scripted.start()

    until(lambda: answers(runtime))


def test_a_runtime_that_was_never_there_is_down(folder: object) -> None:
    """Connecting needs no runtime; the first call tells."""
    runtime = connect(f"{folder}/nothing.sock")

    with pytest.raises(RuntimeDown):
        runtime.image_status("app:v1")

    assert runtime.downloads is None
    runtime.close()


def test_a_frozen_runtime_times_out(
    scripted: ScriptedRuntime, runtime: ImageRuntime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A runtime that takes a call and never answers ends it as CallTimeout."""
    monkeypatch.setattr(cri, "UNARY_TIMEOUT_SECONDS", 0.2)
    gate = Gate()
    scripted.answers["ImageService/ImageStatus"] = lambda _, context: gate.wait(context)

    with pytest.raises(CallTimeout):
        runtime.image_status("app:v1")


def test_a_missing_call_is_unsupported(runtime: ImageRuntime) -> None:
    """A runtime without a call says so."""
    with pytest.raises(Unsupported):
        runtime.images()


def test_removing_asks_by_the_name_given(scripted: ScriptedRuntime, runtime: ImageRuntime) -> None:
    """RemoveImage carries the name; absent is the runtime's to forgive."""
    scripted.answers["ImageService/RemoveImage"] = lambda *_: cri_pb2.RemoveImageResponse()

    runtime.remove("app:v1")

    assert "app:v1" == scripted.seen[-1].image.image


def test_another_runtime_has_no_downloads(runtime: ImageRuntime) -> None:
    """Only containerd has an API of its own that we know."""
    assert runtime.downloads is None


def test_containerd_has_downloads(scripted: ScriptedRuntime, runtime: ImageRuntime) -> None:
    """It is known by its name, and asked once."""
    scripted.answers["RuntimeService/Version"] = lambda *_: cri_pb2.VersionResponse(runtime_name="containerd")

    assert runtime.downloads is not None
    assert runtime.downloads is runtime.downloads
    assert 1 == len(scripted.seen)


def test_a_closed_connection_raises_our_errors(scripted: ScriptedRuntime) -> None:
    """After close every call fails with an error of ours, and closing again is fine."""
    runtime = connect(str(scripted.socket))
    runtime.version()
    runtime.close()
    runtime.close()

    with pytest.raises(CriError):
        runtime.version()
    with pytest.raises(CriError):
        runtime.pull(PullRequest(image="app:v1"))


def test_closing_cancels_what_runs(scripted: ScriptedRuntime) -> None:
    """A pull under way ends as cancelled when we leave."""
    gate = Gate()
    scripted.answers["ImageService/PullImage"] = lambda _, context: gate.wait(context)
    runtime = connect(str(scripted.socket))
    call = runtime.pull(PullRequest(image="app:v1"))
    assert gate.reached.wait(WAIT_SECONDS)

    runtime.close()

    with pytest.raises(PullCancelled):
        call.result(timeout_seconds=WAIT_SECONDS)


@pytest.mark.parametrize("endpoint", ["unix:///run/x.sock", "unix:/run/x.sock", "/run/x.sock"])
def test_an_endpoint_is_a_path_or_a_unix_url(endpoint: str) -> None:
    """The three ways that people write a socket are one."""
    assert "/run/x.sock" == socket_path(endpoint)


@pytest.mark.parametrize("endpoint", ["", "run/x.sock", "unix://run/x.sock", "tcp://127.0.0.1:1", "npipe:////./pipe/x"])
def test_any_other_endpoint_is_refused(endpoint: str) -> None:
    """What is no absolute path is bad input, named in the message."""
    with pytest.raises(ValueError, match="runtime endpoint"):
        connect(endpoint)


def test_grpc_neither_logs_nor_forks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its environment is set, and a person's own setting is left alone."""
    monkeypatch.delenv("GRPC_ENABLE_FORK_SUPPORT", raising=False)
    monkeypatch.setenv("GRPC_VERBOSITY", "DEBUG")

    prepare_environment()

    assert ("false", "DEBUG") == (os.environ["GRPC_ENABLE_FORK_SUPPORT"], os.environ["GRPC_VERBOSITY"])
