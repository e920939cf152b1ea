"""What Prewarm does while something is broken; its tests have the servers that those of its behaviour have."""

from tests.behaviour.conftest import *  # noqa: F403 - its __all__ is the list of fixtures and hooks, kept in one place
from tests.faults.fixtures import hollow, hollow_options, ledger, place  # noqa: F401 - fixtures
