"""Whatever happens, and in whatever order: everything comes to its end, and no ceiling is broken on the way."""

import pytest

from tests.unit.coordinator.simulation.checks import check_tallies
from tests.unit.coordinator.simulation.story import Story


@pytest.mark.parametrize("seed", range(12))
def test_every_node_ends_whatever_happens(seed: int) -> None:
    """With nodes, jobs and leaders that come and go, and one write in three that fails, every job comes to its end."""
    story = Story(seed)

    story.go_on(40)
    story.calm_down()

    story.cluster.until(story.is_over, seconds=6 * 3600)
    check_tallies(story.cluster)
