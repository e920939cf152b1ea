"""
A story by chance: jobs and nodes come, change and go, coordinators die, for a while; then calm returns.

The same seed tells the same story. `told` has its steps, for whoever has to find out what went wrong.
"""

import random
from typing import Any, Final

from tests.unit.coordinator.simulation.agents import Key, Pull
from tests.unit.coordinator.simulation.apiserver import IMAGES, JOBS, NODES, said
from tests.unit.coordinator.simulation.checks import Observer, check_tallies
from tests.unit.coordinator.simulation.cluster import IMAGE, Cluster, condition, key_of
from tests.unit.coordinator.simulation.documents import Json, merge_patched
from tests.unit.coordinator.simulation.weather import CALM, ROUGH, Weather


IMAGES_USED: Final = (IMAGE, "registry.example.com/team/app:v2", "registry.example.com/other:v1")
FOREIGN: Final = {
    "tag": "by-hand",
    "createdAt": "2026-01-01T00:00:00Z",
    "version": 1,
    "imagePullPolicy": "IfNotPresent",
}
_POOLS: Final = ("blue", "green")
# As merge patches: one takes the place of the other.
_SELECTORS: Final = (
    {"matchLabels": {"pool": "blue"}, "names": None},
    {"names": ["m1", "m2", "m3"], "matchLabels": None},
)


