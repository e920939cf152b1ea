"""A job's status on a real API server: ours as it is, and on OpenKruise's CRDs without what those do not know."""

from collections.abc import Iterator
from typing import Any, Final

import msgspec
import pytest

from daemon.api.imagepulljob import Refresh
from daemon.coordinator.account import Account
from daemon.coordinator.jobstatus import next_status, said_before, stands, status_patch
from daemon.coordinator.seen import JobProgress, SeenJob
from tests.behaviour.crds_objects import address, job, put
from tests.servers import crds
from tests.servers.apiserver import ApiServer
from tests.servers.apiserver_access import ApiFailed
from tests.servers.fixtures_apiserver import Names
from tests.servers.openkruise.crds import crds as theirs
from tests.unit.coordinator.jobs_told import NEVER, NOW, after, reason, seen_job


Json = dict[str, Any]

DIGEST: Final = "sha256:" + "a" * 64
FULL: Final = Account(
    selected=20,
    warm=8,
    stale=2,
    cold=7,
    skipped=3,
    waiting=3,
    granted=1,
    pulling=2,
    succeeded=8,
    failed=3,
    failed_nodes=("n1", "n2", "n3"),
    failures=(reason("DiskLow", 2, "n1", "n2", message="1 GiB free"), reason("words of a foreign daemon", 1, "n3")),
    skips=(reason("NodeNotReady", 2, "n7", "n8"), reason("NoAgent", 1, "n9", message="a windows node")),
    digests=((DIGEST, 8), ("sha256:" + "b" * 64, 2)),
    bytes_done=9_000_000_000,
    bytes_total=90_000_000_000,
    pull_seconds=12.5,
    limit=3,
    last_refresh=after(-60),
    next_refresh=after(86_400),
    refused=("n4",),
    open_nodes=("n10", "n4", "n5"),
)
NIGHTLY: Final = seen_job(completion=NEVER, refresh=Refresh(schedule="0 2 * * *"))
# What a job's nodes go through, and how: an end by deadline, with no node, by all being skipped or refused.
COURSES: Final[dict[str, tuple[SeenJob, list[Account]]]] = {
    "always": (seen_job(), [Account(selected=2, cold=2, waiting=2), FULL, Account(selected=2, warm=2, succeeded=2)]),
    "never": (NIGHTLY, [FULL, Account(selected=2, warm=2, succeeded=2, next_refresh=after(9)), FULL]),
    "late": (seen_job(), [FULL, FULL]),
    "empty": (seen_job(), [Account()]),
    "stalled": (seen_job(completion=NEVER), [Account(selected=1, skipped=1, skips=(reason("NoAgent", 1, "n"),))]),
    "suspended": (seen_job(suspend=True), [FULL]),
    "unsound": (seen_job(problems=("spec.image: is none",)), [Account()]),
    "refused": (seen_job(), [Account(selected=1, cold=1, waiting=1, refused=("n",))]),
    "many": (
        seen_job(),
        [
            Account(
                selected=5_000,
                cold=5_000,
                failed=5_000,
                failed_nodes=tuple(f"node-{index:04}.{'x' * 53}.example.com" for index in range(1_000)),
                failures=tuple(reason(f"R{index}", 9, message="x" * 9_000) for index in range(20)),
            )
        ],
    ),
}


OURS = pytest.mark.parametrize("installed", ["ours"], indirect=True)
THEIRS = pytest.mark.parametrize("installed", ["1.6", "1.9"], indirect=True)
EACH = pytest.mark.parametrize("name", sorted(COURSES))


class Installed(msgspec.Struct, frozen=True, kw_only=True):
    """A server with CRDs, and the version that is spoken to it."""

    server: ApiServer
    version: str


