"""Pulls that have met the disk floor on their way: what must be free before they begin again, and in which order."""

from daemon.node import transitions
from daemon.node.floor import space_shortage
from daemon.node.task import AttemptEnd, CancelCause, Ending
from daemon.runtime.interface import ImageFilesystem, Progress, Stage
from tests.unit.node.virtual_node import DONE, LOW, VirtualNode, image, key_of


MET_THE_FLOOR = AttemptEnd(ending=Ending.LOW_SPACE, cause=CancelCause.LOW_SPACE, message="1.00 GiB free")


def meet_the_floor(node: VirtualNode, name: str, *, missing_bytes: int) -> None:
    """Have a running pull tell what it must fetch, half of which it gets before it meets the floor."""
    serial = next(serial for serial, key in node.pulls.items() if key == key_of(name))
    for bytes_done in (100, 100 + missing_bytes // 2):
        progress = Progress(stage=Stage.DOWNLOADING, bytes_done=bytes_done, bytes_total=100 + missing_bytes)
        node.state = transitions.progressed(node.state, key_of(name), serial=serial, progress=progress)
    node.end(MET_THE_FLOOR, name=name)


def test_what_must_be_free_is_twice_what_was_missing_at_the_start_and_doubles() -> None:
    """What was there before is not counted; each further pull that meets the floor doubles what is asked for."""
    node = VirtualNode()
    node.want(image("app"))

    needed = []
    for _ in range(3):
        meet_the_floor(node, "app", missing_bytes=1000)
        needed.append(node.task().needed_bytes)
        node.advance(10)

    assert [2000, 4000, 8000] == needed


def test_a_shortage_before_the_pull_asks_for_no_more() -> None:
    """Only a pull that has begun shows how much it needs; its success forgets it."""
    node = VirtualNode()
    node.want(image("app"))
    meet_the_floor(node, "app", missing_bytes=1000)
    node.advance(10)

    node.end(LOW)
    waiting = node.task().needed_bytes
    node.advance(10)
    node.end(DONE)

    assert (2000, 0) == (waiting, node.task().needed_bytes)


def test_pulls_that_met_the_floor_go_one_at_a_time() -> None:
    """Together they would meet it again; others are not held up by them."""
    node = VirtualNode(slots=2)
    node.want(image("a"), image("b"), image("c"))
    meet_the_floor(node, "a", missing_bytes=1000)
    meet_the_floor(node, "b", missing_bytes=1000)
    node.end(DONE, name="c")

    node.advance(10)
    together = node.starts[3:]
    node.end(DONE, name="a")

    assert ["a"] == together
    assert ["a", "b"] == node.starts[3:]


def test_what_an_image_needs_comes_on_top_of_the_floor() -> None:
    """With the floor kept and too little above it there is a shortage, which says what the image needs."""
    filesystem = ImageFilesystem(mountpoint="/images", total_bytes=100 << 30, free_bytes=30 << 30)

    enough = space_shortage(filesystem, floors=["20%"], needed_bytes=10 << 30)
    short = space_shortage(filesystem, floors=["20%"], needed_bytes=11 << 30)

    assert enough is None
    assert short is not None
    assert "20.00 GiB must stay free and the image needs at least 11.00 GiB" in short.message
