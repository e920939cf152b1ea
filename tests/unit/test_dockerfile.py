"""What the Dockerfile says by hand is what the package says."""

import re
from pathlib import Path

import daemon
from tests.servers.setup.nodeimage import INPUTS, content_key


ROOT = Path(__file__).parents[2]


def test_the_label_of_the_version_is_the_package_s() -> None:
    """A release changes both."""
    text = (ROOT / "Dockerfile").read_text()

    assert [daemon.__version__] == re.findall(r'org\.opencontainers\.image\.version="([^"]*)"', text)


def test_the_build_reads_what_its_cache_goes_by() -> None:
    """.dockerignore lets into the build what makes a new image, and no file more."""
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    let_in = {line.removeprefix("!") for line in lines if line.startswith("!")}

    assert "*" in lines
    assert {name for name in INPUTS if name not in ("Dockerfile", ".dockerignore")} == let_in


def test_an_image_is_another_when_a_file_of_it_is(tmp_path: Path) -> None:
    """Content, name and mode of each file count; what is generated from them does not."""
    source = tmp_path / "daemon/module.py"
    for name in INPUTS:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch() if name not in ("daemon", "protos") else (tmp_path / name).mkdir()
    keys = [content_key(tmp_path)]

    source.write_text("a = 1\n")
    keys.append(content_key(tmp_path))
    source.write_text("a = 2\n")
    keys.append(content_key(tmp_path))
    source.chmod(0o755)
    keys.append(content_key(tmp_path))
    (tmp_path / "daemon/__pycache__").mkdir()
    (tmp_path / "daemon/__pycache__/module.pyc").write_text("generated")

    assert 4 == len(set(keys))
    assert keys[-1] == content_key(tmp_path)
