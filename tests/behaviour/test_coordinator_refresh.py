"""When a Never job's images are asked for again: each day, at a set hour, when somebody says so, after a failure."""

import datetime as dt
from collections.abc import Callable

import pytest

from tests.servers.fixtures_coordinator import Jobs, Nodes
from tests.servers.jobs import JobOnServer, counted, failures, job, said, totals
from tests.servers.nodeimages import NodeImageOnServer
from tests.servers.objects import Json
from tests.servers.processes import until
from tests.servers.scripted_agents import Fails, Pulls, ScriptedAgents, Succeeds


pytestmark = pytest.mark.usefixtures("coordinator")

REPOSITORY = "registry.test/base"
IMAGE = f"{REPOSITORY}:latest"
NEW = "sha256:" + "2" * 64
HOUR = dt.timedelta(hours=1)


def now() -> dt.datetime:
    """Return this moment in whole seconds."""
    return dt.datetime.now(tz=dt.UTC).replace(microsecond=0)


def soon() -> dt.datetime:
    """Return a time after all grants so far, which are written in whole seconds."""
    return now() + dt.timedelta(seconds=1)


def text(at: dt.datetime) -> str:
    """Return a time as it is written."""
    return f"{at:%Y-%m-%dT%H:%M:%SZ}"


def refresh(**fields: str | int) -> Json:
    """Return an edit of a job's refresh."""
    return {"prewarm": {"refresh": fields}}


def renewed(made: JobOnServer, *, nodes: int) -> Json:
    """Return the job's status once every node has the new digest."""

    def is_new(status: Json) -> bool:
        return [{"digest": NEW, "nodes": nodes}] == status["prewarm"].get("digests") and said(status, "Ready") == "True"

    return made.until(is_new, what="every node has the new image")


def was_granted(node_image: NodeImageOnServer, at: dt.datetime) -> None:
    """Make a node's entry look as old as that: what time alone would do."""
    node_image.until_object(lambda found: bool(found["spec"].get("images")), what="has an entry")
    (found,) = node_image.read()["spec"]["images"][REPOSITORY]["tags"]
    node_image.want(REPOSITORY, {**found, "createdAt": text(at)})


@pytest.fixture
def warm(nodes: Nodes, agents: ScriptedAgents, jobs: Jobs) -> Callable[..., JobOnServer]:
    """Make a job with two warm nodes, on which the tag moves then."""

    def make(*, policy: str = "Always", **fields: str | int) -> JobOnServer:
        told = [agents.serve(node.name) for node in nodes(2)]
        edit = refresh(**fields) if fields else {}
        spec = job(IMAGE, kind="Never", selector=nodes.selector, parallelism=2, imagePullPolicy=policy, **edit)
        made = jobs(spec)
        made.until_ready(nodes=2)
        for agent in told:
            agent.says(Succeeds(NEW))
        return made

    return make


def test_an_edit_renews_now(warm: Callable[..., JobOnServer]) -> None:
    """With `at`, every node that was granted before it is asked again; two events and a time tell of it."""
    made = warm()
    at = soon()

    made.edit(refresh(at=text(at)))
    status = renewed(made, nodes=2)
    started = made.until_event(lambda event: event["reason"] == "RefreshStarted")
    finished = made.until_event(lambda event: event["reason"] == "RefreshFinished")

    assert at <= dt.datetime.fromisoformat(status["prewarm"]["lastRefreshTime"]) <= now()
    assert ["Normal", "Normal"] == [started["type"], finished["type"]]


def test_an_at_that_has_been_answered_renews_no_second_time(
    warm: Callable[..., JobOnServer], nodes: Nodes, agents: ScriptedAgents
) -> None:
    """What was granted after it stays; a node that joins later is served once."""
    made = warm()
    made.edit(refresh(at=text(soon())))
    renewed(made, nodes=2)
    versions = [nodes.image(node).read()["spec"]["images"][REPOSITORY]["tags"][0]["version"] for node in nodes.made]

    (third,) = nodes()
    agent = agents.serve(third.name, Succeeds(NEW))
    renewed(made, nodes=3)

    assert 1 == len(agent.begun)
    assert versions == [
        nodes.image(node).read()["spec"]["images"][REPOSITORY]["tags"][0]["version"] for node in nodes.made[:2]
    ]


