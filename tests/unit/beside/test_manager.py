"""A manager leads while its Lease is written again and again, whatever the Lease says of times."""

import pytest

from daemon.beside.manager import Manager, ManagerWatch, Renewal
from daemon.cluster.errors import Denied, ServerFailed, Unreachable
from tests.unit.beside.cluster import HOLDER, Cluster
from tests.unit.cluster.clock import SetClock


class Seen:
    """A watch of a cluster, whose clock the test moves."""

    def __init__(self) -> None:
        self.cluster = Cluster()
        self.clock = SetClock()
        self._watch = ManagerWatch(self.cluster, clock=self.clock)

    def look(self, *, after_seconds: float = 0.0) -> Manager:
        """Look again."""
        self.clock.seconds += after_seconds
        return self._watch.look(timeout_seconds=1)

    def renewal(self, *, after_seconds: float = 0.0) -> Renewal:
        """Look again, for that alone."""
        return self.look(after_seconds=after_seconds).renewal


@pytest.fixture
def seen() -> Seen:
    """No Lease yet."""
    return Seen()


def test_no_lease_is_nobody_at_once(seen: Seen) -> None:
    """Where OpenKruise never was, one read is all."""
    assert Manager(renewal=Renewal.NOBODY) == seen.look()
    assert ["lease"] == seen.cluster.asked


def test_a_released_lease_is_nobody_at_once(seen: Seen) -> None:
    """A manager that was told to end has said so."""
    seen.cluster.renew(1, holder="")

    assert Renewal.NOBODY is seen.renewal()


def test_a_lease_without_renewals_is_nobodys_after_what_it_promised(seen: Seen) -> None:
    """It outlives its manager for ever; a time in it, here one to come, proves nothing."""
    seen.cluster.renew(1)
    seen.cluster.lease = {**(seen.cluster.lease or {}), "renewTime": "2099-01-01T00:00:00Z"}

    first = seen.look()
    later = seen.look(after_seconds=14.9)
    last = seen.look(after_seconds=0.1)

    assert Manager(renewal=Renewal.UNDECIDED, holder=HOLDER, left_seconds=15) == first
    assert Renewal.UNDECIDED is later.renewal
    assert Manager(renewal=Renewal.SILENT, holder=HOLDER) == last


def test_a_lease_that_promises_years_is_nobodys_after_a_minute_without_renewals(seen: Seen) -> None:
    """Written once, it would keep everybody from leading for ever."""
    seen.cluster.renew(1, seconds=2**31 - 1)
    seen.look()

    assert [Renewal.UNDECIDED, Renewal.SILENT] == [seen.renewal(after_seconds=seconds) for seconds in (59.9, 0.1)]


def test_a_renewal_is_known_by_the_next_look(seen: Seen) -> None:
    """It leads as long as each look finds another record than the last one within what it promised."""
    seen.cluster.renew(1)
    found = [seen.renewal()]

    for number in range(2, 5):
        seen.cluster.renew(number)
        found.append(seen.renewal(after_seconds=5))

    assert [Renewal.UNDECIDED, Renewal.RENEWED, Renewal.RENEWED, Renewal.RENEWED] == found


def test_a_manager_that_stops_renewing_leads_no_more_after_what_it_promised(seen: Seen) -> None:
    """By its own duration, and it leads again once it renews."""
    seen.cluster.renew(1, seconds=30)
    seen.look()
    seen.cluster.renew(2, seconds=30)
    seen.look(after_seconds=5)

    found = [seen.renewal(after_seconds=29), seen.renewal(after_seconds=1)]
    seen.cluster.renew(3, seconds=30)
    found.append(seen.renewal(after_seconds=100))

    assert [Renewal.RENEWED, Renewal.SILENT, Renewal.RENEWED] == found


def test_a_lease_that_comes_to_be_was_written_just_now(seen: Seen) -> None:
    """An OpenKruise that is installed later leads from its first record on."""
    seen.look()
    seen.cluster.renew(1)

    assert Renewal.RENEWED is seen.renewal(after_seconds=5)


def test_a_lease_that_may_not_be_read_is_hidden(seen: Seen) -> None:
    """Which is an answer: the words name the right."""
    seen.cluster.lease_error = Denied("get leases: HTTP 403: cannot get resource", code=403)

    assert Manager(renewal=Renewal.HIDDEN, words="get leases: HTTP 403: cannot get resource") == seen.look()


def test_a_look_that_fails_is_none(seen: Seen) -> None:
    """What is away says nothing, and nothing is forgotten meanwhile."""
    seen.cluster.renew(1)
    seen.look()
    seen.cluster.lease_error = Unreachable("get leases: no answer in time")
    with pytest.raises(Unreachable):
        seen.look(after_seconds=5)
    seen.cluster.lease_error = None

    assert Renewal.SILENT is seen.renewal(after_seconds=10)


def test_a_lease_that_is_none_is_a_failure_of_the_server(seen: Seen) -> None:
    """No guess is made of what can't be read, and its words say where it is."""
    seen.cluster.lease = {"holderIdentity": 3}

    with pytest.raises(ServerFailed, match="leases/kruise-manager"):
        seen.look()
