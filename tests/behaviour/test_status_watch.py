"""`prewarm status --watch` on a real API server: what changes is told, on a terminal it is drawn, until Ctrl-C."""

import contextlib
import os
import pty
import signal
import subprocess

import pytest

from tests.behaviour.status_objects import PULLING, REPOSITORY, ago, has_image, make_node, told
from tests.servers.apiserver import ApiServer
from tests.servers.fixtures_apiserver import Names
from tests.servers.fixtures_persons import MakeJob
from tests.servers.persons import Person
from tests.servers.processes import until


def test_watched_it_tells_what_changes_until_ctrl_c(with_roles: ApiServer, viewer: Person, make_job: MakeJob) -> None:
    """The table, then each line that says something else, once, and that there is no job any more; then code 130."""
    made = make_job("base", told(1, 2))

    with viewer.following("status") as following:
        following.until("base", "1/3")
        made.edit({"prewarm": {"suspend": True}})
        following.until("base", "Unobserved")
        made.delete()
        following.until("base: gone")
        code = following.interrupt()

    assert 130 == code
    assert 5 == len(following.lines), following.lines


def test_a_job_that_goes_away_ends_its_watch(viewer: Person, make_job: MakeJob) -> None:
    """There is nothing more to see; code 1."""
    made = make_job("base", told(1, 2))

    with viewer.following("status", "base") as following:
        following.until("Ready: 33%, 1/3 nodes")
        made.delete()
        code = following.ended()

    assert 1 == code
    assert "there is no ImagePullJob" in following.lines[-1]


def test_a_watch_goes_on_over_an_outage(with_roles: ApiServer, viewer: Person, make_job: MakeJob) -> None:
    """It says that what it shows may be old, and shows what is new when the server is back."""
    made = make_job("base", told(1, 2))

    with viewer.following("status") as following:
        following.until("1/3")
        with_roles.stop()
        try:
            following.until("this may be old")
        finally:
            with_roles.start()
        made.edit({"parallelism": 3})
        following.until("base", "Unobserved")

        assert 130 == following.interrupt()


def test_all_nodes_are_watched_with_what_may_be_read(
    with_roles: ApiServer, viewer: Person, make_job: MakeJob, names: Names
) -> None:
    """Each that is not warm, and what comes of it; that Nodes may not be read keeps nothing back."""
    name = names("node")
    made = make_job("base", told(0, 1), selector={"names": [name]})
    make_job("other", told(0, 1), selector={"names": [name]})
    image = make_node(with_roles, name, made, **PULLING)

    with viewer.following("status", "nodes") as following:
        following.until(f"not warm: {name}", "   0/")
        following.until("you may not list Nodes")
        path = f"/status/imageStatuses/{REPOSITORY.replace('/', '~1')}/tags/0"
        answer = {"tag": "v1", "version": 1, "startTime": ago(30), **has_image()}
        image.patch_status({"op": "replace", "path": path, "value": answer})
        following.until(f"not warm: {name}", "   1/")

        assert 130 == following.interrupt()


@pytest.mark.parametrize("variables", [{}, {"NO_COLOR": "1"}], ids=["in colours", "NO_COLOR"])
def test_on_a_terminal_the_page_is_drawn_in_place(
    with_roles: ApiServer, viewer: Person, make_job: MakeJob, names: Names, variables: dict[str, str]
) -> None:
    """With live bars, and the cursor is shown again at the end; colours only where they are wanted."""
    made = make_job("base", told(0, 1), selector={"names": []})
    name = names("node")
    image = make_node(with_roles, name, made, **PULLING)
    ours_end, theirs = pty.openpty()
    environment = viewer.environment({"TERM": "xterm", "LINES": "40", **variables})

    with subprocess.Popen(
        viewer.command("status", "base", "--watch"), stdin=theirs, stdout=theirs, stderr=theirs, env=environment
    ) as child:
        os.close(theirs)
        os.set_blocking(ours_end, False)
        drawn = bytearray()

        def has(words: str) -> bool:
            # Nothing to read now; or the other end is closed.
            with contextlib.suppress(OSError):
                drawn.extend(os.read(ours_end, 1 << 16))
            return words.encode() in drawn

        until(lambda: has("━" * 10), what="a bar", timeout_seconds=30)
        progress = f"/status/imageStatuses/{REPOSITORY.replace('/', '~1')}/tags/0/progress"
        image.patch_status({"op": "replace", "path": progress, "value": 75})
        until(lambda: has("75%"), what="the new state", timeout_seconds=30)
        child.send_signal(signal.SIGINT)
        code = child.wait(30)
        until(lambda: has("\x1b[?25h"), what="the cursor", timeout_seconds=5)
    os.close(ours_end)

    assert 130 == code
    assert ("NO_COLOR" not in variables) == (b"\x1b[32m" in drawn)
