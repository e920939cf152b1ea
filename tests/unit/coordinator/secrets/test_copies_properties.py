"""Whatever jobs, Secrets, people and dying coordinators do: once it is calm, each source in use has one right copy."""

from collections.abc import Callable

from hypothesis import given, settings
from hypothesis import strategies as st

from daemon.cluster.errors import ClusterError, Denied, ServerFailed, Unreachable
from daemon.coordinator.secrets.names import Source, annotations_of, chosen, source_of
from tests.unit.coordinator.secrets.api import FIELD, PLACE, SecretsApi, content
from tests.unit.coordinator.secrets.bench import TEAM, Bench


NAMES = ("one", "two")
JOBS = ("a", "b", "c")
# Long enough for a list, for the slowest retry, and for the surplus copies to go.
CALM_SECONDS = 1_000.0


class World:
    """Jobs and Secrets that outlive coordinators; `bench` is the one that leads."""

    def __init__(self) -> None:
        self.api = SecretsApi()
        self.jobs: dict[str, tuple[str, ...]] = {}
        self.generations = dict.fromkeys(JOBS, 0)
        self.passwords: dict[str, str] = {}
        self.bench = self._led()

    def _led(self) -> Bench:
        bench = Bench(self.api)
        for name, secrets in self.jobs.items():
            bench.job(name, *secrets, kind="Never", generation=self.generations[name])
        bench.start()
        return bench

    def crash(self) -> None:
        """Let the leader die with what it had sent, and another one lead."""
        self.bench.look()
        while (request := self.bench.next()) is not None:
            assert request.errand is not None
            try:
                request.errand.run(self.api, may_send=lambda: True, timeout_seconds=4)
            except ClusterError:
                continue
        self.bench = self._led()

    def job(self, name: str, secrets: tuple[str, ...]) -> None:
        """Make or edit a job."""
        self.generations[name] += 1
        self.jobs[name] = secrets
        self.bench.job(name, *secrets, kind="Never", generation=self.generations[name])

    def end(self, name: str) -> None:
        """Delete a job."""
        if self.jobs.pop(name, None) is not None:
            self.bench.learning.job_gone(name)

    def put(self, name: str, password: str) -> None:
        """Make or rotate a Secret."""
        self.passwords[name] = password
        self.api.put(TEAM, name, password)

    def remove(self, name: str) -> None:
        """Delete a Secret."""
        if self.passwords.pop(name, None) is not None:
            self.api.remove(TEAM, name)

    def meddle(self, name: str) -> None:
        """Make a copy as OpenKruise would, or delete one."""
        source = Source(TEAM, name)
        theirs = f"theirs-{name}"
        if self.api.find(PLACE, theirs) is None:
            self.api.put(PLACE, theirs, "old", annotations=annotations_of(source, ["team-a/gone"]))
        else:
            self.api.remove(PLACE, theirs)

    def fail(self, name: str, error: ClusterError | None) -> None:
        """Have a Secret's reads fail from now on, or no more."""
        self.api.errors.pop(f"get {TEAM}/secrets/{name}", None)
        if error is not None:
            self.api.errors[f"get {TEAM}/secrets/{name}"] = error

    def calm(self) -> None:
        """Let nothing more happen for a while."""
        self.api.errors.clear()
        self.bench.pass_time(CALM_SECONDS)


Step = Callable[[World], None]

_name, _job = st.sampled_from(NAMES), st.sampled_from(JOBS)
_error = st.sampled_from([None, Denied("no", code=403), ServerFailed("no", code=500), Unreachable("no")])
STEPS: st.SearchStrategy[Step] = st.one_of(
    st.builds(lambda: World.crash),
    st.builds(lambda one, two: lambda world: world.job(one, two), _job, st.lists(_name, unique=True).map(tuple)),
    st.builds(lambda one: lambda world: world.end(one), _job),
    st.builds(lambda one, two: lambda world: world.put(one, two), _name, st.sampled_from(["x", "y"])),
    st.builds(lambda one: lambda world: world.remove(one), _name),
    st.builds(lambda one: lambda world: world.meddle(one), _name),
    st.builds(lambda one, two: lambda world: world.fail(one, two), _name, _error),
    st.builds(lambda one: lambda world: world.bench.pass_time(one), st.sampled_from([0.0, 1.0, 20.0, 100.0])),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(STEPS, max_size=25))
def test_once_it_is_calm_everything_is_right(steps: list[Step]) -> None:
    """One copy a source that is there and used, with its content and its jobs; no other; and no job waits."""
    world = World()
    plain = world.api.put(PLACE, "of-a-person", "theirs")
    for step in steps:
        step(world)
    world.calm()

    copies = {name: world.api.find(PLACE, name) or {} for name in world.api.names()}
    by_source = {source_of(copy["metadata"]["annotations"]): copy for copy in copies.values()}
    wanted = {name for secrets in world.jobs.values() for name in secrets if name in world.passwords}
    assert plain == copies.pop("of-a-person")
    assert {Source(TEAM, name) for name in wanted} == by_source.keys() - {None}
    assert len(wanted) == len(copies)
    for name in wanted:
        source, copy = Source(TEAM, name), by_source[Source(TEAM, name)]
        users = [f"{TEAM}/{job}" for job, secrets in world.jobs.items() if name in secrets]
        assert annotations_of(source, users) == copy["metadata"]["annotations"]
        assert content(world.passwords[name]) == copy["data"][FIELD]
    for job, secrets in world.jobs.items():
        names = {chosen(Source(TEAM, name), copies.keys() & _names_of(copies, name)) for name in secrets} - {""}
        assert names == {one.name for one in world.bench.fleet.secrets.get(job, ())}
        assert not world.bench.is_held(job)
        assert (job in world.bench.fleet.secret_troubles) == any(name not in world.passwords for name in secrets)


def _names_of(copies: dict[str, dict[str, dict[str, dict[str, str]]]], name: str) -> set[str]:
    """Return the names of a source's copies."""
    source = Source(TEAM, name)
    return {each for each, copy in copies.items() if source_of(copy["metadata"]["annotations"]) == source}
