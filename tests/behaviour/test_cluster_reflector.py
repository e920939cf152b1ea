"""Against a real API server, a reflector's cache is right again after whatever happens between them."""

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import msgspec
import pytest

from daemon.cluster.access import Access
from daemon.cluster.errors import Expired
from daemon.cluster.interface import Resource
from daemon.cluster.kubeconfig import read_kubeconfig
from daemon.cluster.metadata import decode_resource
from daemon.cluster.reflector import Reflector, Timing
from daemon.cluster.transport import HttpApi
from tests.servers.apiserver import ApiServer
from tests.servers.network import Network
from tests.servers.processes import until
from tests.unit.cluster.heard import Heard


TIMING = Timing(request_seconds=10, first_seconds=0.1, most_seconds=0.5)
WAIT_SECONDS = 60.0
JOIN_SECONDS = 15.0

Reflect = Callable[..., Reflector[Resource]]


class Maps:
    """The ConfigMaps of a test's namespace, changed as the administrator."""

    def __init__(self, apiserver: ApiServer, namespace: str) -> None:
        self._apiserver = apiserver
        self.path = f"/api/v1/namespaces/{namespace}/configmaps"

    def create(self, name: str) -> None:
        """Create one."""
        self._apiserver.request("POST", self.path, {"metadata": {"name": name}, "data": {"n": "0"}})

    def change(self, name: str, number: int) -> None:
        """Change one."""
        self._apiserver.request("PATCH", f"{self.path}/{name}", {"data": {"n": str(number)}})

    def delete(self, name: str) -> None:
        """Delete one."""
        self._apiserver.request("DELETE", f"{self.path}/{name}")

    def versions(self) -> list[tuple[str, str, str]]:
        """Return name, uid and version of each, by a plain request."""
        items = self._apiserver.request("GET", self.path)["items"]
        metadata = [item["metadata"] for item in items]
        return sorted((each["name"], each["uid"], each["resourceVersion"]) for each in metadata)


@pytest.fixture
def maps(apiserver: ApiServer, namespace: str) -> Maps:
    """The ConfigMaps of the test's namespace."""
    return Maps(apiserver, namespace)


@pytest.fixture
def heard() -> Heard:
    """What was told and counted."""
    return Heard()


@pytest.fixture
def network(apiserver: ApiServer) -> Iterator[Network]:
    """A network to the API server."""
    with Network(apiserver.port) as network:
        yield network


@pytest.fixture
def access(apiserver: ApiServer, network: Network) -> Access:
    """The administrator's access, over that network."""
    access = read_kubeconfig(apiserver.kubeconfig)
    return msgspec.structs.replace(access, server=f"https://127.0.0.1:{network.port}")


@pytest.fixture
def reflect(access: Access, maps: Maps, heard: Heard) -> Iterator[Reflect]:
    """Start a reflector of the ConfigMaps; it has stopped when the test ends."""
    with ExitStack() as stack:

        def start(timing: Timing = TIMING, **query: str) -> Reflector[Resource]:
            client = HttpApi(access, user_agent="prewarm-test/1", telemetry=heard.telemetry)
            reflector = Reflector(
                client,
                path=maps.path,
                query=query,
                listener=heard,
                decode=decode_resource,
                telemetry=heard.telemetry,
                timing=timing,
            )
            thread = threading.Thread(target=reflector.run, name="reflector")
            thread.start()
            stack.callback(client.close)
            stack.callback(_end, reflector, thread)
            until(lambda: _opened(heard) == 1, what="the watch", timeout_seconds=WAIT_SECONDS)
            return reflector

        yield start


def _end(reflector: Reflector[Resource], thread: threading.Thread) -> None:
    reflector.stop()
    thread.join(JOIN_SECONDS)
    assert not thread.is_alive()


def _opened(heard: Heard) -> int:
    return heard.requests.count(("watch", "configmaps", "200"))


def _listed(heard: Heard) -> int:
    return len([word for word in heard.words if word.startswith("listed")])


def _is_right(reflector: Reflector[Resource], maps: Maps) -> bool:
    known = reflector.known.identities()
    return maps.versions() == sorted((each.name, each.uid, each.resourceVersion) for each in known)


def _await_right(reflector: Reflector[Resource], maps: Maps) -> None:
    until(lambda: _is_right(reflector, maps), what="the cache to be right", timeout_seconds=WAIT_SECONDS)


def test_each_change_is_heard_once(maps: Maps, heard: Heard, reflect: Reflect) -> None:
    """Created, changed, deleted, created again under its name: the listener hears just that."""
    maps.create("a")
    reflector = reflect()

    maps.change("a", 1)
    maps.delete("a")
    maps.create("a")
    _await_right(reflector, maps)

    assert ["applied a", "listed a", "applied a", "deleted a", "applied a"] == heard.words
    assert not any("managedFields" in str(resource) for resource in heard.resources)


def test_a_field_selector_hears_one_object_only(maps: Maps, heard: Heard, reflect: Reflect) -> None:
    """Each node hears its own object, not a thousand others'."""
    reflect(fieldSelector="metadata.name=mine")

    maps.create("other")
    maps.create("mine")
    until(lambda: heard.has("applied mine"), what="mine", timeout_seconds=WAIT_SECONDS)

    assert ["listed", "applied mine"] == heard.words


