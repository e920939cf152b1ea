"""What holds for every test: no settings from the person's shell, and clean-up when the run is terminated."""

import os
import signal

import pytest
from hypothesis import HealthCheck, settings


def pytest_configure() -> None:
    """
    Let SIGTERM end a run as Ctrl-C does, so that servers stop and mounts go.

    A property holds or not however busy the machine is: hypothesis' own time limits would make its tests timed ones.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
    settings.load_profile("untimed")


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """A PREWARM_ variable in the shell must not change what a test sees."""
    for name in [name for name in os.environ if name.startswith("PREWARM_")]:
        monkeypatch.delenv(name)
