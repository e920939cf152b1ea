"""Every bench that `make bench` runs is a module, and bench/README.md says what it measures."""

import importlib.util
import re
from pathlib import Path

import pytest


ROOT = Path(__file__).parents[3]
README = (ROOT / "bench/README.md").read_text()


def benches() -> list[str]:
    """Return the names in the Makefile."""
    listed = re.search(r"^BENCHES := ((?:.*\\\n)*.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert listed is not None
    return listed[1].replace("\\\n", " ").split()


@pytest.mark.parametrize("name", benches())
def test_each_bench_is_a_module_that_can_be_run(name: str) -> None:
    """`make bench-NAME` runs bench/NAME.py with _ for -."""
    module = f"bench.{name.replace('-', '_')}"

    assert importlib.util.find_spec(module) is not None
    assert '__name__ == "__main__"' in (ROOT / f"{module.replace('.', '/')}.py").read_text()


def test_the_readme_describes_each_bench() -> None:
    """A section a bench, in the order in which they run."""
    figures = README.partition("## The figures")[2].partition("\n## ")[0]

    assert benches() == re.findall(r"^### (.+)$", figures, re.MULTILINE)
