"""What an agent ends with when a part of it dies; its other ends are tests/behaviour/test_agent_command.py's."""

import io
import json
from pathlib import Path

import msgspec

from daemon.agent.assembly import assembled
from daemon.agent.command import _serve
from daemon.clock import SystemClock
from daemon.config import AgentSettings
from daemon.credentials.sources import Credentials
from daemon.ending import Ending
from daemon.observe.logs import configure
from tests.servers.scripted_api import ScriptedApi
from tests.unit.observe.before import logging_as_before


class DeadWatch:
    """A watch with a defect."""

    def run(self) -> None:
        """Fail."""
        raise ZeroDivisionError

    def stop(self) -> None:
        """Have ended already."""


def test_a_part_that_dies_ends_the_process_and_is_named(tmp_path: Path) -> None:
    """With its traceback in the log: nobody goes on half, and a restart is the kubelet's."""
    stream = io.StringIO()
    settings = AgentSettings(node_name="n1", runtime_endpoint=str(tmp_path / "absent.sock"), listen="127.0.0.1:0")
    with ScriptedApi() as api, logging_as_before(), Ending() as ending:
        configure("json", stream=stream)
        whole = assembled(settings, access=api.access(tmp_path), credentials=Credentials(), clock=SystemClock())
        code = _serve(msgspec.structs.replace(whole, watch=DeadWatch()), coordination=None, ending=ending)

    died = next(line for line in map(json.loads, stream.getvalue().splitlines()) if line["event"] == "thread_died")
    assert (1, "watch") == (code, died["thread"])
    assert "ZeroDivisionError" in died["exception"]
