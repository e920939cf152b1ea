"""What ends an agent: the first of a signal and a part's death; what becomes of signals afterwards."""

import os
import signal
from collections.abc import Iterator

import pytest

from daemon.ending import Died, Ending, Signalled


SIGNALS = (signal.SIGINT, signal.SIGTERM)


@pytest.fixture(autouse=True)
def _handlers_again() -> Iterator[None]:
    """The test's own process goes on after what ends here."""
    before = {number: signal.getsignal(number) for number in SIGNALS}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_ends_it(number: signal.Signals) -> None:
    """Both that a person or a kubelet sends; nothing is raised in the midst of something."""
    with Ending() as ending:
        os.kill(os.getpid(), number)

        assert Signalled(number) == ending.wait()


def test_a_part_that_dies_ends_it() -> None:
    """With its name and its error."""
    error = ZeroDivisionError()

    with Ending() as ending:
        ending.died("watch", error)

        assert Died("watch", error) == ending.wait()


def test_the_first_cause_counts() -> None:
    """A second signal, or a part that fails because the process ends, changes nothing."""
    with Ending() as ending:
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGINT)
        ending.died("watch", ZeroDivisionError())

        assert Signalled(signal.SIGTERM) == ending.wait()


def test_handlers_are_as_before_afterwards() -> None:
    """Also where what is inside fails: the interpreter's own answer to Ctrl-C is back."""
    before = [signal.getsignal(number) for number in SIGNALS]

    with pytest.raises(ZeroDivisionError), Ending():
        raise ZeroDivisionError

    assert before == [signal.getsignal(number) for number in SIGNALS]


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_after_the_end_does_not_take_the_exit_code(number: signal.Signals) -> None:
    """It may come while the interpreter ends, when no handler of ours is left; what was ended in order says so."""
    with Ending() as ending:
        os.kill(os.getpid(), signal.SIGTERM)
        ending.wait()

    os.kill(os.getpid(), number)

    assert [signal.SIG_IGN, signal.SIG_IGN] == [signal.getsignal(each) for each in SIGNALS]
