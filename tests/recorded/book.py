"""
The recordings as files: one scene each, of a release; how they are written, and how a test finds them.

A scene is a NodeImage and the jobs that it is about, as an API server had them, and what a coordinator concludes of
each job, which is written by hand in scenes.py.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import msgspec


FOLDER: Final = Path(__file__).parent

Json = dict[str, Any]


class Conclusion(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """
    What a coordinator that has just taken over makes of one job on the node.

    `skip` is why the node is left out, "" where it is not; `takes_slot`: it counts towards the job's parallelism.
    """

    stand: str
    group: str
    reason: str = ""
    skip: str = ""
    takes_slot: bool = False


class Scene(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One moment of one node; `concludes` is by the jobs' names."""

    tells: str
    recorded_at: datetime
    node_image: Json
    jobs: list[Json]
    concludes: dict[str, Conclusion]


def write(
    folder: Path, name: str, *, tells: str, node_image: Json, jobs: list[Json], concludes: Mapping[str, Conclusion]
) -> None:
    """Write a scene, of this moment."""
    scene = Scene(
        tells=tells,
        recorded_at=datetime.now(UTC).replace(microsecond=0),
        node_image=_plain(node_image),
        jobs=[_plain(job) for job in jobs],
        concludes=dict(concludes),
    )
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(msgspec.to_builtins(scene), indent=2, ensure_ascii=False)
    (folder / f"{name}.json").write_text(f"{text}\n", encoding="utf-8")


def scenes() -> list[tuple[str, Scene]]:
    """Return every scene of every release, each with a name such as 0.1.0/failed."""
    return [
        (f"{path.parent.name}/{path.stem}", msgspec.json.decode(path.read_bytes(), type=Scene))
        for path in sorted(FOLDER.glob("*/*.json"))
    ]


def _plain(found: Json) -> Json:
    """Leave out who manages which field, which nobody reads."""
    metadata = {name: value for name, value in found["metadata"].items() if name != "managedFields"}
    return {**found, "metadata": metadata}
