"""What `--help` tells: every option with what it does, examples that work, and the exit codes."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from daemon.config import RUN_SETTINGS, RunSettings, Setting


ROOT = Path(__file__).parents[3]


def _help(*command: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "daemon", *command, "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
        env={"COLUMNS": "80"},
    )
    assert (0, "") == (done.returncode, done.stderr)
    return done.stdout


@pytest.fixture(scope="module")
def run_help() -> str:
    """What `prewarm run --help` prints on a terminal of 80 columns."""
    return _help("run")


@pytest.mark.parametrize("setting", RUN_SETTINGS, ids=lambda setting: setting.flag)
def test_each_setting_is_in_the_help(run_help: str, setting: Setting) -> None:
    """With what its value is called, and with its words."""
    words = " ".join(run_help.split())

    assert f"{setting.flag} {setting.metavar} " in words
    assert setting.help.replace("%%", "%").replace("- ", "-") in words.replace("- ", "-")


def test_each_default_in_the_help_is_the_setting_s(run_help: str) -> None:
    """Figures in a text do not follow the code by themselves."""
    words = " ".join(run_help.split())
    defaults = RunSettings()

    for option, value in (
        ("--runtime-wait SECONDS", f"{defaults.runtime_wait_seconds:g}"),
        ("--max-concurrent-pulls N", str(defaults.max_concurrent_pulls)),
        ("--min-free FREE", defaults.min_free),
    ):
        text = words.partition(f" {option} ")[2].partition(" --max")[0].partition(" --node")[0]
        assert re.search(rf"\(default: {re.escape(value)}[;)]", text), text


def test_the_exit_codes_are_in_the_help(run_help: str) -> None:
    """A script's author looks there."""
    codes = [line.split()[0] for line in run_help.partition("exit codes:")[2].splitlines() if re.match(r"  \d", line)]

    assert ["0", "1", "2", "3", "130"] == codes


@pytest.mark.parametrize("command", [(), ("run",), ("validate",)])
def test_the_help_fits_a_terminal(command: tuple[str, ...]) -> None:
    """No line is broken by the terminal itself, but for an example's."""
    lines = [line for line in _help(*command).splitlines() if not line.startswith("  prewarm ")]

    assert max(map(len, lines)) <= 80


def test_the_examples_are_of_options_that_exist(run_help: str) -> None:
    """An example that does not work is worse than none."""
    flags = {setting.flag for setting in RUN_SETTINGS} | {"--image", "--watch"}
    examples = [line.split("|")[0] for line in run_help.splitlines() if line.startswith("  prewarm run")]

    assert examples
    assert {word for line in examples for word in shlex.split(line) if word.startswith("--")} <= flags


def test_help_needs_neither_grpc_nor_a_runtime() -> None:
    """It is there at once, also where nothing else works."""
    program = (
        "import sys; from daemon.cli import main\ntry: main(['run', '--help'])\nfinally: print('grpc' in sys.modules)"
    )

    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False, timeout=30
    )

    assert "False" == done.stdout.splitlines()[-1]
