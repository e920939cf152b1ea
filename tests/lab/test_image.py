"""The node image is what the manifest counts on: its user, its root, its size, and nothing in it that need not be."""

import json
import re
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest

import daemon
from tests.servers.image import BuiltImage, built, push_to, unpacked
from tests.servers.image_entry import entered, environment, output
from tests.servers.registry import Registry
from tests.servers.setup import nodeimage, pip, wheels


MIB = 1 << 20
RUN_TIMEOUT_SECONDS = 60
PYTHON = "/opt/prewarm/bin/python3"
# Where its own layers may put files; on the way there are folders.
OURS = ("opt/prewarm", "usr/lib/python3")

# The first build brings everything that it is made of.
pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module")
def image() -> BuiltImage:
    """The node image of this checkout."""
    return built()


def test_it_starts_prewarm_as_nobody_of_roots_group(image: BuiltImage) -> None:
    """The manifest's runAsUser and runAsGroup are the image's own, and its args follow the program."""
    config = image.config["config"]

    assert "65532:0" == config["User"]
    assert ["prewarm"] == config["Entrypoint"]
    assert config.get("Cmd") in (None, [])


def test_it_says_what_it_is(image: BuiltImage) -> None:
    """Its labels name the title, the licence and the version of the package in it."""
    labels = image.config["config"]["Labels"]

    assert "Prewarm" == labels["org.opencontainers.image.title"]
    assert "Apache-2.0" == labels["org.opencontainers.image.licenses"]
    assert daemon.__version__ == labels["org.opencontainers.image.version"]


def test_it_weighs_no_more_than_45_mib_over_its_base(image: BuiltImage) -> None:
    """The files of its own layers count, as they are unpacked on a node's disk; the standard library's bytecode too."""
    assert image.unpacked_bytes_over_base <= 45 * MIB


def test_the_program_runs_on_a_read_only_root_without_rights(image: BuiltImage, workdir: Path) -> None:
    """It answers as its user, in its group alone, where nothing can be written."""
    version = output(image, ["prewarm", "--version"], place=_new(workdir / "version"))
    status = output(image, ["cat", "/proc/self/status", "/proc/self/mounts"], place=_new(workdir / "status"))

    assert f"prewarm {daemon.__version__}\n" == version
    assert "Uid:\t65532\t65532\t65532\t65532" in status
    assert "Gid:\t0\t0\t0\t0" in status
    assert re.search(r"^CapEff:\t0+$", status, re.MULTILINE)
    assert re.search(r"^overlay / overlay ro,", status, re.MULTILINE)


def test_it_holds_the_base_lock_and_nothing_else(image: BuiltImage, workdir: Path) -> None:
    """Its Python has the packages of requirements/base.txt at their versions, and prewarm."""
    locked = re.findall(r"^(\S+)==(\S+)", _text("requirements/base.txt"), re.MULTILINE)
    code = (
        "import importlib.metadata as m; print(*(f'{d.name.lower()} {d.version}' for d in m.distributions()), sep=':')"
    )

    found = output(image, [PYTHON, "-c", code], place=_new(workdir / "packages")).strip().replace("_", "-").split(":")

    assert sorted([f"prewarm {daemon.__version__}", *(f"{name} {version}" for name, version in locked)]) == sorted(
        found
    )


def test_every_module_of_it_has_its_bytecode(image: BuiltImage, workdir: Path) -> None:
    """Nothing is left to compile in the packages, and what there is belongs to the source beside it."""
    found = output(image, [PYTHON, "-c", _STALE], place=_new(workdir / "bytecode"))

    assert "[]" == found.strip()


def test_nothing_is_compiled_at_a_start(image: BuiltImage, workdir: Path) -> None:
    """Python reads bytecode for whatever it imports, of the standard library too; a read-only root keeps none."""
    command = entered(image, [PYTHON, "-v", "-c", _IMPORT_ALL], place=_new(workdir / "start"))
    done = subprocess.run(
        command, check=True, capture_output=True, env=environment(image), text=True, timeout=RUN_TIMEOUT_SECONDS
    )

    compiled = re.findall(r"^# code object from '?(\S+\.py)'?$", done.stderr, re.MULTILINE)

    assert "# code object from '/opt/prewarm/lib" in done.stderr
    assert [] == compiled


def test_its_own_layers_hold_packages_and_bytecode_alone(image: BuiltImage) -> None:
    """Nothing of the build comes along: no settings of pip, no certificates, no lists of apt, no source folder."""
    strays = {
        name
        for layer in image.layers[image.base_layers :]
        for name, is_folder in _files_of(layer.file)
        if not name.startswith(OURS) and not (is_folder and any(place.startswith(name) for place in OURS))
    }

    assert set() == strays


