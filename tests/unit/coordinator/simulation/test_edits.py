"""What an edit does, and a deletion, a deadline and the times to live; in virtual time."""

import pytest

from tests.unit.coordinator.simulation.agents import Pulls
from tests.unit.coordinator.simulation.checks import Observer, check_quiet, check_tallies, writes_of
from tests.unit.coordinator.simulation.cluster import IMAGE, Cluster, condition, counted, steady
from tests.unit.coordinator.simulation.weather import CALM, Weather


OTHER = "registry.example.com/team/app:v2"
HOUR = 3600.0


def started(pulls: Pulls | None = None) -> Cluster:
    """Return a cluster of six nodes whose ceilings are watched."""
    cluster = Cluster(nodes=6, pulls=pulls)
    Observer(cluster)
    cluster.lead()
    return cluster


def names(cluster: Cluster) -> list[str]:
    """Return the nodes' names."""
    return sorted(cluster.agents)


@pytest.mark.parametrize("kind", ["Always", "Never"])
@pytest.mark.parametrize("seconds", [0.0, 0.01, 3.0, 12.0, 600.0])
def test_another_image_takes_the_place_of_the_first(kind: str, seconds: float) -> None:
    """Whenever the image is edited, each node comes to have the new one, and the old one's entry is withdrawn."""
    cluster = started()
    cluster.job("app", kind=kind, parallelism=2)
    cluster.run(seconds)

    cluster.edit("app", image=OTHER)
    cluster.until(lambda: cluster.has_ended("app") or cluster.is_ready("app"))
    cluster.run(1)

    assert [1] * 6 == [cluster.pulls_of(node, image=OTHER) for node in names(cluster)]
    assert [None] * 6 == [cluster.entry(node) for node in names(cluster)]
    check_tallies(cluster)
    check_quiet(cluster)


@pytest.mark.parametrize("seconds", [0.0, 0.9, 1.0, 30.0, 4 * HOUR])
def test_a_finished_job_that_is_edited_runs_again_exactly_once(seconds: float) -> None:
    """However soon the edit comes, each node is asked once more, and the job ends again."""
    cluster = started()
    cluster.job("app", parallelism=2, imagePullPolicy="Always")
    cluster.until(lambda: cluster.has_ended("app"))
    first = cluster.status("app")["completionTime"]
    cluster.run(seconds)

    cluster.edit("app", parallelism=3)
    cluster.until(lambda: cluster.has_ended("app"))

    assert [2] * 6 == [cluster.pulls_of(node) for node in names(cluster)]
    assert first < cluster.status("app")["startTime"] <= cluster.status("app")["completionTime"]
    check_tallies(cluster)
    check_quiet(cluster)


def test_each_of_two_edits_within_a_second_has_a_failed_node_try_again() -> None:
    """A grant's time has whole seconds, and what is granted after the first edit has the time that the second is of."""
    cluster = started(steady(0.01, reason="Unauthorized"))
    cluster.job("app", kind="Never", parallelism=6, pullPolicy={"backoffLimit": 0})
    cluster.run(3.1)
    before = [cluster.pulls_of(node) for node in names(cluster)]

    for priority in (1, 2):
        cluster.edit("app", prewarm={"priority": priority})
        cluster.run(0.3)

    assert [count + 2 for count in before] == [cluster.pulls_of(node) for node in names(cluster)]
    check_tallies(cluster)


@pytest.mark.parametrize("parallelism", [1, 6])
@pytest.mark.parametrize("seconds", [2.0, 100.0])
def test_a_job_that_comes_to_ask_always_has_each_node_ask(parallelism: int, seconds: float) -> None:
    """After imagePullPolicy became Always each node has asked the registry once more, also where slots are short."""
    cluster = started()
    cluster.job("app", kind="Never", parallelism=parallelism)
    cluster.run(seconds)
    edited_at = cluster.at

    cluster.edit("app", imagePullPolicy="Always")
    cluster.until(lambda: cluster.is_ready("app"))

    last = {node: max(at for _, _, at in cluster.agents[node].pulled) for node in names(cluster)}
    assert [] == [node for node, at in last.items() if at < edited_at]
    assert {"Always"} == {(cluster.entry(node) or {})["imagePullPolicy"] for node in names(cluster)}
    check_tallies(cluster)
    check_quiet(cluster)


