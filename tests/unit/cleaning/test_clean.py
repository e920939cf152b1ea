"""`prewarm clean` where there is nothing to do or nobody to ask, and what its help and its settings tell."""

import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from daemon.cleaning import clean
from daemon.cli import main
from daemon.config import CleanSettings, InvalidSetting, clean_settings
from tests.servers.scripted_cri import ScriptedCri


ROOT = Path(__file__).parents[3]


@pytest.fixture
def socket() -> Iterator[Path]:
    """A path that is short enough for a socket."""
    with tempfile.TemporaryDirectory(prefix="cri-") as folder:
        yield Path(folder) / "cri.sock"


def test_a_runtime_without_leases_has_nothing_to_clean(socket: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As CRI-O: that is said, and is no failure."""
    with ScriptedCri(socket) as cri:
        code = clean(CleanSettings(runtime_endpoint=cri.endpoint))

    out, err = capsys.readouterr()
    assert (0, "") == (code, err)
    assert f"scripted://1 at {cri.endpoint}" == out.splitlines()[0]
    assert "nothing to do" in out.splitlines()[1]


def test_without_a_runtime_it_says_where_it_has_looked(socket: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 3, as `prewarm run` has it."""
    code = clean(CleanSettings(runtime_endpoint=str(socket)))

    out, err = capsys.readouterr()
    assert (3, "") == (code, out)
    assert f"{socket}: no such socket" in err
    assert "--runtime-endpoint" in err


@pytest.mark.parametrize("arguments", [["--runtime-endpoint", "tcp://1.2.3.4:5"], ["--runtime-endpoint", "x.sock"]])
def test_a_bad_endpoint_is_bad_input(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """One line that names it."""
    code = main(["clean", *arguments])

    assert 2 == code
    assert f'"{arguments[1]}" is neither an absolute path' in capsys.readouterr().err


def test_an_unknown_option_is_bad_input() -> None:
    """Nothing is taken for another."""
    with pytest.raises(SystemExit) as ended:
        main(["clean", "--dry"])

    assert 2 == ended.value.code


def test_a_flag_beats_its_variable() -> None:
    """As everywhere."""
    environment = {"PREWARM_RUNTIME_ENDPOINT": "/a.sock"}

    settings = [
        clean_settings({"runtime_endpoint": given, "is_trial": True}, environment=environment)
        for given in (None, "/b.sock")
    ]

    assert [("/a.sock", True), ("/b.sock", True)] == [(one.runtime_endpoint, one.is_trial) for one in settings]
    with pytest.raises(InvalidSetting, match="PREWARM_RUNTIME_ENDPOINT"):
        clean_settings({"is_trial": False}, environment={"PREWARM_RUNTIME_ENDPOINT": "a"})


def test_the_help_tells_of_a_living_agent_and_the_exit_codes() -> None:
    """Who cleans a node has to know both."""
    done = subprocess.run(
        [sys.executable, "-m", "daemon", "clean", "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
        env={"COLUMNS": "80"},
    )

    codes = [
        line.split()[0] for line in done.stdout.partition("exit codes:")[2].splitlines() if re.match(r"  \d", line)
    ]
    assert (0, ["0", "1", "2", "3"]) == (done.returncode, codes)
    assert "alive makes its leases again" in " ".join(done.stdout.split())
    assert max(map(len, done.stdout.splitlines())) <= 80
