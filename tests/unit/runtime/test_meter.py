import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.runtime.interface import Progress, Stage
from daemon.runtime.meter import LayerReading, Meter, Reading, UnpackSpeed


MB = 1_000_000


def reading(*layers: tuple[int, int, bool], digest: str = "sha256:m") -> Reading:
    """Read layers of (size, done, is unpacked)."""
    read = (LayerReading(size_bytes=size, bytes_done=done, is_unpacked=unpacked) for size, done, unpacked in layers)
    return Reading(digest=digest, layers=tuple(read))


@st.composite
def histories(draw: st.DrawFn) -> list[tuple[float, Reading]]:
    """Readings of one image as a runtime may give them: late, early, too large, backwards."""
    sizes = draw(st.lists(st.integers(0, 10**10), min_size=0, max_size=6))
    now = draw(st.floats(0, 1e9))
    history = []
    for _ in range(draw(st.integers(1, 12))):
        now += draw(st.floats(0, 600))
        layers = [(size, draw(st.integers(0, 2 * 10**10)), draw(st.booleans())) for size in sizes]
        history.append((now, reading(*layers)))
    return history


@given(history=histories())
def test_progress_never_goes_backwards_and_stays_in_bounds(history: list[tuple[float, Reading]]) -> None:
    """Whatever the runtime says: bytes and layers only grow, never beyond the total, and an ETA is not negative."""
    meter = Meter(UnpackSpeed())

    shown = [meter.progress(read, now_seconds=now) for now, read in history]

    assert sorted(one.bytes_done for one in shown) == [one.bytes_done for one in shown]
    assert sorted(one.layers_unpacked for one in shown) == [one.layers_unpacked for one in shown]
    assert all(one.bytes_done <= one.bytes_total and one.layers_unpacked <= one.layers_total for one in shown)
    assert all(one.eta_seconds is None or one.eta_seconds >= 0 for one in shown)
    assert all(one.bytes_per_second is None or one.bytes_per_second >= 0 for one in shown)


def pulled(
    *, sizes: list[int], rate: float, unpack_rate: float, held: int = 0, step_seconds: float = 0.5
) -> tuple[list[tuple[float, Progress]], float]:
    """Pull in virtual time, layer after layer at steady rates; return what was shown when, and the time it took."""
    meter, shown, now = Meter(UnpackSpeed()), [], 0.0
    arrivals, ends, before, end = [], [], 0, 0.0
    for size in sizes:
        before += size
        arrivals.append(max(0.0, before - held) / rate)
        end = max(end, arrivals[-1]) + size / unpack_rate
        ends.append(end)
    while now < end:
        done = held + rate * now
        below = [sum(sizes[:place]) for place in range(len(sizes))]
        layers = [
            (size, int(min(size, max(0, done - start))), now >= unpacked)
            for size, start, unpacked in zip(sizes, below, ends, strict=True)
        ]
        shown.append((now, meter.progress(reading(*layers), now_seconds=now)))
        now += step_seconds
    return shown, end


@pytest.mark.parametrize("unpack_rate", [40 * MB, 80 * MB, 300 * MB])
@pytest.mark.parametrize("sizes", [[200 * MB], [20 * MB] * 10, [5 * MB, 150 * MB, 45 * MB]])
def test_the_eta_is_within_a_fifth_from_a_quarter_of_the_way(sizes: list[int], unpack_rate: float) -> None:
    """At steady rates the ETA over downloading and unpacking errs by at most 20 % of what the pull takes."""
    shown, took = pulled(sizes=sizes, rate=10 * MB, unpack_rate=unpack_rate)

    errors = [abs(one.eta_seconds + now - took) / took for now, one in shown if now > took / 4 and one.eta_seconds]

    assert errors
    assert max(errors) <= 0.2


def test_the_rate_is_of_this_attempt_alone() -> None:
    """What was held from before is there at once, and counts towards no rate."""
    shown, _ = pulled(sizes=[100 * MB], rate=10 * MB, unpack_rate=80 * MB, held=70 * MB)

    rates = [one.bytes_per_second for now, one in shown if one.stage is Stage.DOWNLOADING and now >= 1]
    assert 70 * MB == shown[0][1].bytes_done
    assert pytest.approx(10 * MB) == rates[-1]


def test_no_rate_and_no_eta_before_there_is_enough_to_tell() -> None:
    """A first reading has neither."""
    progress = Meter(UnpackSpeed()).progress(reading((10, 5, False)), now_seconds=1.0)

    assert (None, None) == (progress.bytes_per_second, progress.eta_seconds)


def test_a_stalled_link_has_no_eta() -> None:
    """When nothing came for long, no time is promised."""
    meter = Meter(UnpackSpeed())
    for now in range(40):
        progress = meter.progress(reading((100 * MB, min(now, 8) * MB, False)), now_seconds=float(now))

    assert (8 * MB, 0.0, None) == (progress.bytes_done, progress.bytes_per_second, progress.eta_seconds)


def test_bytes_that_come_in_steps_have_a_steady_rate() -> None:
    """On a slow link a mebibyte comes every ten seconds: between two steps the rate and the ETA stay true."""
    meter = Meter(UnpackSpeed())
    rates = []
    for now in range(200):
        progress = meter.progress(reading((100 << 20, (now // 10) << 20, False)), now_seconds=float(now))
        if now > 60:
            rates.append(progress.bytes_per_second)

    assert [pytest.approx((1 << 20) / 10)] * len(rates) == rates


def test_the_rate_follows_a_link_that_gets_better() -> None:
    """The rate is that of the last ten seconds."""
    meter = Meter(UnpackSpeed())
    done = 0
    for now in range(60):
        done += MB if now < 30 else 20 * MB
        progress = meter.progress(reading((10**9, done, False)), now_seconds=float(now))

    assert pytest.approx(20 * MB, rel=0.01) == progress.bytes_per_second


def test_all_fetched_is_unpacking() -> None:
    """The stage changes with the last byte, and an unpacked image needs no more time."""
    meter = Meter(UnpackSpeed())

    fetched = meter.progress(reading((10, 10, True), (10, 10, False)), now_seconds=0)
    done = meter.progress(reading((10, 10, True), (10, 10, True)), now_seconds=1)

    assert (Stage.UNPACKING, 1, 2) == (fetched.stage, fetched.layers_unpacked, fetched.layers_total)
    assert (Stage.UNPACKING, 2, 0.0) == (done.stage, done.layers_unpacked, done.eta_seconds)


def test_another_manifest_begins_anew() -> None:
    """A tag that moved between two attempts is another image: its bytes start from its own."""
    meter = Meter(UnpackSpeed())
    meter.progress(reading((100, 90, False)), now_seconds=0)

    progress = meter.progress(reading((50, 10, False), digest="sha256:other"), now_seconds=1)

    assert (10, 50, "sha256:other") == (progress.bytes_done, progress.bytes_total, progress.digest)


def test_the_speed_of_unpacking_is_learned_and_shared() -> None:
    """A slow disk is known after its first large layers, also by the next pull."""
    speed = UnpackSpeed()
    meter = Meter(speed)
    for now in range(101):
        meter.progress(reading((10**9, 10**9, now >= 100), (10**9, 10**9, False)), now_seconds=float(now))

    assert pytest.approx(10 * MB, rel=0.1) == speed.bytes_per_second
    assert (
        pytest.approx(100, rel=0.1) == Meter(speed).progress(reading((10**9, 10**9, False)), now_seconds=0).eta_seconds
    )