def test_more_patience_gives_a_failed_node_another_turn() -> None:
    """A node that failed is tried again at once when the job is edited to wait longer (kruise#2221)."""
    cluster = started(pulls=steady(2, reason="AttemptTimeout"))
    cluster.job("app", kind="Never", parallelism=6, pullPolicy={"timeoutSeconds": 10, "backoffLimit": 0})
    cluster.run(10)
    cluster.pulls = steady(2)

    cluster.edit("app", pullPolicy={"timeoutSeconds": 300})
    cluster.until(lambda: cluster.is_ready("app"), seconds=10)

    assert {300} == {(cluster.entry(node) or {})["pullPolicy"]["timeoutSeconds"] for node in names(cluster)}
    check_quiet(cluster)


def test_an_edit_of_timeouts_reaches_a_running_pull_without_a_new_turn() -> None:
    """The entry's settings change in place: same version, no second pull."""
    cluster = started(pulls=steady(100))
    cluster.job("app", kind="Never", parallelism=6)
    cluster.run(5)
    before = {node: (cluster.entry(node) or {})["version"] for node in names(cluster)}

    cluster.edit("app", pullPolicy={"timeoutSeconds": 1200})
    cluster.run(5)

    assert {1200} == {(cluster.entry(node) or {})["pullPolicy"]["timeoutSeconds"] for node in names(cluster)}
    assert before == {node: (cluster.entry(node) or {})["version"] for node in names(cluster)}
    assert [1] * 6 == [cluster.pulls_of(node) for node in names(cluster)]


def test_a_selector_that_changes_withdraws_from_some_and_grants_to_others() -> None:
    """Who is no longer selected loses the entry, who is now gets it, and the counts follow."""
    cluster = started()
    cluster.job("app", kind="Never", parallelism=6, selector={"names": ["n00", "n01", "n02"]})
    cluster.until(lambda: cluster.is_ready("app"))

    cluster.edit("app", selector={"names": ["n02", "n03"]})
    cluster.until(lambda: cluster.is_ready("app"))

    assert ["n02", "n03"] == [node for node in names(cluster) if cluster.entry(node)]
    assert (2, 0, 0, 0) == counted(cluster.status("app"))
    assert 1 == cluster.pulls_of("n02")
    check_tallies(cluster)
    check_quiet(cluster)


@pytest.mark.parametrize("wanted", [0, "0%"])
def test_parallelism_of_nothing_pauses_and_goes_on(wanted: int | str) -> None:
    """Nothing new begins, what runs ends, and the job goes on when it is raised."""
    cluster = started()
    cluster.job("app", parallelism=2)
    cluster.run(3)

    cluster.edit("app", parallelism=wanted)
    cluster.run(600)
    paused = sum(cluster.pulls_of(node) for node in names(cluster))
    cluster.edit("app", parallelism=6)
    cluster.until(lambda: cluster.has_ended("app"))

    assert 2 == paused
    assert [1] * 6 == [cluster.pulls_of(node) for node in names(cluster)]


def test_a_suspended_job_cancels_and_goes_on_within_its_ceiling() -> None:
    """Suspended, nothing pulls; resumed, the same grants go on, and no others until one has ended."""
    cluster = Cluster(nodes=6, pulls=steady(50))
    observer = Observer(cluster)
    cluster.lead()
    uid = cluster.job("app", kind="Never", parallelism=3)
    cluster.run(10)

    cluster.edit("app", prewarm={"suspend": True})
    cluster.run(300)
    suspended = [node for node in names(cluster) if (cluster.answer(node) or {}).get("reason") == "Suspended"]
    status = cluster.status("app")
    cluster.edit("app", prewarm={"suspend": False})
    cluster.until(lambda: cluster.is_ready("app"))

    assert 3 == len(suspended)
    assert "True" == condition(status, "Suspended")["status"]
    assert 3 == observer.most[uid]
    check_tallies(cluster)
    check_quiet(cluster)


