"""The loop brings images to a node, at a real socket."""

import threading
from functools import partial

import grpc
import msgspec
import pytest

from daemon.api.credential import Credential
from daemon.api.nodeimage import Phase
from daemon.api.reasons import Reason
from daemon.credentials.problem import CredentialProblem
from daemon.node.report import report_of
from tests.servers.scripted_cri import ScriptedCri
from tests.unit.node.running_node import DEADLINE_SECONDS, Offered, RunningNode, SetClock
from tests.unit.node.virtual_node import image


APP = "registry.example/app:v1"


def is_running(cri: ScriptedCri, at_once: int) -> bool:
    """Tell whether so many pulls are under way."""
    return at_once == len(cri.running())


def test_twenty_images_on_two_slots_never_run_three_at_once(cri: ScriptedCri) -> None:
    """Each end lets the next begin, and all come to the node."""
    names = [f"app{number}" for number in range(20)]
    cri.hold(*(image(name).image for name in names))

    with RunningNode(cri.endpoint, slots=2) as node:
        node.want(*(image(name) for name in names))
        for left in range(20, 0, -1):
            at_once = min(left, 2)
            cri.wait_until(partial(is_running, cri, at_once), what=f"{at_once} pulls at once")
            cri.finish(cri.running()[0].image)
        for name in names:
            node.wait_for_phase(Phase.SUCCEEDED, name=name)

    assert 2 == cri.most_at_once
    assert 20 == len(cri.pulls)


def test_an_image_that_is_there_is_not_pulled(cri: ScriptedCri) -> None:
    """IfNotPresent asks ImageStatus for that one image."""
    with RunningNode(cri.endpoint) as node:
        node.want(image())
        node.wait_for_phase(Phase.SUCCEEDED)

        node.want(image(version=2))
        node.wait_for_phase(Phase.SUCCEEDED, version=2)

    assert 1 == len(cri.pulls)
    task = node.task()
    assert (False, True) == (task.is_changed, task.image_id.startswith("registry.example/app@sha256:"))


def test_always_asks_the_registry_every_time_and_tells_whether_the_digest_changed(cri: ScriptedCri) -> None:
    """A tag that was moved is fetched anew; one that was not is no change."""
    with RunningNode(cri.endpoint) as node:
        node.want(image(policy="Always"))
        node.wait_for_phase(Phase.SUCCEEDED)
        first = node.task()

        node.want(image(version=2, policy="Always"))
        node.wait_for_phase(Phase.SUCCEEDED, version=2)
        same = node.task()

        cri.push(APP)
        node.want(image(version=3, policy="Always"))
        node.wait_for_phase(Phase.SUCCEEDED, version=3)
        moved = node.task()

    assert 3 == len(cri.pulls)
    assert (True, False, True) == (first.is_changed, same.is_changed, moved.is_changed)
    assert first.digest == same.digest
    assert moved.digest not in {"", same.digest}


def test_the_sandbox_settings_go_with_the_pull(cri: ScriptedCri) -> None:
    """As the NodeImage has them."""
    with RunningNode(cri.endpoint) as node:
        node.want(image(sandbox_labels={"team": "blue"}))
        node.wait_for_phase(Phase.SUCCEEDED)

    assert {"team": "blue"} == cri.pulls[0].labels


def test_the_right_credential_among_wrong_ones_serves_and_no_secret_is_told(cri: ScriptedCri) -> None:
    """All fitting credentials are tried in order within one attempt, and a runtime that repeats them tells nobody."""
    passwords = ("wrong-horse", "wrong-battery", "right-staple", "never-tried")
    offered = Offered(*(Credential(username="robot", password=password) for password in passwords))
    cri.demand(APP, password="right-staple")

    with RunningNode(cri.endpoint, credentials=offered) as node:
        node.want(image())
        node.wait_for_phase(Phase.SUCCEEDED)

    assert ["wrong-horse", "wrong-battery", "right-staple"] == [pull.password for pull in cri.pulls]
    assert 1 == node.task().attempt
    assert_tells_none_of(node, passwords)


def test_credentials_that_are_all_wrong_are_unauthorized_and_not_told(cri: ScriptedCri) -> None:
    """The runtime's words reach the status without what was asked with."""
    offered = Offered(Credential(username="robot", password="wrong-horse"), Credential(identity_token="wrong-token"))
    cri.demand(APP, password="right-staple")

    with RunningNode(cri.endpoint, credentials=offered) as node:
        node.want(image(backoff_limit=0))
        node.wait_for_phase(Phase.FAILED)

    task = node.task()
    assert Reason.UNAUTHORIZED is task.reason
    assert "401 Unauthorized" in task.message
    assert_tells_none_of(node, ("wrong-horse", "wrong-token", "right-staple"))


def assert_tells_none_of(node: RunningNode, secrets: tuple[str, ...]) -> None:
    """Look for secrets in every state and report that there was."""
    for state in node.states:
        statuses = list(report_of(state).statuses.values())
        told = f"{state!r} {report_of(state)!r} {msgspec.json.encode(statuses).decode()}"
        assert [] == [secret for secret in secrets if secret in told]


