"""What `prewarm clean` says of what it found and did."""

from daemon.cleaning.processes import Process, Processes
from daemon.cleaning.words import UNSEEN, line_of, result, trial, warnings_of
from daemon.runtime.leftovers import Kept, Leftover


BLOB, PART, LAYER = Kept("content", "sha256:1"), Kept("ingests", "layer-sha256:2"), Kept("snapshots/overlayfs", "x")
SIZES = {BLOB: 1024, PART: 512, LAYER: 2048}


def leftover(*kept: Kept, image: str = "registry.example/app:v1") -> Leftover:
    """Have found a lease that keeps these."""
    return Leftover(lease_id="prewarm-agent-1", role="agent", image=image, kept=frozenset(kept))


def test_a_lease_is_told_by_its_image_and_what_it_keeps() -> None:
    """In one line, with the bytes that are there."""
    line = line_of(leftover(BLOB, PART, LAYER, Kept("content", "gone")), sizes=SIZES)

    assert "registry.example/app:v1 (role agent): 2 blobs, 1 partial blob, 1 unpacked layer, 3.5 KiB" == line
    assert "prewarm-agent-1 (role agent): nothing, 0 B" == line_of(leftover(image=""), sizes={})


def test_what_a_terminal_would_act_on_is_escaped() -> None:
    """Labels of a lease can be written by others."""
    assert "\x1b" not in line_of(leftover(image="a\x1b[2J"), sizes={})


def test_a_trial_says_at_most() -> None:
    """An image may need the same blobs."""
    assert trial([leftover(BLOB)], sizes=SIZES).startswith("1 lease would be removed, and at most 3.5 KiB")


def test_the_result_is_what_was_measured() -> None:
    """Before and after."""
    assert "2 leases removed, 3.5 KiB collected" == result(2, before=SIZES, after={})
    assert "1 lease removed, 2.5 KiB collected; 1.0 KiB stay, which images or others need" == result(
        1, before=SIZES, after={BLOB: 1024}
    )


def test_who_would_make_leases_again_is_warned_of() -> None:
    """An agent does; a run loses what it works on; and in a container one cannot know."""
    alive = warnings_of(Processes(seen=(Process(7, "agent"), Process(12, "run")), are_all=True))

    assert ["(process 7)", "(process 12)"] == [
        next(word for word in ("(process 7)", "(process 12)") if word in line) for line in alive
    ]
    assert "take its DaemonSet off first" in alive[0]
    assert [] == warnings_of(Processes(seen=(), are_all=True))
    assert [UNSEEN] == warnings_of(Processes(seen=(), are_all=False))