def test_another_owner_of_the_image_goes_on_while_one_is_suspended() -> None:
    """Of two jobs on one image only the suspended one waits."""
    cluster = started(pulls=steady(50))
    cluster.job("held", kind="Never", parallelism=6)
    cluster.job("other", parallelism=6)
    cluster.run(10)

    cluster.edit("held", prewarm={"suspend": True})
    cluster.until(lambda: cluster.has_ended("other"), seconds=100)

    assert (6, 0, 0, 0) == counted(cluster.status("other"))
    assert [1] * 6 == [cluster.pulls_of(node) for node in names(cluster)]


def test_a_job_changed_between_its_list_and_the_start_is_taken_as_it_is_then() -> None:
    """What is edited while a new leader still lists counts as edited."""
    cluster = Cluster(nodes=2, weather=Weather(lag=(1.0, 1.0)))
    cluster.job("app", kind="Never", parallelism=2)
    cluster.lead().weather = CALM

    cluster.edit("app", image=OTHER)
    cluster.until(lambda: cluster.is_ready("app"))

    assert [0, 0] == [cluster.pulls_of(node, image=IMAGE) for node in names(cluster)]
    assert [1, 1] == [cluster.pulls_of(node, image=OTHER) for node in names(cluster)]


def test_an_amended_entry_costs_one_write_a_node() -> None:
    """An edit of settings is written once to each node, and nothing follows."""
    cluster = started()
    cluster.job("app", kind="Never", parallelism=6)
    cluster.until(lambda: cluster.is_ready("app"))
    cluster.run(10)
    before = len(writes_of(cluster))

    cluster.edit("app", prewarm={"priority": 7})
    cluster.run(60)

    assert 6 == sum("nodeimages" in write for write in writes_of(cluster)[before:])
    check_quiet(cluster)


@pytest.mark.parametrize("step", ["edit", "delete", "image"])
@pytest.mark.parametrize("seconds", [0.1, 0.2, 0.3])
def test_an_edit_that_crosses_a_grant_on_its_way_is_not_lost(step: str, seconds: float) -> None:
    """What is granted by the old spec is put right once the answer is there, with no other event."""
    cluster = Cluster(nodes=3, weather=Weather(latency=(0.1, 0.1), lag=(0.01, 0.01)), pulls=steady(600))
    cluster.lead()
    cluster.run(5)
    cluster.job("app", kind="Never", parallelism=3)
    cluster.run(seconds)

    match step:
        case "edit":
            cluster.edit("app", prewarm={"priority": 7})
        case "delete":
            cluster.delete("app")
        case _:
            cluster.edit("app", image=OTHER)
    cluster.run(5)

    entries = [cluster.entry(node) for node in names(cluster)]
    others = [cluster.entry(node, image=OTHER) for node in names(cluster)]
    if step == "edit":
        assert [7] * 3 == [entry["prewarm"]["priority"] for entry in entries if entry]
    else:
        assert [None] * 3 == entries
        assert [step == "image"] * 3 == [bool(other) for other in others]


def test_a_misspelt_time_zone_takes_no_image_off_a_node() -> None:
    """The job says that it needs a person, counts its nodes as before, and goes on with its refresh once mended."""
    cluster = started()
    cluster.job("app", kind="Never", parallelism=6)
    cluster.until(lambda: cluster.is_ready("app"))

    cluster.edit("app", prewarm={"refresh": {"schedule": "0 2 * * *", "timeZone": "Europe/Berln"}})
    cluster.run(60)

    assert "InvalidSpec" == condition(cluster.status("app"), "Stalled")["reason"]
    assert (6, 0, 0, 0) == counted(cluster.status("app"))
    assert None not in [cluster.entry(node) for node in names(cluster)]
    cluster.edit("app", prewarm={"refresh": {"schedule": "0 2 * * *", "timeZone": "Europe/Berlin"}})
    cluster.run(60)
    assert "False" == condition(cluster.status("app"), "Stalled")["status"]
    assert [1] * 6 == [cluster.pulls_of(node) for node in names(cluster)]
