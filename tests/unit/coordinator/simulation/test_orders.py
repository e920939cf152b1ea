"""Whatever the order in which things are heard, and however often: the end is the same."""

import pytest

from tests.unit.coordinator.simulation.checks import Observer, check_quiet, check_tallies, writes_of
from tests.unit.coordinator.simulation.cluster import Cluster, counted
from tests.unit.coordinator.simulation.documents import Json
from tests.unit.coordinator.simulation.story import Story
from tests.unit.coordinator.simulation.weather import CALM, Weather


LATE = Weather(latency=(0.0, 0.8), lag=(0.0, 3.0), repeated=0.5)


def told(cluster: Cluster) -> Json:
    """Play a busy quarter of an hour and return what it comes to."""
    cluster.lead()
    cluster.job("first", kind="Never", parallelism=2)
    cluster.job("second", kind="Never", parallelism="50%", imagePullPolicy="Always")
    cluster.run(4)
    cluster.join("late", labels={"pool": "blue"})
    cluster.job("third", kind="Never", parallelism=3, selector={"matchLabels": {"pool": "blue"}}, image="other:v1")
    cluster.run(3)
    cluster.edit_node("n01", {"metadata": {"labels": {"pool": "blue"}}})
    cluster.turn("n02", is_ready=False)
    cluster.edit("first", pullPolicy={"timeoutSeconds": 700})
    cluster.run(6)
    cluster.turn("n02", is_ready=True)
    cluster.part("n03")
    cluster.edit("third", parallelism=1)
    cluster.run(120)
    cluster.job("fourth", parallelism=2, imagePullPolicy="Always")
    cluster.run(120)
    check_tallies(cluster)
    counts = {name: counted(cluster.status(name)) for name in ("first", "second", "third", "fourth")}
    return {"entries": Story.entries_in(cluster), "counts": counts}


@pytest.mark.parametrize("seed", range(10))
def test_any_order_of_events_gives_the_same_end(seed: int) -> None:
    """Watches that lag by seconds, repeat themselves and overtake each other change nothing in the end."""
    calm, late = Cluster(seed, nodes=5, weather=CALM), Cluster(seed, nodes=5, weather=LATE)
    Observer(late)

    assert told(calm) == told(late)


@pytest.mark.parametrize("seed", range(3))
def test_stale_events_are_not_believed(seed: int) -> None:
    """Everything that was ever told, told again in any order: nothing is written."""
    cluster = Cluster(seed, nodes=5)
    cluster.lead().keeps = True
    leader = cluster.leader
    assert leader is not None
    cluster.job("app", kind="Never", parallelism=2)
    cluster.until(lambda: cluster.is_ready("app"))
    cluster.edit("app", parallelism=3)
    cluster.run(30)
    before = len(writes_of(cluster))

    leader.tell_stale()
    cluster.run(30)

    assert 30 < len(leader.heard)
    assert before == len(writes_of(cluster))
    check_tallies(cluster)
    check_quiet(cluster)
