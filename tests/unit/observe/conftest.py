"""Logging as a test found it."""

from collections.abc import Iterator

import pytest

from tests.unit.observe.before import logging_as_before


@pytest.fixture
def restored() -> Iterator[None]:
    """Put the process's logging back after a test that configures it."""
    with logging_as_before():
        yield
