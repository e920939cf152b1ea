"""What the watch of a NodeImage means: what is wanted, what stands in its status, and what is worth a word."""

from collections.abc import Sequence

import pytest

from daemon.agent.inbound import NOTHING, Inbound
from daemon.cluster.errors import ClusterError, Unreachable
from daemon.cluster.interface import Resource
from daemon.cluster.metadata import Identity
from daemon.node.wanted import Key, Wanted


PATH = "/apis/apps.kruise.io/v1beta1/nodeimages/n1"
ME = Identity(name="n1", uid="u", resourceVersion="7")


class Seam:
    """All whom an Inbound tells: the loop, the writer and the log, in order."""

    def __init__(self) -> None:
        self.wanted: list[Wanted] = []
        self.saw: list[Resource | None] = []
        self.words: list[str] = []
        self.inbound = Inbound(PATH, want=self.wanted.append, saw=self._saw, listener=self)

    def apply(self, resource: Resource) -> None:
        """Tell it of an object."""
        self.inbound.applied(ME, resource)

    def node_image_found(self, *, uid: str, images: int) -> None:
        """Note it."""
        self.words.append(f"found {uid} with {images}")

    def node_image_missing(self) -> None:
        """Note it."""
        self.words.append("missing")

    def entries_passed_over(self, problems: Sequence[str]) -> None:
        """Note it."""
        self.words.append(f"passed over: {'; '.join(problems)}")

    def watch_failed(self, error: ClusterError) -> None:
        """Note it."""
        self.words.append(f"failed: {error.message}")

    def _saw(self, path: str, resource: Resource | None) -> None:
        assert path == PATH
        self.saw.append(resource)


@pytest.fixture
def seam() -> Seam:
    """Nothing heard yet."""
    return Seam()


def node_image(
    *tags: str, generation: int = 1, uid: str = "u", images: object = None, status: object = None
) -> Resource:
    """Return a NodeImage that wants these tags of repository a."""
    wanted = {"a": {"tags": [{"tag": tag, "version": 1} for tag in tags]}} if tags else {}
    return {
        "apiVersion": "apps.kruise.io/v1beta1",
        "kind": "NodeImage",
        "metadata": {"name": "n1", "uid": uid, "generation": generation, "resourceVersion": "7"},
        "spec": {"images": wanted if images is None else images},
        **({"status": status} if status is not None else {}),
    }


def keys(wanted: Wanted) -> list[str]:
    """Name what is wanted."""
    return [f"{image.key.repository}:{image.key.tag}" for image in wanted.images]


def test_an_object_is_what_the_node_should_have(seam: Seam) -> None:
    """Its spec goes to the loop, all of it to the writer, and a word to the log."""
    found = node_image("v1", "v2", generation=3)

    seam.apply(found)

    assert [("u", 3, ["a:v1", "a:v2"])] == [(each.uid, each.generation, keys(each)) for each in seam.wanted]
    assert ([found], ["found u with 2"]) == (seam.saw, seam.words)


def test_a_change_of_the_status_alone_never_reaches_the_loop(seam: Seam) -> None:
    """The generation is of the spec: our own writes would wake the loop, which would write again."""
    seam.apply(node_image("v1"))

    seam.apply(node_image("v1", status={"desired": 1}))

    assert (1, 2) == (len(seam.wanted), len(seam.saw))


def test_a_new_spec_is_taken_over_without_a_word(seam: Seam) -> None:
    """The log has what follows from it, image by image."""
    seam.apply(node_image("v1"))

    seam.apply(node_image("v2", generation=2))

    assert ["a:v2"] == keys(seam.wanted[-1])
    assert ["found u with 1"] == seam.words


def test_what_was_answered_before_goes_to_the_loop_too(seam: Seam) -> None:
    """A restart takes over what stands there, and pulls nothing twice."""
    tags = [{"tag": "v1", "phase": "Succeeded", "version": 1}]

    seam.apply(node_image("v1", status={"imageStatuses": {"a": {"tags": tags}}}))

    assert {Key("a", "v1")} == seam.wanted[0].answers.keys()


