"""`prewarm run` ends with the exit code that its help promises, and says why on standard error."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.lab.command import Running, events, job, names, run
from tests.servers import binaries
from tests.servers.binaries import ContainerdBinaries
from tests.servers.containerd import Containerd
from tests.servers.images import Push, PushedImage
from tests.servers.processes import until
from tests.servers.proxy import FaultProxy


MIB = 1 << 20


@pytest.fixture
def containerd_binaries() -> ContainerdBinaries:
    """One version: nothing here depends on it."""
    return binaries.containerd(binaries.NEWEST)


@pytest.fixture
def slow(push: Push, faults: FaultProxy) -> PushedImage:
    """An image that takes most of a minute."""
    image = push(layers=[16 * MIB]).at(faults.host)
    faults.limit(MIB // 2)
    return image


def test_1_when_an_image_could_not_be_brought(workdir: Path, containerd: Containerd, push: Push) -> None:
    """The others are brought all the same."""
    image = push()
    path = workdir / "jobs.json"
    missing = image.reference.replace("base", "missing")
    policy = {"backoffLimit": 0}
    path.write_text(f"{job(missing, name='a', pullPolicy=policy)}\n---\n{job(image.reference, name='b')}\n")

    done = run(containerd, workdir, path)

    told = events(done.stdout)
    failed = next(event for event in told if event["event"] == "image_failed")
    assert (1, 1, 1) == (done.returncode, told[-1]["succeeded"], told[-1]["failed"])
    assert (missing, "ImageNotFound") == (failed["image"], failed["reason"])
    assert image.reference in containerd.images()


def test_2_for_bad_manifests_with_every_error_and_nothing_pulled(
    workdir: Path, containerd: Containerd, push: Push, faults: FaultProxy
) -> None:
    """The good ones among them are not begun."""
    image = push().at(faults.host)
    folder = workdir / "jobs"
    folder.mkdir()
    (folder / "a.json").write_text(job("Bad", name="a", parallelism=-1))
    (folder / "b.json").write_text(job("also bad", name="b"))
    (folder / "c.json").write_text(job(image.reference, name="c"))

    done = run(containerd, workdir, folder)

    assert (2, "") == (done.returncode, done.stdout)
    for expected in ("a.json:1: ImagePullJob/a: spec.image", "spec.parallelism: Invalid value: -1", "ImagePullJob/b:"):
        assert expected in done.stderr
    assert "nothing was pulled" in done.stderr
    assert () == faults.traffic.requests()


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (None, "No such file or directory"),
        ({}, "no manifest in this folder"),
        ({"a.yaml": "# nothing\n"}, "no manifest in it"),
        ({"a.yaml": "a: [1\n"}, "YAML syntax"),
        ({"a.yaml": b"\xff\xfe\x00"}, "not UTF-8"),
        (
            {"a.yaml": "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\ntype: Opaque\n"},
            "nothing to pull: no ImagePullJob",
        ),
    ],
    ids=["missing", "empty folder", "empty file", "no YAML", "no text", "no job"],
)
def test_2_for_sources_without_a_job(
    workdir: Path, containerd: Containerd, content: dict[str, str | bytes] | None, expected: str
) -> None:
    """Nothing to do is hardly what was meant."""
    folder = workdir / "jobs"
    if content is not None:
        folder.mkdir()
        for name, text in content.items():
            (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())

    done = run(containerd, workdir, folder)

    assert (2, "") == (done.returncode, done.stdout)
    assert expected in done.stderr
    assert "Traceback" not in done.stderr


def test_2_without_anything_to_pull(workdir: Path) -> None:
    """The usage says what to give."""
    done = run(None, workdir)

    assert (2, "") == (done.returncode, done.stdout)
    assert "give manifests (FILE) or --image" in done.stderr


def test_3_when_no_runtime_answers(workdir: Path) -> None:
    """It says where it looked."""
    socket = workdir / "none.sock"

    done = run(None, workdir, "--image", "nginx", "--runtime-endpoint", socket, PREWARM_RUNTIME_WAIT="0.5")

    assert (3, "") == (done.returncode, done.stdout)
    assert f"unix://{socket}: no such socket" in done.stderr
    assert "for at most 0.5 s" in done.stderr


def test_3_when_the_runtime_goes_and_stays_away(workdir: Path, containerd: Containerd, slow: PushedImage) -> None:
    """In the middle of a pull; the last event says so."""
    with Running(containerd, workdir, "--image", slow.reference, "--runtime-wait", "1") as running:
        running.until_event("pull_progressed")
        containerd.kill()

        code = running.code()

    assert 3 == code
    assert ["pull_started", "runtime_lost", "run_finished"] == names(running.events)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_130_when_interrupted_in_a_pull(
    workdir: Path, containerd: Containerd, slow: PushedImage, faults: FaultProxy, number: signal.Signals
) -> None:
    """What was downloaded is kept: the next run fetches the rest alone."""
    with Running(containerd, workdir, "--image", slow.reference) as running:
        running.until(lambda event: event.get("bytes_done", 0) > MIB, what="a MiB is here")
        running.send(number)
        code = running.code()
    sent = faults.traffic.blob_bytes()
    faults.limit(None)

    again = run(containerd, workdir, "--image", slow.reference)

    assert (130, "") == (code, running.errors.read_text())
    assert "interrupted" in running.events[-1]["message"]
    assert 0 == again.returncode
    assert faults.traffic.blob_bytes() - sent < slow.layer_bytes - MIB // 2


def test_a_second_signal_ends_it_at_once(workdir: Path, containerd: Containerd) -> None:
    """Also where the first one waits for a runtime that hangs."""
    containerd.freeze()
    try:
        with Running(containerd, workdir, "--image", "nginx") as running:
            # Of SIGTERM, since Python itself has a handler for SIGINT from the start.
            until(lambda: running.catches(signal.SIGTERM), what="its handlers are set", timeout_seconds=30)
            running.send(signal.SIGINT)
            until(lambda: not running.catches(signal.SIGTERM), what="the first is noted", timeout_seconds=30)
            running.send(signal.SIGINT)

            assert -signal.SIGINT == running.code()
    finally:
        containerd.thaw()


def test_74_when_standard_output_cannot_be_written(workdir: Path, containerd: Containerd, push: Push) -> None:
    """A full disk under the log is one sentence, not a traceback."""
    command = [sys.executable, "-m", "daemon", "run", "--image", push().reference, "--min-free", "0"]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [*command, "--runtime-endpoint", containerd.endpoint],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            timeout=60,
        )

    assert (74, "prewarm: standard output can't be written: No space left on device\n") == (
        done.returncode,
        done.stderr,
    )
