import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from daemon.runtime import cri
from daemon.runtime.detection import CANDIDATES, detect
from daemon.runtime.interface import RuntimeVersion
from daemon.runtime.wire import cri_pb2
from tests.unit.runtime.scripted import Gate, ScriptedRuntime


Start = Callable[..., ScriptedRuntime]


@pytest.fixture
def start(folder: Path) -> Iterator[Start]:
    """Start a scripted runtime at one of the usual places below `folder`."""
    running: list[ScriptedRuntime] = []

    def _start(path: str, *, name: str = "containerd") -> ScriptedRuntime:
        runtime = ScriptedRuntime(folder / path)
        runtime.answers["RuntimeService/Version"] = lambda *_: cri_pb2.VersionResponse(
            runtime_name=name, runtime_version="1"
        )
        runtime.start()
        running.append(runtime)
        return runtime

    yield _start
    for runtime in running:
        runtime.stop()


@pytest.mark.parametrize("path", CANDIDATES)
def test_a_runtime_at_each_usual_place_is_found(path: str, folder: Path, start: Start) -> None:
    """Whichever of the usual sockets answers is taken, and it stays connected."""
    start(path)

    found = detect(root=folder)

    assert found.runtime is not None
    assert (f"unix://{folder / path}", RuntimeVersion(name="containerd", version="1")) == (
        found.runtime.endpoint,
        found.version,
    )
    assert "containerd" == found.runtime.version().name
    found.runtime.close()


def test_the_first_that_answers_is_taken(folder: Path, start: Start) -> None:
    """With two runtimes the order decides."""
    start("run/crio/crio.sock", name="cri-o")
    start("run/containerd/containerd.sock", name="containerd")

    found = detect(root=folder)

    assert found.version is not None
    assert found.runtime is not None
    assert ("containerd", ()) == (found.version.name, found.refused)
    found.runtime.close()


def test_a_socket_without_cri_is_passed_over(folder: Path, start: Start) -> None:
    """Docker's containerd, with its CRI off, is no runtime of the node's; the next one is."""
    docker = start("run/containerd/containerd.sock")
    docker.answers.clear()
    start("run/cri-dockerd.sock", name="docker")

    found = detect(root=folder)

    assert found.version is not None
    assert found.runtime is not None
    assert "docker" == found.version.name
    assert "CRI is switched off" in found.refused[0].why
    found.runtime.close()


def test_a_runtime_without_its_image_service_is_passed_over(folder: Path, start: Start) -> None:
    """Version alone proves nothing."""
    half = start("run/containerd/containerd.sock")
    del half.answers["ImageService/ImageFsInfo"]

    found = detect(root=folder)

    assert found.runtime is None
    assert "CRI is switched off" in found.refused[0].why


def test_files_prove_nothing(folder: Path) -> None:
    """A plain file and a socket that nobody listens at are told for what they are."""
    (folder / "run/containerd").mkdir(parents=True)
    (folder / "run/containerd/containerd.sock").touch()
    (folder / "run/crio").mkdir()
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(folder / "run/crio/crio.sock"))

    found = detect(root=folder)

    why = {refused.endpoint.removeprefix(f"unix://{folder}/"): refused.why for refused in found.refused}
    assert found.runtime is None
    assert "not a socket" == why["run/containerd/containerd.sock"]
    assert "no such socket" == why["run/k3s/containerd/containerd.sock"]
    assert "refused" in why["run/crio/crio.sock"]


def test_a_hanging_runtime_is_passed_over(folder: Path, start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """A runtime that takes the call and does not answer costs its timeout, not the start."""
    monkeypatch.setattr(cri, "UNARY_TIMEOUT_SECONDS", 0.2)
    gate = Gate()
    hanging = start("run/containerd/containerd.sock")
    hanging.answers["RuntimeService/Version"] = lambda _, context: gate.wait(context)
    start("run/crio/crio.sock", name="cri-o")

    found = detect(root=folder)

    assert found.version is not None
    assert found.runtime is not None
    assert "cri-o" == found.version.name
    found.runtime.close()


@pytest.mark.parametrize("prefix", ["", "unix://"])
def test_an_endpoint_that_is_given_is_the_only_one_asked(prefix: str, folder: Path, start: Start) -> None:
    """With an explicit endpoint no other is tried, be it good or bad."""
    start("run/containerd/containerd.sock")
    start("other.sock", name="mine")

    found = detect(f"{prefix}{folder}/other.sock", root=folder)
    missing = detect(f"{prefix}{folder}/missing.sock", root=folder)

    assert found.version is not None
    assert found.runtime is not None
    assert "mine" == found.version.name
    assert missing.runtime is None
    assert ["no such socket"] == [refused.why for refused in missing.refused]
    found.runtime.close()


def test_a_bad_endpoint_is_bad_input() -> None:
    """An endpoint of another kind is refused by name."""
    with pytest.raises(ValueError, match="tcp://"):
        detect("tcp://127.0.0.1:1")