@pytest.mark.parametrize("is_listed", [True, False], ids=["a list without it", "deleted"])
def test_without_an_object_nothing_is_wanted(seam: Seam, is_listed: bool) -> None:  # noqa: FBT001 - two ways
    """What runs is withdrawn, and the writer has nowhere to write."""
    seam.apply(node_image("v1"))

    if is_listed:
        seam.inbound.listed([])
    else:
        seam.inbound.deleted(ME)

    assert (NOTHING, None) == (seam.wanted[-1], seam.saw[-1])
    assert "missing" == seam.words[-1]


def test_a_node_image_that_was_never_there_is_told_once(seam: Seam) -> None:
    """The loop hears of it too: only now does it know that nothing is wanted."""
    seam.inbound.listed([])
    seam.inbound.listed([])

    assert ([NOTHING], [None], ["missing"]) == (seam.wanted, seam.saw, seam.words)


def test_a_list_that_has_the_object_adds_nothing(seam: Seam) -> None:
    """`applied` has told it."""
    found = node_image("v1")
    seam.apply(found)

    seam.inbound.listed([ME])

    assert (1, 1, ["found u with 1"]) == (len(seam.wanted), len(seam.saw), seam.words)


def test_a_recreated_object_is_another_also_with_the_same_generation(seam: Seam) -> None:
    """A new NodeImage begins at generation 1 again."""
    seam.apply(node_image("v1"))

    seam.apply(node_image("v1", uid="other"))

    assert ["u", "other"] == [wanted.uid for wanted in seam.wanted]
    assert ["found u with 1", "found other with 1"] == seam.words


def test_an_object_that_comes_back_is_taken_over(seam: Seam) -> None:
    """Also the very same one, which a cache may have lost for a moment."""
    seam.apply(node_image("v1"))
    seam.inbound.listed([])

    seam.apply(node_image("v1"))

    assert [["a:v1"], [], ["a:v1"]] == [keys(wanted) for wanted in seam.wanted]


def test_an_unsound_entry_costs_itself_alone(seam: Seam) -> None:
    """The others are served, and the log says which is passed over; once, as long as it is the same."""
    images = {"a": {"tags": [{"tag": "v1", "version": 1}]}, "b": {"tags": 5}}

    seam.apply(node_image(images=images))
    seam.apply(node_image(images=images, status={"desired": 1}))
    seam.apply(node_image("v1", generation=2))
    seam.apply(node_image(images=images, generation=3))

    told = [word for word in seam.words if word.startswith("passed over")]
    assert [["a:v1"]] * 3 == [keys(wanted) for wanted in seam.wanted]
    assert 2 == len(told)
    assert "b" in told[0]


def test_what_is_no_node_image_is_nothing(seam: Seam) -> None:
    """A server that answers with another kind changes nothing."""
    seam.apply({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "n1"}, "type": "Opaque"})

    assert ([], [], []) == (seam.wanted, seam.saw, seam.words)


def test_an_object_that_cannot_be_read_changes_nothing_and_is_told_once(seam: Seam) -> None:
    """What was wanted still is, and the log says why nothing newer is."""
    seam.apply(node_image("v1"))

    seam.inbound.passed_over(ME, "the object can't be read")
    seam.inbound.passed_over(ME, "the object can't be read")

    assert (1, 1) == (len(seam.wanted), len(seam.saw))
    assert ["found u with 1", "passed over: the object can't be read"] == seam.words


def test_a_watch_that_fails_changes_nothing(seam: Seam) -> None:
    """What was wanted still is."""
    seam.apply(node_image("v1"))

    seam.inbound.missed(Unreachable("no answer in time"))

    assert (1, 1) == (len(seam.wanted), len(seam.saw))
    assert "failed: no answer in time" == seam.words[-1]
