"""`make cluster-push` moves a tag of the registry that `make cluster` has started, and needs no container engine."""

import fcntl
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
import urllib3

from tests.servers.cluster import hold
from tests.servers.cluster.settings import REGISTRY
from tests.servers.images import MANIFEST
from tests.servers.registry import Registry


def push(*words: str | Path) -> subprocess.CompletedProcess[str]:
    """Run it, and return what it did."""
    command = [sys.executable, "-m", "tests.servers.cluster.push", *words]
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)


def state(registry: Registry) -> hold.State:
    """Return what a holder of a cluster with this registry would have written."""
    nothing = {"kubeconfig": "", "kubectl": "", "nodes": (), "containerds": (), "image": "", "sample": ""}
    return msgspec.convert({**nothing, "registry": registry.host}, type=hold.State)


def digest(registry: Registry) -> str:
    """Ask the registry what the sample's tag names."""
    headers = {"Accept": MANIFEST}
    return urllib3.request("HEAD", f"{registry.url}/v2/base/manifests/latest", headers=headers).headers[
        "Docker-Content-Digest"
    ]


def test_the_tag_names_another_image_after_each_push(registry: Registry, workdir: Path) -> None:
    """And what it says is the digest that the registry has by then."""
    folder = workdir / "c"
    folder.mkdir()
    (folder / hold.STATE).write_bytes(msgspec.json.encode(state(registry)))
    with (workdir / "c.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        first = push("base:latest", folder).stdout
        second = push("base:latest", folder).stdout

    assert f"{REGISTRY}/base:latest is {digest(registry)} now" in second
    assert digest(registry) not in first


@pytest.mark.parametrize(
    ("words", "code", "says"), [(["base"], 2, "NAME:TAG"), (["base:latest", "/nowhere/c"], 1, "make cluster")]
)
def test_what_cannot_be_pushed_is_told(words: list[str], code: int, says: str, tmp_path: Path) -> None:
    """A name without a tag, and a folder without a cluster."""
    place = [str(tmp_path / "c") if word.startswith("/") else word for word in words]

    done = push(*place)

    assert (code, True) == (done.returncode, says in done.stdout)