def test_a_refused_pull_is_retried_and_its_words_are_told_meanwhile(cri: ScriptedCri) -> None:
    """The reason is the runtime's, and the next attempt may succeed."""
    cri.refuse(APP, code=grpc.StatusCode.UNKNOWN, words="dial tcp 10.0.0.1:443: connect: connection refused")
    clock = SetClock()

    with RunningNode(cri.endpoint, clock=clock) as node:
        node.want(image())
        node.wait_for_reason(Reason.REGISTRY_UNAVAILABLE)
        task = node.task()

        clock.advance(30)
        node.plan_again()
        node.wait_for_phase(Phase.SUCCEEDED)

    assert (Phase.WAITING, Reason.REGISTRY_UNAVAILABLE, 1) == (task.phase, task.reason, task.attempt)
    assert "connection refused" in task.message
    assert 2 == node.task().attempt


def test_below_the_disk_floor_nothing_is_fetched_until_there_is_space(cri: ScriptedCri) -> None:
    """It waits with DiskLow and without spending an attempt; the floor is asked before every pull that may fetch."""
    clock = SetClock()

    with RunningNode(cri.endpoint, clock=clock) as node:
        node.want(image(min_free="1000P"))
        node.wait_for_reason(Reason.DISK_LOW)
        assert [] == cri.pulls
        assert 0 == node.task().attempt

        node.want(image())
        clock.advance(2)
        node.plan_again()
        node.wait_for_phase(Phase.SUCCEEDED)

    assert 1 == len(cri.pulls)


def test_a_pull_is_cancelled_when_the_disk_falls_below_the_floor(
    cri: ScriptedCri, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The floor is watched while it pulls; here the images come to lie where there is not one free byte."""
    monkeypatch.setattr("daemon.node.attempt.SAMPLE_SECONDS", 0.01)
    monkeypatch.setattr("daemon.node.attempt.SPACE_CHECK_SECONDS", 0.0)
    cri.hold(APP)

    with RunningNode(cri.endpoint, clock=SetClock()) as node:
        node.want(image(min_free="1"))
        cri.wait_until(lambda: is_running(cri, 1), what="a pull under way")
        cri.mountpoint = "/proc"
        node.wait_for_reason(Reason.DISK_LOW)
        cri.wait_until(lambda: [True] == [pull.is_cancelled for pull in cri.pulls], what="one cancelled pull")

    assert 0 == node.task().attempt


def test_an_image_removed_under_a_standing_entry_comes_back(cri: ScriptedCri, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the runtime tells of no removals, a look each minute (here: at once) finds it."""
    monkeypatch.setattr("daemon.node.warmth.LOOK_SECONDS", 0.02)

    with RunningNode(cri.endpoint, is_kept_warm=True) as node:
        node.want(image())
        node.wait_for_phase(Phase.SUCCEEDED)

        cri.remove(APP)
        cri.wait_until(lambda: 2 == len(cri.pulls), what="a second pull")
        node.wait_for_phase(Phase.SUCCEEDED)

    assert {1} == {status.version for status in report_of(node.state).statuses.values()}


def test_a_search_for_credentials_is_told_of_the_withdrawal(cri: ScriptedCri) -> None:
    """A slow plugin holds nothing up."""
    asked = threading.Event()

    def search(cancelled: threading.Event) -> None:
        asked.set()
        assert cancelled.wait(timeout=DEADLINE_SECONDS)

    with RunningNode(cri.endpoint, credentials=Offered(search=search)) as node:
        node.want(image())
        assert asked.wait(timeout=DEADLINE_SECONDS)
        node.want()
        node.wait_until(lambda state: not state.leaving and not state.tasks, what="the end of the worker")


def test_what_is_wrong_with_a_source_explains_a_refusal(cri: ScriptedCri) -> None:
    """A secret that cannot be read is the likely cause of a 401, which the registry cannot know."""
    problem = CredentialProblem(source="secret team/registry", message="is not JSON")
    cri.demand(APP, password="right-staple")

    with RunningNode(cri.endpoint, credentials=Offered(problems=(problem,))) as node:
        node.want(image(backoff_limit=0))
        node.wait_for_phase(Phase.FAILED)

    message = node.task().message
    assert "no credential matches, asked anonymously; secret team/registry: is not JSON" in message


def test_an_older_image_removed_while_its_new_version_waits_is_told(
    cri: ScriptedCri, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The imageID of a suspended task is what lies on the node now: nothing."""
    monkeypatch.setattr("daemon.node.warmth.LOOK_SECONDS", 0.02)

    with RunningNode(cri.endpoint, is_kept_warm=True) as node:
        node.want(image())
        node.wait_for_phase(Phase.SUCCEEDED)
        node.want(image(version=2, is_suspended=True))
        node.wait_for_phase(Phase.WAITING, version=2)
        assert node.task().image_id

        cri.remove(APP)
        node.wait_until(lambda state: not state.tasks[image().key].image_id, what="an empty imageID")

    assert 1 == len(cri.pulls)