def test_each_node_is_renewed_a_day_after_its_last_grant(warm: Callable[..., JobOnServer], nodes: Nodes) -> None:
    """Without a schedule; a node whose last grant is younger than that stays as it is."""
    made = warm()
    old, young = nodes.made

    was_granted(nodes.image(old), now() - dt.timedelta(hours=24, minutes=11))
    was_granted(nodes.image(young), now() - dt.timedelta(hours=23, minutes=45))
    status = made.until(
        lambda status: {NEW, Succeeds().digest} == {one["digest"] for one in status["prewarm"]["digests"]},
        what="one node is renewed",
    )
    coming = made.until(lambda status: (2, 0, 2, 0) == totals(status), what="is done")["prewarm"]["nextRefreshTime"]

    assert "completionTime" not in status
    assert dt.timedelta() < dt.datetime.fromisoformat(coming) - now() < dt.timedelta(minutes=26)


def test_a_fire_that_was_missed_is_made_up_for(warm: Callable[..., JobOnServer], nodes: Nodes) -> None:
    """A coordinator that was down at the hour renews when it is there: the last grant is older than the last fire."""
    hour = now() - HOUR
    made = warm(schedule=f"{hour.minute} {hour.hour} * * *")

    for node in nodes.made:
        was_granted(nodes.image(node), hour - HOUR)
    status = renewed(made, nodes=2)

    assert hour + dt.timedelta(hours=23) < dt.datetime.fromisoformat(status["prewarm"]["nextRefreshTime"])


def test_a_fire_that_is_too_old_to_start_is_left_to_the_next(warm: Callable[..., JobOnServer], nodes: Nodes) -> None:
    """After startingDeadlineSeconds nothing starts; the next fire is told."""
    hour = now() - HOUR
    made = warm(schedule=f"{hour.minute} {hour.hour} * * *", startingDeadlineSeconds=600)
    expected = hour.replace(second=0) + dt.timedelta(days=1)

    for node in nodes.made:
        was_granted(nodes.image(node), hour - HOUR)
    made.edit({"parallelism": 3})
    status = made.until(lambda status: status["observedGeneration"] == 2, what="has looked at it again")

    assert expected == dt.datetime.fromisoformat(status["prewarm"]["nextRefreshTime"])
    assert [{"digest": Succeeds().digest, "nodes": 2}] == status["prewarm"]["digests"]


@pytest.mark.timeout(180)
def test_a_schedule_renews_at_its_minute_over_its_spread(warm: Callable[..., JobOnServer], nodes: Nodes) -> None:
    """No node before the minute, each at its own place after it, the same for every job."""
    fire = (now() + dt.timedelta(seconds=65)).replace(second=0)
    made = warm(schedule=f"{fire.minute} {fire.hour} * * *", spreadSeconds=4)

    status = made.until(
        lambda status: [{"digest": NEW, "nodes": 2}] == status["prewarm"].get("digests"),
        what="every node has the new image",
        timeout_seconds=120,
    )
    granted = [
        dt.datetime.fromisoformat(nodes.image(node).read()["spec"]["images"][REPOSITORY]["tags"][0]["createdAt"])
        for node in nodes.made
    ]

    assert all(fire <= at <= fire + dt.timedelta(seconds=10) for at in granted)
    assert fire <= dt.datetime.fromisoformat(status["prewarm"]["lastRefreshTime"])


def test_a_refresh_asks_the_registry_under_if_not_present_too(
    warm: Callable[..., JobOnServer], nodes: Nodes, agents: ScriptedAgents
) -> None:
    """The entry has the job's own policy: whether it is there is asked anew, the registry is not."""
    made = warm(policy="IfNotPresent")

    made.edit(refresh(at=text(soon())))
    renewed(made, nodes=2)

    assert {"IfNotPresent"} == {
        nodes.image(node).read()["spec"]["images"][REPOSITORY]["tags"][0]["imagePullPolicy"] for node in nodes.made
    }