def test_it_tells_nothing_of_the_machine_that_built_it(image: BuiltImage) -> None:
    """Neither index nor proxy of pip nor a source of apt is in its configuration; its certificates are its base's."""
    root = unpacked(image)
    settings = {value for value in pip.settings().values() if "/" in value and value != pip.SYSTEM_CERTIFICATES}
    bundle = (root / "etc/ssl/certs/ca-certificates.crt").read_text()
    packaged = sum(file.read_text().count("BEGIN CERT") for file in (root / "usr/share/ca-certificates").rglob("*.crt"))

    assert [] == [value for value in settings if value in json.dumps(image.config)]
    assert "PIP_" not in json.dumps(image.config)
    assert packaged == bundle.count("BEGIN CERT")
    assert [] == [each for each in (root / "etc/apt").rglob("*") if each.is_file() and "sources" in str(each)]
    assert [] == [each for each in (root / "var/lib/apt/lists").rglob("*") if each.is_file() and each.name != "lock"]
    assert not (root / "etc/pip.conf").exists()


def test_a_change_of_code_makes_one_new_small_layer(image: BuiltImage, workdir: Path) -> None:
    """What a node pulls for a new version with the same packages is the last layer."""
    changed = workdir / "project"
    for name in nodeimage.INPUTS:
        _copy(nodeimage.PROJECT / name, changed / name)
    with (changed / "daemon/clock.py").open("a") as file:
        file.write("# One more line.\n")

    other = built(changed)

    digests = [[layer.file.name for layer in each.layers] for each in (image, other)]
    assert digests[0][:-1] == digests[1][:-1]
    assert digests[0][-1] != digests[1][-1]
    assert other.layers[-1].compressed_bytes < 3 * MIB


def test_a_registry_has_it_by_the_same_digest(image: BuiltImage, registry: Registry) -> None:
    """What is pushed is what was built, byte for byte."""
    pushed = push_to(registry, image, tag="1")

    assert f"{registry.host}/prewarm@{image.digest}" == pushed.reference_by_digest
    assert f"{registry.host}/prewarm:1" == pushed.reference


@pytest.mark.parametrize(("machine", "python"), [("aarch64", "3.11"), ("aarch64", "3.13"), ("x86_64", "3.13")])
@pytest.mark.parametrize("lock", ["base", "build"])
def test_its_locks_come_to_wheels_alone(lock: str, machine: str, python: str) -> None:
    """So it builds on arm64 too, and on the Dockerfile's own base: looked up, not run."""
    locked = re.findall(r"^\S+==", _text(f"requirements/{lock}.txt"), re.MULTILINE)

    found = wheels.names(nodeimage.PROJECT / f"requirements/{lock}.txt", machine=machine, python=python)

    assert len(locked) == len(found)
    assert [] == [name for name in found if not name.endswith((f"{machine}.whl", "-none-any.whl"))]


_STALE = """
import importlib.util, os, sys, sysconfig

def is_good(source):
    content, status = open(source, "rb").read(), os.stat(source)
    try:
        head = open(importlib.util.cache_from_source(source), "rb").read(16)
    except FileNotFoundError:
        return False
    number = lambda place: int.from_bytes(head[place:place + 4], "little")
    by_hash = head[8:16] == importlib.util.source_hash(content)
    by_time = (number(8), number(12)) == (int(status.st_mtime), status.st_size)
    return head[:4] == importlib.util.MAGIC_NUMBER and (by_hash if number(4) else by_time)

sources = [os.path.join(place, name) for place, _, names in os.walk(sysconfig.get_path("purelib"))
           for name in names if name.endswith(".py")]
assert len(sources) > 300
print([source for source in sources if not is_good(source)])
"""

_IMPORT_ALL = """
import importlib, pkgutil, daemon

for each in pkgutil.walk_packages(daemon.__path__, "daemon."):
    # What draws on a terminal needs the extra for it.
    if each.name not in ("daemon.__main__", "daemon.display.bars", "daemon.overview.terminal"):
        importlib.import_module(each.name)
"""


def _new(place: Path) -> Path:
    place.mkdir()
    return place


def _text(name: str) -> str:
    return (nodeimage.PROJECT / name).read_text()


def _copy(here: Path, there: Path) -> None:
    there.parent.mkdir(parents=True, exist_ok=True)
    if here.is_dir():
        shutil.copytree(here, there, ignore=shutil.ignore_patterns(*nodeimage.GENERATED))
    else:
        shutil.copy2(here, there)


def _files_of(layer: Path) -> list[tuple[str, bool]]:
    with tarfile.open(layer) as archive:
        return [(member.name.removeprefix("./"), member.isdir()) for member in archive]
