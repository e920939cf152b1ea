"""`prewarm run` brings what a person names in any of the ways there are."""

from pathlib import Path

import pytest

from tests.lab.command import ROOT, events, job, names, run
from tests.servers.containerd import Containerd
from tests.servers.images import Push, PushedImage
from tests.servers.proxy import FaultProxy
from tests.servers.registry import Registry
from tests.servers.traffic import Kind


PULLED = ["pull_started", "image_pulled", "run_finished"]


@pytest.fixture
def image(push: Push, faults: FaultProxy) -> PushedImage:
    """An image behind the proxy, which counts."""
    return push(layers=[1024, 2048]).at(faults.host)


@pytest.mark.parametrize("source", ["file", "folder", "stdin", "image"])
def test_each_source_brings_its_image(workdir: Path, containerd: Containerd, image: PushedImage, source: str) -> None:
    """A file, a folder, standard input and a name do the same."""
    manifest = job(image.reference)
    folder = workdir / "jobs"
    folder.mkdir()
    (folder / "job.json").write_text(manifest)
    arguments = {
        "file": [str(folder / "job.json")],
        "folder": [str(folder)],
        "stdin": ["-"],
        "image": ["--image", image.reference],
    }[source]

    done = run(containerd, workdir, *arguments, stdin=manifest)

    assert (0, PULLED, "") == (done.returncode, names(events(done.stdout)), done.stderr)
    assert image.digest == containerd.images()[image.reference]


def test_the_sample_job_brings_its_image(workdir: Path, containerd: Containerd, push: Push, registry: Registry) -> None:
    """The documented example as it is, but for the registry's name."""
    image = push("base")
    sample = (ROOT / "examples" / "base-image-job.yaml").read_text()
    path = workdir / "base-image-job.yaml"
    path.write_text(sample.replace("image: base:", f"image: {registry.host}/base:"))

    done = run(containerd, workdir, path)

    assert (0, PULLED) == (done.returncode, names(events(done.stdout)))
    assert image.digest == containerd.images()[image.reference]


def test_several_jobs_on_one_image_pull_once(
    workdir: Path, containerd: Containerd, image: PushedImage, faults: FaultProxy
) -> None:
    """Also one of them in a list, and one by name; each layer is fetched once."""
    given = workdir / "jobs.json"
    given.write_text("---\n".join(f"{job(image.reference, name=name)}\n" for name in ("a", "b")))
    listed = workdir / "list.json"
    listed.write_text(job("", images=[image.reference], name="list"))

    done = run(containerd, workdir, given, listed, "--image", image.reference)

    fetched = faults.traffic.requests(Kind.BLOB, method="GET")
    assert (0, PULLED) == (done.returncode, names(events(done.stdout)))
    assert {1} == {sum(one.reference == layer.digest for one in fetched) for layer in image.layers}


def test_a_list_brings_each_of_its_images(workdir: Path, containerd: Containerd, push: Push) -> None:
    """Two at once, all in the end."""
    images = [push(f"app-{number}", seed=number) for number in range(5)]
    path = workdir / "list.json"
    path.write_text(job("", images=[image.reference for image in images]))

    done = run(containerd, workdir, path)

    there = containerd.images()
    assert (0, 5) == (done.returncode, events(done.stdout)[-1]["succeeded"])
    assert [image.digest for image in images] == [there[image.reference] for image in images]


def test_a_secret_beside_the_job_opens_a_private_registry(
    workdir: Path, containerd: Containerd, push_private: Push, private_registry: Registry
) -> None:
    """Neither its password nor anything made of it is in what the command says."""
    image = push_private("team/app")
    (user, password), *_ = private_registry.users.items()
    secret = (
        "apiVersion: v1\nkind: Secret\nmetadata: {name: registry}\ntype: kubernetes.io/dockerconfigjson\nstringData:\n"
        f'  .dockerconfigjson: |\n    {{"auths": {{"{image.host}": '
        f'{{"username": "{user}", "password": "{password}"}}}}}}\n'
    )
    path = workdir / "job.yaml"
    path.write_text(f"{secret}---\n{job(image.reference, pullSecrets=['registry'])}\n")

    refused = run(containerd, workdir, "--image", image.reference, "--image-pull-policy", "IfNotPresent", stdin="")
    done = run(containerd, workdir, path)

    assert (1, 0) == (refused.returncode, done.returncode)
    assert image.digest == containerd.images()[image.reference]
    assert password not in done.stdout + done.stderr + refused.stdout + refused.stderr


def test_an_image_that_is_there_is_asked_for_only_under_always(
    workdir: Path, containerd: Containerd, image: PushedImage, faults: FaultProxy
) -> None:
    """By name the registry is asked, unless --image-pull-policy says otherwise."""
    containerd.pull(image.reference)
    asked = len(faults.traffic.requests())

    present = run(containerd, workdir, "--image", image.reference, "--image-pull-policy", "IfNotPresent")
    after_present = len(faults.traffic.requests())
    pulled = run(containerd, workdir, "--image", image.reference)

    assert ["image_present", "run_finished"] == names(events(present.stdout))
    assert PULLED == names(events(pulled.stdout))
    assert events(pulled.stdout)[-2]["changed"] is False
    assert asked == after_present < len(faults.traffic.requests())