def test_a_node_whose_refresh_failed_is_stale_and_not_cold(
    warm: Callable[..., JobOnServer], nodes: Nodes, agents: ScriptedAgents
) -> None:
    """It has the older image still; the reason, the node and the next try are told, and the job is not Ready."""
    made = warm()
    bad, good = nodes.made
    agents.serve(bad.name).says(Fails("RegistryUnavailable", "connection refused"))

    made.edit(refresh(at=text(soon())))
    status = made.until(lambda status: (1, 1, 0, 0) == counted(status) and totals(status)[3] == 1, what="one is stale")
    (failure,) = status["prewarm"]["failures"]

    assert {"RegistryUnavailable": [bad.name]} == failures(status)
    assert "connection refused" in failure["message"]
    assert dt.timedelta() < dt.datetime.fromisoformat(failure["retryTime"]) - now() <= dt.timedelta(seconds=61)
    assert "True" != said(status, "Ready")
    assert [bad.name] == status["failedNodes"]
    assert good.name not in status["failedNodes"]


def test_a_cold_node_has_its_turn_before_a_stale_one(nodes: Nodes, agents: ScriptedAgents, jobs: Jobs) -> None:
    """Who has nothing goes first, whatever the refresh still has to do."""
    stale = [agents.serve(node.name) for node in nodes(3)]
    made = jobs(job(IMAGE, kind="Never", selector=nodes.selector, imagePullPolicy="Always"))
    made.until_ready(nodes=3)
    for agent in stale:
        agent.says(Pulls())
    made.edit(refresh(at=text(soon())))
    made.until(lambda status: (3, 1, 0, 0) == totals(status), what="one of them is renewed, two wait")

    (node,) = nodes()
    cold = agents.serve(node.name, Pulls())
    made.until(lambda status: status["desired"] == 4, what="counts the new one")
    (first,) = (agent for agent in stale if len(agent.begun) == 2)
    first.says(Succeeds(NEW))
    until(lambda: len(cold.begun) == 1, what="the cold one has its turn", timeout_seconds=10)
    meanwhile = [len(agent.begun) for agent in stale if agent is not first]
    for agent in (*stale, cold):
        agent.says(Succeeds(NEW))
    renewed(made, nodes=4)

    assert [1, 1] == meanwhile


def test_an_image_that_cannot_be_had_is_tried_hourly(nodes: Nodes, agents: ScriptedAgents, jobs: Jobs) -> None:
    """A permanent reason does not change within minutes."""
    (node,) = nodes()
    agents.serve(node.name, Fails("PlatformMismatch"))

    made = jobs(job(IMAGE, kind="Never", selector=nodes.selector))
    status = made.until(lambda status: (1, 0, 0, 1) == totals(status), what="has failed")
    at = dt.datetime.fromisoformat(status["prewarm"]["failures"][0]["retryTime"])

    assert dt.timedelta(minutes=59) < at - now() <= dt.timedelta(minutes=60, seconds=1)


@pytest.mark.timeout(180)
def test_a_failed_node_has_a_new_round_after_a_minute(nodes: Nodes, agents: ScriptedAgents, jobs: Jobs) -> None:
    """A Never job is never final (8.2 number 5): by itself it tries again, and the entry counts its rounds."""
    (node,) = nodes()
    agent = agents.serve(node.name, Fails())
    made = jobs(job(IMAGE, kind="Never", selector=nodes.selector))
    failed = made.until(lambda status: (1, 0, 0, 1) == totals(status), what="has failed")
    (first,) = nodes.image(node).read()["spec"]["images"][REPOSITORY]["tags"]

    agent.says(Succeeds())
    made.until_ready(nodes=1, timeout_seconds=90)
    (second,) = nodes.image(node).read()["spec"]["images"][REPOSITORY]["tags"]
    waited = dt.datetime.fromisoformat(second["createdAt"]) - dt.datetime.fromisoformat(first["createdAt"])

    assert "completionTime" not in failed
    assert (0, 1) == (first.get("prewarm", {}).get("round", 0), second["prewarm"]["round"])
    assert dt.timedelta(seconds=59) <= waited <= dt.timedelta(seconds=75)
    assert first["version"] < second["version"]
