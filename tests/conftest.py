"""What holds for every test: no settings from the person's shell, and clean-up when the run is terminated."""

import os
import signal

import pytest


def pytest_configure() -> None:
    """Let SIGTERM end a run as Ctrl-C does, so that servers stop and mounts go."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """A PREWARM_ variable in the shell must not change what a test sees."""
    for name in [name for name in os.environ if name.startswith("PREWARM_")]:
        monkeypatch.delenv(name)