class Story:
    """
    What happens to one cluster by chance.

    Args:
        seed: which story.
        weather: how requests fare while it is told.
        has_trouble: nodes go silent, NotReady and away too.
        kills: coordinators die too.
    """

    def __init__(self, seed: int, *, weather: Weather = ROUGH, has_trouble: bool = True, kills: bool = True) -> None:
        self.told: list[str] = []
        self._chance = random.Random(seed)  # noqa: S311 - the same seed tells the same story
        self.cluster = Cluster(seed, pulls=self._pull, weather=weather, collects=seed % 2 == 0)
        self.observer = Observer(self.cluster)
        self._number = 0
        self._is_failing = True
        self._steps = [self._job, self._edit, self._edit, self._wait, self._wait, self._foreign, self._delete]
        if has_trouble:
            self._steps += [self._join, self._part, self._return, self._turn, self._hush, self._label, self._evict]
        if kills:
            self._steps += [self._kill]
        for _ in range(6):
            self._join()
        self.cluster.lead()

    def go_on(self, steps: int) -> None:
        """Let so many things happen, one after the other."""
        for _ in range(steps):
            self._chance.choice(self._steps)()
            self.cluster.run(self._chance.choice((0.0, 0.01, 0.5, 3.0, 20.0)))
            check_tallies(self.cluster)

    def calm_down(self) -> None:
        """Mend everything: weather, nodes and registries are well, every job is free to go on."""
        cluster = self.cluster
        self._is_failing = False
        if cluster.leader is not None:
            cluster.leader.weather = cluster.weather = CALM
        for node in cluster.api.objects(NODES):
            name = node["metadata"]["name"]
            cluster.turn(name, is_ready=True)
            cluster.edit_node(name, {"spec": {"taints": []}})
            if name in cluster.agents and cluster.agents[name].is_silent:
                cluster.agents[name].wake()
        for job in cluster.api.objects(JOBS):
            cluster.edit(job["metadata"]["name"], prewarm={"suspend": False}, parallelism=3)
        self.told.append("calm")

    def is_over(self) -> bool:
        """Tell whether every job has come to its end: Always jobs have finished, Never jobs are Ready."""
        return all(
            self.cluster.has_ended(name)
            or (kind == "Never" and (self.cluster.is_ready(name) or self._is_for_none(name)))
            for name, kind in self.jobs().items()
        )

    def _is_for_none(self, name: str) -> bool:
        return condition(self.cluster.status(name), "Stalled").get("reason") == "NoNodesSelected"

    def jobs(self) -> dict[str, str]:
        """Return the type of each job by its name."""
        return {
            job["metadata"]["name"]: job["spec"]["completionPolicy"]["type"] for job in self.cluster.api.objects(JOBS)
        }

    @staticmethod
    def entries_in(cluster: Cluster) -> Json:
        """Return who owns what on which node: what a story comes to, whatever the versions and times."""
        return {
            image["metadata"]["name"]: {
                f"{repository}:{entry['tag']}": sorted(owner["name"] for owner in entry.get("ownerReferences", ()))
                for repository, wanted in (said(image, "spec", "images") or {}).items()
                for entry in wanted["tags"]
            }
            for image in sorted(cluster.api.objects(IMAGES), key=lambda image: str(image["metadata"]["name"]))
        }

    # What happens

    def _pull(self, node: str, key: Key, at: Any) -> Pull:  # noqa: ANN401 - the time does not matter
        del node, key, at
        seconds = self._chance.choice((0.3, 2.0, 8.0, 90.0))
        has_failed = self._is_failing and self._chance.random() < 0.2
        return Pull(seconds, self._chance.choice(("RegistryUnavailable", "ImageNotFound")) if has_failed else "")

    def _tell(self, step: str) -> None:
        self.told.append(f"{self.cluster.timeline.seconds:.3f} {step}")

    def _spec(self) -> Json:
        chance = self._chance
        return {
            "parallelism": chance.choice((1, 2, 4, "25%", "50%", "100%")),
            "imagePullPolicy": chance.choice(("Always", "IfNotPresent")),
            "pullPolicy": {"timeoutSeconds": chance.choice((60, 600)), "backoffLimit": chance.choice((0, 3))},
            "prewarm": {"suspend": chance.random() < 0.15, "priority": chance.choice((0, 0, 5))},
            "selector": chance.choice((None, None, *_SELECTORS)),
            "image": chance.choice(IMAGES_USED),
        }

    def _job(self) -> None:
        self._number += 1
        name, kind = f"job-{self._number}", self._chance.choice(("Always", "Never"))
        spec = merge_patched({}, self._spec())
        self._tell(f"job {name} {kind} {spec}")
        self.cluster.job(name, kind=kind, **spec)

    def _some_job(self) -> Json | None:
        jobs = list(self.cluster.api.objects(JOBS))
        return self._chance.choice(jobs) if jobs else None

    def _edit(self) -> None:
        job = self._some_job()
        if job is not None:
            name, value = self._chance.choice(list(self._spec().items()))
            self._tell(f"edit {job['metadata']['name']} {name}={value}")
            self.cluster.edit(job["metadata"]["name"], **{name: value})

    def _delete(self) -> None:
        job = self._some_job()
        if job is not None and self._chance.random() < 0.5:
            self._tell(f"delete {job['metadata']['name']}")
            self.cluster.delete(job["metadata"]["name"])

    def _join(self) -> None:
        self._number += 1
        name = f"m{self._number}"
        self._tell(f"join {name}")
        self.cluster.join(name, labels={"pool": self._chance.choice(_POOLS)}, is_ready=self._chance.random() < 0.8)

    def _some_node(self) -> str:
        names = [node["metadata"]["name"] for node in self.cluster.api.objects(NODES)]
        return self._chance.choice(names) if len(names) > 3 else ""

    def _part(self) -> None:
        name = self._some_node()
        if name:
            self._tell(f"part {name}")
            self.cluster.part(name)

    def _return(self) -> None:
        name = self._some_node()
        if name:
            self._tell(f"return {name}")
            self.cluster.part(name)
            self.cluster.run(self._chance.choice((0.0, 0.2, 5.0)))
            self.cluster.join(name, labels={"pool": self._chance.choice(_POOLS)})

    def _turn(self) -> None:
        name, is_ready = self._some_node(), self._chance.random() < 0.5
        if name:
            self._tell(f"turn {name} {is_ready}")
            self.cluster.turn(name, is_ready=is_ready)

    def _hush(self) -> None:
        name = self._some_node()
        agent = self.cluster.agents.get(name)
        if agent is None:
            return
        self._tell(f"{'wake' if agent.is_silent else 'hush'} {name}")
        if agent.is_silent:
            agent.wake()
        else:
            agent.is_silent = True

    def _label(self) -> None:
        name = self._some_node()
        if name:
            self._tell(f"label {name}")
            self.cluster.edit_node(name, {"metadata": {"labels": {"pool": self._chance.choice(_POOLS)}}})

    def _evict(self) -> None:
        name = self._some_node()
        if name in self.cluster.agents:
            self._tell(f"evict {name}")
            self.cluster.agents[name].evict(key_of(self._chance.choice(IMAGES_USED)))

    def _wait(self) -> None:
        seconds = self._chance.choice((1.0, 30.0, 200.0, 4000.0))
        self._tell(f"wait {seconds}")
        self.cluster.run(seconds)

    def _foreign(self) -> None:
        """Have somebody else write an entry into the same list."""
        name, repository = self._some_node(), key_of(IMAGE)[0]
        found = self.cluster.api.find(IMAGES, name) if name else None
        if found is None:
            return
        tags = said(found, "spec", "images", repository, "tags") or []
        if all(entry["tag"] != FOREIGN["tag"] for entry in tags):
            self._tell(f"foreign {name}")
            images = {**(said(found, "spec", "images") or {}), repository: {"tags": [*tags, FOREIGN]}}
            self.cluster.api.change(IMAGES, name, lambda found: {**found, "spec": {"images": images}})

    def _kill(self) -> None:
        self._tell("kill")
        self.cluster.lead()
