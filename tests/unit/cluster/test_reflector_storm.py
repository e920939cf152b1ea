"""A server whose objects change without pause while its connections break and its history goes: nothing is lost."""

import random
from collections.abc import Iterable

import msgspec
import pytest

from daemon.cluster.metadata import Identity, identity_of
from tests.servers.processes import until
from tests.servers.scripted_answers import refused
from tests.servers.scripted_api import ScriptedApi
from tests.unit.cluster.conftest import Reflect
from tests.unit.cluster.heard import Heard


CHANGES = 1500
NAMES = [f"n{number}" for number in range(20)]


@pytest.mark.parametrize("seed", range(3))
def test_the_cache_is_right_after_a_storm(seed: int, api: ScriptedApi, heard: Heard, reflect: Reflect) -> None:
    """1,500 changes, replacements, cuts, compactions and refusals in any order: at the end cache and server agree."""
    chance = random.Random(seed)  # noqa: S311 - an order, not a secret
    reflector = reflect()

    for number in range(CHANGES):
        _change(api, chance)
        if number % 100 == 99:
            _disturb(api, chance)
            _await_watch(api)
    api.script.clear()
    until(lambda: _state(api) == _sorted(reflector.known.identities()), what="the same state", timeout_seconds=20)

    assert _state(api) == _sorted(heard.identities.values())


def _sorted(identities: Iterable[Identity]) -> list[Identity]:
    return sorted(identities, key=str)


def _state(api: ScriptedApi) -> list[Identity]:
    return _sorted(identity_of(msgspec.json.encode(resource)) for resource in api.objects()[0])


def _await_watch(api: ScriptedApi) -> None:
    """Wait until the reflector watches again, so that what comes next hits a watch."""
    seen = api.count("watch")
    api.cut()
    until(lambda: api.count("watch") > seen, what="a watch", timeout_seconds=20)


def _change(api: ScriptedApi, chance: random.Random) -> None:
    name = chance.choice(NAMES)
    is_there = any(identity.name == name for identity in _state(api))
    if is_there and chance.random() < 0.2:
        api.delete(name)
    else:
        api.put(name, is_other=chance.random() < 0.2)


def _disturb(api: ScriptedApi, chance: random.Random) -> None:
    what = chance.choice(["cut", "compact", "refuse", "bookmark"])
    if what == "refuse":
        api.script.add("watch", refused(chance.choice([403, 410, 429, 500]), "Some"))
        api.cut()
    else:
        {"cut": api.cut, "compact": api.compact, "bookmark": api.bookmark}[what]()
