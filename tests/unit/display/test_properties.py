"""Whatever a node goes through can be told: never an exception, a broken line, an unknown name or a secret."""

import io
import json
import re
from collections.abc import Callable
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from daemon.api.nodeimage import SecretReference
from daemon.api.reasons import Reason
from daemon.display.bars import Bars
from daemon.display.events import Event
from daemon.display.streams import JsonLines
from daemon.display.text import sentence
from daemon.node.task import AttemptEnd, Ending, Task
from daemon.runtime.interface import Progress, Stage
from tests.unit.display.told import ToldNode
from tests.unit.node.virtual_node import DONE, LOW, PRESENT, RUNTIME_DOWN, image, key_of


SECRET = "hunter2"
NAMES = ("a", "b", "c")
DOCUMENTED = frozenset(
    re.findall(r"^\| `([a-z_]+)` \|", (Path(__file__).parents[3] / "docs" / "run.md").read_text(), flags=re.MULTILINE)
)

Step = Callable[[ToldNode], None]

_ends = st.sampled_from([DONE, PRESENT, LOW, RUNTIME_DOWN]) | st.builds(
    AttemptEnd, ending=st.just(Ending.FAILED), reason=st.sampled_from(Reason), message=st.text(max_size=20)
)
_counts = st.integers(min_value=0, max_value=2**40)
_progresses = st.builds(
    Progress,
    stage=st.sampled_from(Stage),
    bytes_done=_counts,
    bytes_total=_counts,
    layers_unpacked=_counts,
    layers_total=_counts,
    bytes_per_second=st.none() | st.floats(min_value=0, max_value=1e12),
    eta_seconds=st.none() | st.floats(min_value=0, max_value=1e9),
)


def _want(names: list[str], version: int, *, is_suspended: bool) -> Step:
    wanted = [
        image(
            name,
            version=version,
            is_suspended=is_suspended,
            backoff_limit=1,
            pull_secrets=(SecretReference(namespace="team", name="registry"),),
            sandbox_annotations={"token": SECRET},
        )
        for name in dict.fromkeys(names)
    ]
    return lambda node: node.want(*wanted)


def _running(act: Callable[[ToldNode, str], None], name: str) -> Step:
    """Act on an image's worker if it has one."""
    return lambda node: act(node, name) if key_of(name) in node.pulls.values() else None


def _lose(name: str) -> Step:
    return lambda node: node.lose(name)


_names = st.sampled_from(NAMES)
_steps = st.one_of(
    st.builds(_want, st.lists(_names), st.integers(min_value=1, max_value=3), is_suspended=st.booleans()),
    st.builds(lambda name: _running(lambda node, name: node.ask_registry(name), name), _names),
    st.builds(lambda name, end: _running(lambda node, name: node.end(end, name=name), name), _names, _ends),
    st.builds(lambda name, at: _running(lambda node, name: _progress(node, at, name), name), _names, _progresses),
    st.builds(_lose, _names),
    st.builds(lambda seconds: lambda node: node.advance(seconds), st.floats(min_value=0, max_value=4000)),
    st.just(lambda node: node.runtime_answers()),
)


def _progress(node: ToldNode, progress: Progress, name: str) -> None:
    if key_of(name) in node.state.tasks and node.state.tasks[key_of(name)].running:
        node.progress(progress, name=name)


def _walk(steps: list[Step]) -> list[Event]:
    node = ToldNode()
    return [event for step in steps for event in _events(node, step)]


def _events(node: ToldNode, step: Step) -> list[Event]:
    return node.events_of(lambda: step(node))


@settings(deadline=None)
@given(steps=st.lists(_steps, max_size=40))
def test_every_walk_can_be_told(steps: list[Step]) -> None:
    """In sentences, in JSON and in bars; each event has a name that docs/run.md explains."""
    events = _walk(steps)
    stream = io.StringIO()
    bars, lines = Bars(io.StringIO()), JsonLines(stream)

    for event in events:
        lines.show(event)
        bars.show(event)
    bars.close()

    assert {event.event for event in events} <= DOCUMENTED
    assert all(sentence(event).isprintable() for event in events)
    assert all(json.loads(line)["event"] in DOCUMENTED for line in stream.getvalue().splitlines())


@settings(deadline=None)
@given(steps=st.lists(_steps, max_size=40))
def test_no_event_holds_what_the_registry_is_asked_with(steps: list[Step]) -> None:
    """Sandbox settings may carry tokens; nothing of them is in an event."""
    assert not any(SECRET in str(event) for event in _walk(steps))


@settings(deadline=None)
@given(steps=st.lists(_steps, max_size=40))
def test_every_end_is_told_once(steps: list[Step]) -> None:
    """As many ends are told as there are tasks that went from open to ended."""
    node = ToldNode()
    told = ended = 0
    for step in steps:
        before = node.state.tasks
        told += sum(event.event in {"image_pulled", "image_present", "image_failed"} for event in _events(node, step))
        ended += sum(task.is_ended and not _had_ended(before.get(key), task) for key, task in node.state.tasks.items())

    assert ended == told


def _had_ended(before: Task | None, task: Task) -> bool:
    return before is not None and before.is_ended and before.wanted.version == task.wanted.version
