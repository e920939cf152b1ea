"""What `prewarm coordinator --help` tells: every option with what it does, examples that work, and the exit codes."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from daemon.config import COORDINATOR_SETTINGS, CoordinatorSettings, Setting


ROOT = Path(__file__).parents[3]
DEFAULTS = CoordinatorSettings(identity="a")


@pytest.fixture(scope="module")
def coordinator_help() -> str:
    """What it prints on a terminal of 80 columns."""
    done = subprocess.run(
        [sys.executable, "-m", "daemon", "coordinator", "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
        env={"COLUMNS": "80"},
    )
    assert (0, "") == (done.returncode, done.stderr)
    return done.stdout


def _joined(text: str) -> str:
    """Undo the breaks of lines, also those after a hyphen."""
    return " ".join(text.split()).replace("- ", "-")


@pytest.mark.parametrize("setting", COORDINATOR_SETTINGS, ids=lambda setting: setting.flag)
def test_each_setting_is_in_the_help(coordinator_help: str, setting: Setting) -> None:
    """With what its value is called, and with its words; a switch's value may be left out."""
    value = f"[{setting.metavar}]" if setting.is_switch else setting.metavar

    assert f"{setting.flag} {value} " in " ".join(coordinator_help.split())
    assert setting.help.replace("%%", "%").replace("- ", "-") in _joined(coordinator_help)


@pytest.mark.parametrize(
    "field",
    [
        "service_account_folder",
        "lease_namespace",
        "write_rate",
        "gate_taint",
        "gate_deadline_seconds",
        "listen",
        "secret_namespace",
    ],
)
def test_each_default_in_the_help_is_the_setting_s(coordinator_help: str, field: str) -> None:
    """Figures in a text do not follow the code by themselves."""
    setting = next(setting for setting in COORDINATOR_SETTINGS if setting.field == field)
    text = _joined(coordinator_help).partition(f" {setting.flag} {setting.metavar} ")[2].partition(" --")[0]

    default = str(getattr(DEFAULTS, field)).removesuffix(".0")
    assert re.search(rf"default: {re.escape(default)}[;),]", text), text


def test_the_exit_codes_are_in_the_help(coordinator_help: str) -> None:
    """A Deployment's author looks there."""
    lines = coordinator_help.partition("exit codes:")[2].splitlines()

    assert ["0", "1", "2"] == [line.split()[0] for line in lines if re.match(r"  \d", line)]


def test_the_help_fits_a_terminal(coordinator_help: str) -> None:
    """No line is broken by the terminal itself."""
    assert max(map(len, coordinator_help.splitlines())) <= 80


def test_the_examples_are_of_options_that_exist(coordinator_help: str) -> None:
    """An example that does not work is worse than none."""
    flags = {setting.flag for setting in COORDINATOR_SETTINGS}
    examples = [line for line in coordinator_help.splitlines() if line.startswith("  prewarm coordinator")]

    assert examples
    assert {word for line in examples for word in shlex.split(line) if word.startswith("--")} <= flags


def test_help_needs_neither_grpc_nor_an_api_server_s_client() -> None:
    """It is there at once, also where nothing else works."""
    program = (
        "import sys; from daemon.cli import main\n"
        "heavy = {'grpc', 'urllib3', 'prometheus_client', 'kubernetes'}\n"
        "try: main(['coordinator', '--help'])\n"
        "finally: print(sorted(heavy & set(sys.modules)))"
    )

    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False, timeout=30
    )

    assert "[]" == done.stdout.splitlines()[-1]
