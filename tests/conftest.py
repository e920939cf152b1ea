"""What holds for every test: no settings from the person's shell, and clean-up when the run is terminated."""

import os
import signal
from pathlib import Path
from typing import Final

import pytest
from hypothesis import HealthCheck, settings
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling


# The folders whose files take longest: begun last, one of them would run alone at the end.
_LONGEST_FIRST: Final = ("cluster", "simulation", "faults", "lab", "behaviour")
_TESTS: Final = Path(__file__).parent
_CLUSTERS: Final = "tests/cluster/"


def pytest_configure() -> None:
    """
    Let SIGTERM end a run as Ctrl-C does, so that servers stop and mounts go.

    A property holds or not however busy the machine is: hypothesis' own time limits would make its tests timed ones.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
    settings.load_profile("untimed")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the longest files; within a folder the order stays what chance made it."""
    items.sort(key=lambda item: _place(item.path))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadFileScheduling:
    """
    Let the files of tests/cluster run one after the other, and every other file in a process of its choice.

    A kubelet holds six of the 128 inotify instances that Linux gives a user: many clusters at once can't be.
    """
    scheduler = LoadFileScheduling(config, log)
    # By its documentation the one method that a scheduler of one's own replaces, whatever its name.
    file_of = scheduler._split_scope

    def scope_of(nodeid: str) -> str:
        return _CLUSTERS if nodeid.startswith(_CLUSTERS) else file_of(nodeid)

    scheduler._split_scope = scope_of
    return scheduler


def _place(file: Path) -> int:
    folder = file.relative_to(_TESTS).parts[0]
    return _LONGEST_FIRST.index(folder) if folder in _LONGEST_FIRST else len(_LONGEST_FIRST)


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """A PREWARM_ variable in the shell must not change what a test sees."""
    for name in [name for name in os.environ if name.startswith("PREWARM_")]:
        monkeypatch.delenv(name)