@pytest.fixture(scope="module")
def installed(apiserver: ApiServer, request: pytest.FixtureRequest) -> Iterator[Installed]:
    """The server with our CRDs, or with those of an OpenKruise."""
    release = str(request.param)
    wanted = crds.ours() if release == "ours" else theirs(release)
    crds.install(apiserver, wanted)
    yield Installed(server=apiserver, version="v1alpha1" if release == "1.6" else "v1beta1")
    crds.remove(apiserver, wanted)


def _as_stored(told: SeenJob, stored: Json, *, generation: int = 1) -> SeenJob:
    """Return a job as the coordinator sees it in the API server."""
    fields = {name: getattr(told, name) for name in told.__struct_fields__}
    fields |= {"status": JobProgress(raw=stored.get("status", {})), "generation": generation}
    return SeenJob(**{**fields, "version": int(stored["metadata"]["resourceVersion"])})


def _write(installed: Installed, seen: SeenJob, wanted: Json, *, stored: Json) -> Json:
    path = f"{address(stored, version=installed.version)}/status"
    return installed.server.request("PATCH", path, status_patch(seen, wanted))


@OURS
@EACH
def test_our_crds_take_every_status_as_it_is(name: str, installed: Installed, names: Names) -> None:
    """Whatever a job goes through: nothing is refused, dropped or rounded, and what has vanished is gone."""
    told, course = COURSES[name]
    stored = put(installed.server, job(), name=names(name))

    for index, account in enumerate(course):
        seen = _as_stored(told, stored)
        is_late = name == "late" and index > 0
        wanted = next_status(seen, account, now=after(index), deadline_passed=is_late)
        stored = _write(installed, seen, wanted, stored=stored)

        assert wanted == stored["status"]
        assert stands(wanted, current=stored["status"])


@OURS
def test_a_job_that_begins_again_is_taken(installed: Installed, names: Names) -> None:
    """Its completionTime goes, in one write."""
    stored = put(installed.server, job(), name=names("again"))
    first = _as_stored(seen_job(), stored)
    ended = next_status(first, Account(selected=1, warm=1, succeeded=1), now=NOW, deadline_passed=False)
    stored = _write(installed, first, ended, stored=stored)

    second = _as_stored(seen_job(), stored, generation=2)
    again = next_status(second, Account(), now=NOW, deadline_passed=False)
    stored = _write(installed, second, again, stored=stored)

    assert again == stored["status"]
    assert "completionTime" not in stored["status"]


@THEIRS
@EACH
def test_their_crds_take_it_and_it_is_not_written_again(name: str, installed: Installed, names: Names) -> None:
    """Our fields are dropped there; the answer is known for what it is, and times of conditions stay."""
    told, course = COURSES[name]
    stored = put(installed.server, job(), name=names(name), version=installed.version)
    sent: Json | None = None
    answered: Json | None = None

    for index, account in enumerate(course):
        seen = _as_stored(told, stored)
        said = said_before(seen.status.raw, sent=sent, answered=answered)
        wanted = next_status(seen, account, now=after(index), deadline_passed=index > 1, earlier=said)
        stored = _write(installed, seen, wanted, stored=stored)
        sent, answered = wanted, stored["status"]

    seen = _as_stored(told, stored)
    said = said_before(seen.status.raw, sent=sent, answered=answered)
    later = next_status(seen, course[-1], now=after(99), deadline_passed=False, earlier=said)
    assert "prewarm" not in stored["status"]
    assert stored["status"] == {key: value for key, value in said.items() if key in stored["status"]}
    assert stands(later, current=stored["status"], sent=sent, answered=answered)


@OURS
def test_a_status_for_an_older_job_is_refused(installed: Installed, names: Names) -> None:
    """Whoever has written meanwhile is not written over."""
    stored = put(installed.server, job(), name=names("older"))
    seen = _as_stored(seen_job(), stored)
    wanted = next_status(seen, FULL, now=NOW, deadline_passed=False)
    _write(installed, seen, wanted, stored=stored)

    with pytest.raises(ApiFailed, match="409"):
        _write(installed, seen, {**wanted, "desired": 1}, stored=stored)