def test_a_watch_that_times_out_goes_on_and_misses_nothing(maps: Maps, heard: Heard, reflect: Reflect) -> None:
    """The server ends idle watches after the time that was asked for; the next one begins where the last ended."""
    reflector = reflect(Timing(watch_seconds=(2, 2)))
    until(lambda: _opened(heard) == 2, what="the second watch", timeout_seconds=WAIT_SECONDS)

    for number in range(40):
        maps.create(f"m{number}")
    until(lambda: _opened(heard) == 4, what="the fourth watch", timeout_seconds=WAIT_SECONDS)
    _await_right(reflector, maps)

    assert 1 == _listed(heard)
    assert {"ended"} == set(heard.restarts)
    assert 40 == len([word for word in heard.words if word.startswith("applied")])


def test_a_stopped_server_is_waited_for(apiserver: ApiServer, maps: Maps, heard: Heard, reflect: Reflect) -> None:
    """After a stop and a start the cache is right, and what was known stood meanwhile."""
    maps.create("a")
    reflector = reflect()

    apiserver.stop()
    until(lambda: heard.has("missed Unreachable"), what="the loss", timeout_seconds=WAIT_SECONDS)
    during = reflector.known.identities()
    apiserver.start()
    maps.change("a", 1)
    maps.create("b")
    _await_right(reflector, maps)

    assert 1 == len(during)
    assert 1 == heard.words.count("applied b")


def test_a_killed_server_is_waited_for(apiserver: ApiServer, maps: Maps, heard: Heard, reflect: Reflect) -> None:
    """Also one that said nothing at its end."""
    maps.create("a")
    reflector = reflect()

    apiserver.kill()
    apiserver.start()
    maps.delete("a")
    _await_right(reflector, maps)

    assert 1 == heard.words.count("deleted a")


def test_history_that_was_compacted_is_made_up_for(
    apiserver: ApiServer, network: Network, maps: Maps, heard: Heard, reflect: Reflect
) -> None:
    """While the network is away objects change, go and come, and the history of it is lost: 410, a list, the truth."""
    for name in ("same", "changed", "gone", "replaced"):
        maps.create(name)
    reflector = reflect()

    network.refuse()
    until(lambda: heard.has("missed Unreachable"), what="the loss", timeout_seconds=WAIT_SECONDS)
    heard.words.clear()
    maps.change("changed", 1)
    maps.delete("gone")
    maps.delete("replaced")
    maps.create("replaced")
    maps.create("new")
    apiserver.compact()
    apiserver.restart()
    network.accept()
    _await_right(reflector, maps)

    told = [word for word in heard.words if not word.startswith(("missed", "listed"))]
    expected = ["applied changed", "applied new", "applied replaced", "deleted gone", "deleted replaced"]
    assert expected == sorted(told)
    assert told.index("deleted replaced") < told.index("applied replaced")
    assert Expired in {type(error) for error in heard.errors}


def test_a_stalled_network_is_noticed(network: Network, maps: Maps, heard: Heard, reflect: Reflect) -> None:
    """A connection that is open and silent ends by its silence; the cache is right once the network flows."""
    timing = Timing(request_seconds=2, watch_seconds=(2, 2), slack_seconds=1, first_seconds=0.1, most_seconds=0.5)
    reflector = reflect(timing)

    network.stall()
    maps.create("a")
    until(lambda: heard.has("missed Unreachable"), what="the silence", timeout_seconds=WAIT_SECONDS)
    network.flow()
    _await_right(reflector, maps)

    assert heard.has("applied a")
    assert "cut" in heard.restarts


def test_a_frozen_server_is_noticed(apiserver: ApiServer, maps: Maps, heard: Heard, reflect: Reflect) -> None:
    """An API server that hangs takes connections and answers none; it is heard again when it goes on."""
    timing = Timing(request_seconds=2, watch_seconds=(2, 2), slack_seconds=1, first_seconds=0.1, most_seconds=0.5)
    reflector = reflect(timing)

    apiserver.freeze()
    until(lambda: heard.has("missed Unreachable"), what="the silence", timeout_seconds=WAIT_SECONDS)
    apiserver.thaw()
    maps.create("a")
    _await_right(reflector, maps)

    assert heard.has("applied a")


def test_bookmarks_are_asked_for_and_come(apiserver: ApiServer, maps: Maps, heard: Heard, reflect: Reflect) -> None:
    """A watch on quiet objects hears of the version all the same: a real server sends one before it ends a watch."""
    reflector = reflect(Timing(watch_seconds=(5, 5)))
    before = reflector._version
    elsewhere = "/api/v1/namespaces/default/configmaps"
    name = apiserver.request("POST", elsewhere, {"metadata": {"generateName": "elsewhere-"}})["metadata"]["name"]

    until(lambda: reflector._version != before, what="a bookmark", timeout_seconds=WAIT_SECONDS)
    apiserver.request("DELETE", f"{elsewhere}/{name}")

    assert ["listed"] == heard.words


def test_a_change_is_heard_at_once(maps: Maps, heard: Heard, reflect: Reflect) -> None:
    """Through list, watch and cache, not after a poll."""
    reflect()

    maps.create("a")
    until(lambda: heard.has("applied a"), what="the change", timeout_seconds=3)

    assert ["listed", "applied a"] == heard.words
