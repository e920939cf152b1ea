"""Whatever order candidates run in, however long each sleeps and whatever is lost on the way, at most one leads."""

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from daemon.cluster.errors import ServerFailed, Unreachable
from daemon.cluster.interface import Write
from daemon.cluster.lease import LeaderElection
from tests.unit.cluster.clock import SetClock
from tests.unit.cluster.leases import NAMESPACE, Leading, Leases


CANDIDATES = 2
HEALTHY_SECONDS = 60


class Step(msgspec.Struct, frozen=True):
    """
    Time that passes for all, and then one candidate that goes on.

    It goes past so many things that can take long, some time each; all others sleep.
    """

    seconds: float
    candidate: int
    halts: int
    each_seconds: float
    fate: str


STEPS = st.lists(
    st.builds(
        Step,
        seconds=st.sampled_from([0.0, 0.0, 0.5, 2.0, 4.0, 6.0, 15.0, 60.0]),
        candidate=st.integers(0, CANDIDATES - 1),
        halts=st.integers(1, 20),
        each_seconds=st.sampled_from([0.0, 0.5, 1.0, 2.0]),
        fate=st.sampled_from(["go", "go", "go", "lose", "refuse", "touch", "stop"]),
    ),
    max_size=40,
)


class Closed(BaseException):
    """The test is over."""


class Candidate(Leading):
    """
    A candidate in a thread that runs only when it is told to, and halts at whatever can take long.

    That is before a request is done, before its answer comes, while sending ends, and between two turns.
    """

    def __init__(self, leases: Leases, clock: SetClock, *, identity: str) -> None:
        super().__init__()
        self.fate = "go"
        self.is_stopping = False
        self.is_ended = False
        self._leases = leases
        self._clock = clock
        self._go = threading.Semaphore(0)
        self._halted = threading.Semaphore(0)
        self._is_closed = False
        self.election = LeaderElection(self, namespace=NAMESPACE, identity=identity, listener=self, clock=clock)
        self._thread = threading.Thread(target=self._live, daemon=True)
        self._thread.start()

    def go_on(self, fate: str = "go") -> None:
        """Let it run until it halts."""
        self.fate = fate
        self.is_stopping = self.is_stopping or fate == "stop"
        if not self.is_ended:
            self._go.release()
            self._halted.acquire()

    def close(self) -> None:
        """End its thread, wherever it is."""
        self._is_closed = True
        self._go.release()
        self._thread.join()

    def fetch(self, path: str, *, query: Mapping[str, str] | None = None, timeout_seconds: float) -> bytes:
        """Pass on a read."""
        with self._under_way():
            return self._leases.fetch(path, query=query, timeout_seconds=timeout_seconds)

    def send(self, write: Write, *, timeout_seconds: float) -> bytes:
        """Pass on a write."""
        with self._under_way():
            return self._leases.send(write, timeout_seconds=timeout_seconds)

    def lost(self) -> None:
        """Take some time to stop sending."""
        super().lost()
        self._halt()

    @contextmanager
    def _under_way(self) -> Iterator[None]:
        self._halt()
        if self.fate == "refuse":
            raise ServerFailed("no quorum", code=503)
        yield
        self._halt()
        if self.fate == "lose":
            raise Unreachable("cut")

    def _live(self) -> None:
        try:
            self._go.acquire()
            self._elect()
        except Closed:
            pass
        finally:
            self.is_ended = True
            self._halted.release()

    def _elect(self) -> None:
        """Do what `run` does, but for its waiting."""
        while not self.is_stopping:
            due_seconds = self._clock.seconds + self.election.turn()
            self._halt()
            while self._clock.seconds < due_seconds and not self.is_stopping:
                self._halt()
        self.election.stop()
        self.election.run()

    def _halt(self) -> None:
        self._halted.release()
        self._go.acquire()
        if self._is_closed:
            raise Closed


@given(steps=STEPS)
@settings(deadline=None, max_examples=400)
def test_never_do_two_lead(steps: Sequence[Step]) -> None:
    """
    Not while one may send, nor while what it sent may be under way; and with a server that answers, one does lead.

    A stopped candidate is followed by another process of the same Pod, under an identity of its own.
    """
    leases, clock = Leases(), SetClock()
    candidates = [Candidate(leases, clock, identity=f"first-{number}") for number in range(CANDIDATES)]
    ended: list[Candidate] = []

    def follow(number: int) -> None:
        if candidates[number].is_ended:
            ended.append(candidates[number])
            candidates[number] = Candidate(leases, clock, identity=f"next-{len(ended)}")

    try:
        _let_lead(candidates[0])
        for step in steps:
            clock.seconds += step.seconds
            if step.fate == "touch" and leases.lease is not None:
                leases.put()
            for _ in range(step.halts):
                clock.seconds += step.each_seconds
                candidates[step.candidate].go_on(step.fate)
                assert_one_leads(candidates)
            follow(step.candidate)

        for _ in range(HEALTHY_SECONDS * 2):
            clock.seconds += 0.5
            for number, candidate in enumerate(candidates):
                candidate.go_on()
                assert_one_leads(candidates)
                follow(number)
        assert 1 == len([candidate for candidate in candidates if candidate.election.may_send()])
    finally:
        for candidate in [*candidates, *ended]:
            candidate.close()


def _let_lead(candidate: Candidate) -> None:
    while not candidate.election.may_send():
        candidate.go_on()


def assert_one_leads(candidates: Sequence[Candidate]) -> None:
    """
    Assert what the promise comes to.

    Requests end a request timeout after `may_send` at most, which is when `is_leading` ends: so this covers them too.
    """
    assert len([candidate for candidate in candidates if candidate.election.is_leading]) <= 1
