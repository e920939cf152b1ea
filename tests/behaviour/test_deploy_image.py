"""One place names the image, and one command of deploy/README.md gives every container the same one, by digest."""

import re
import shutil
from pathlib import Path

import pytest
import yaml

from deploy.render import ROOT
from tests.behaviour.deploy_document import IMAGE, OVERLAYS, README, block, images, rendered, section, shell


BASE = ROOT / "deploy/base"
PODS = {"daemonset-only": 1, "with-openkruise": 1}


def _named(command: str) -> list[str]:
    """Return the images of what a command of the document would apply."""
    objects, _, applied = command.rpartition(" | ")
    assert "kubectl apply -f -" == applied
    return images(list(yaml.safe_load_all(shell(objects))))


def test_the_file_s_command_names_every_image_by_digest() -> None:
    """Whoever installs by the document runs these bytes, whatever becomes of the tag."""
    (command,) = (line for line in block(README, "sed ").splitlines() if line.startswith("sed "))

    assert [IMAGE] * 2 == _named(command)


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_an_overlay_s_command_does_the_same(overlay: str) -> None:
    """Each by the one command, with its folder."""
    command = block(section("Overlays")).strip()

    assert [IMAGE] * PODS.get(overlay, 2) == _named(command.replace("overlays/k3s", f"overlays/{overlay}"))


def test_every_section_applies_an_overlay_by_that_command() -> None:
    """Applied by its folder alone, an overlay's Pods would have an image that no registry has."""
    lines = [line for text in re.findall(r"```sh\n(.*?)```", README, re.DOTALL) for line in text.splitlines()]
    applied = {line for line in lines if line.endswith("kubectl apply -f -") or "apply -k" in line}
    usual = block(section("Overlays")).strip()

    plain = {re.sub(r"overlays/[\w-]+ ", "overlays/k3s ", line) for line in applied if "kustomize" in line}
    assert {usual} == plain
    # An overlay with an image in it, and one that has no Pod.
    assert {"deploy/overlays/mine", "deploy/overlays/restricted-secrets/namespace"} == {
        line.rpartition(" ")[2] for line in applied if "apply -k" in line
    }


@pytest.fixture(scope="module")
def renamed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout with the image written into the one place, as kustomize's own command does."""
    folder = tmp_path_factory.mktemp("renamed") / "deploy"
    shutil.copytree(ROOT / "deploy", folder)
    place = folder / "base/kustomization.yaml"
    written = yaml.safe_load(place.read_text(encoding="utf-8"))
    assert {"images"} == {name for name, value in written.items() if "prewarm" in str(value)}
    named = yaml.safe_load(block(section("The image"), language="yaml"))
    place.write_text(yaml.safe_dump(written | named), encoding="utf-8")
    return folder


@pytest.mark.parametrize("folder", ["base", *(f"overlays/{name}" for name in OVERLAYS)])
def test_one_place_names_the_image_of_every_container(renamed: Path, folder: str) -> None:
    """In the base and in every overlay."""
    assert {IMAGE} == set(images(rendered(renamed / folder)))


def test_no_other_place_names_a_version_of_it() -> None:
    """What the base's parts say is the name alone."""
    texts = [path.read_text(encoding="utf-8") for path in BASE.glob("*/*.yaml")]

    assert ["prewarm", "prewarm"] == [image for text in texts for image in re.findall(r"image: (\S+)", text)]
