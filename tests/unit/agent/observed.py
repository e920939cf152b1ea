"""A node in virtual time whose observers hear of each transition, as those of a loop do; or of several at once."""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from daemon.api.credential import Credential
from daemon.api.nodeimage import Phase, SecretReference
from daemon.clock import Moment
from daemon.node import transitions
from daemon.node.loop import Observer
from daemon.node.task import AttemptEnd, NodeState
from daemon.node.wanted import Wanted, WantedImage
from daemon.runtime.interface import Progress, Stage
from tests.servers.scripted_cri import ScriptedCri
from tests.unit.node.running_node import Offered, RunningNode
from tests.unit.node.virtual_node import DRAWS, VirtualNode, image, key_of


def progress(done: int, total: int = 100, *, digest: str = "sha256:1") -> Progress:
    """Be so far in a download."""
    return Progress(stage=Stage.DOWNLOADING, bytes_done=done, bytes_total=total, layers_total=2, digest=digest)


def states_of_a_run_with_credentials(password: str) -> list[NodeState]:
    """Run a loop at a scripted runtime: one pull that the password opens, one refused with it in the words."""
    credential = Credential(username="ann", password=password, source="team/regcred")
    secrets = (SecretReference(namespace="prewarm-system", name="regcred-1"),)
    with tempfile.TemporaryDirectory(prefix="cri-") as folder, ScriptedCri(Path(folder) / "cri.sock") as cri:
        cri.demand("registry.example/app:v1", password=password)
        cri.demand("registry.example/web:v1", password="another")
        with RunningNode(cri.endpoint, credentials=Offered(credential)) as node:
            node.want(image("app", pull_secrets=secrets), image("web", backoff_limit=0, pull_secrets=secrets))
            node.wait_for_phase(Phase.SUCCEEDED, name="app")
            node.wait_for_phase(Phase.FAILED, name="web")
        assert {password} == {pull.password for pull in cri.pulls}
    return node.states


class HasChanged(Protocol):
    """The half of an observer that this module calls."""

    def changed(self, before: NodeState, after: NodeState, *, now: Moment) -> None:
        """Hear of a change."""
        ...


class ObservedNode(VirtualNode):
    """Tells an observer of every change of its state; inside `at_once` of the first and the last alone."""

    def __init__(self, observer: Observer, *, slots: int = 2) -> None:
        self._observer: HasChanged | None = None
        self._state = NodeState()
        super().__init__(slots=slots)
        self._observer = observer

    @property
    def state(self) -> NodeState:
        """The newest state."""
        return self._state

    @state.setter
    def state(self, state: NodeState) -> None:
        before, self._state = self._state, state
        if self._observer is not None:
            self._observer.changed(before, state, now=self.now)

    def at_once(self, step: Callable[[], None]) -> None:
        """Take a step of which the observer hears only when it is over, as a busy loop reads several messages."""
        observer, self._observer = self._observer, None
        before = self.state
        step()
        self._observer = observer
        if observer is not None:
            observer.changed(before, self.state, now=self.now)

    def tick(self) -> None:
        """Go round without a change."""
        self.state = self._state

    def progress(self, now: Progress, *, name: str = "app") -> None:
        """Let the running pull of an image be so far."""
        key = key_of(name)
        self.state = transitions.progressed(self.state, key, serial=self._serial_of(key), progress=now)

    def take(self, *images: WantedImage, end: AttemptEnd, name: str = "app") -> None:
        """Take new wishes and an attempt's end without planning in between, as one wake of the loop can."""
        serial = self._serial_of(key_of(name))
        key = self.pulls.pop(serial)
        self.state = transitions.want(self.state, Wanted(uid="node", generation=2, images=images), now=self.now)
        self.state = transitions.ended(self.state, key, serial=serial, end=end, now=self.now, draws=DRAWS)
