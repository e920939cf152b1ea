"""Where a server listens: what may be said, on which addresses it answers then, and one line for what cannot be."""

import socket
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest

from daemon.observe.listening import CannotListen, ListenAddress, listen_address, open_listener


def _ipv6_works() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


needs_ipv6 = pytest.mark.skipif(not _ipv6_works(), reason="this machine has no IPv6")


@pytest.fixture
def listening() -> Iterator[Callable[[str], int]]:
    """Open listeners, and close them at the end; returns the port."""
    opened: list[socket.socket] = []

    def listen(text: str) -> int:
        opened.append(open_listener(listen_address(text)))
        return int(opened[-1].getsockname()[1])

    yield listen
    for listener in opened:
        listener.close()


def _answers(host: str, port: int) -> bool:
    try:
        with closing(socket.create_connection((host, port), timeout=5)):
            return True
    except ConnectionRefusedError:
        return False


@pytest.mark.parametrize(
    ("expected", "text"),
    [
        (ListenAddress("", 10221), ":10221"),
        (ListenAddress("0.0.0.0", 10221), "0.0.0.0:10221"),
        (ListenAddress("::", 10221), "[::]:10221"),
        (ListenAddress("::1", 0), "[::1]:0"),
        (ListenAddress("127.0.0.1", 0), "127.0.0.1:0"),
        (ListenAddress("127.0.0.1", 80), "localhost:80"),
    ],
)
def test_an_address_is_read(expected: ListenAddress, text: str) -> None:
    """Each form that Go's net.Listen takes for one address."""
    assert expected == listen_address(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "10221",
        "0.0.0.0",
        "::1:80",
        "[::1]",
        "[::1]80",
        ":-1",
        ":65536",
        ":x",
        ":\u0661",
        "no host:1",
        "example.com:1",
    ],
)
def test_what_is_no_address_is_refused_in_one_line(text: str) -> None:
    """It names what was given and what would do."""
    with pytest.raises(CannotListen, match="is no address to listen on") as refused:
        listen_address(text)

    assert f'"{text}"' in str(refused.value)
    assert "\n" not in str(refused.value)


@needs_ipv6
@pytest.mark.parametrize("text", [":0", "[::]:0"])
def test_every_address_is_ipv6_and_ipv4(text: str, listening: Callable[[str], int]) -> None:
    """A kubelet of either family reaches it."""
    port = listening(text)

    assert _answers("127.0.0.1", port)
    assert _answers("::1", port)


@pytest.mark.parametrize("error", ["EAFNOSUPPORT", "EADDRNOTAVAIL"])
def test_a_machine_without_ipv6_listens_on_ipv4(
    error: str, listening: Callable[[str], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What cannot be made here: a kernel that has no IPv6 says so when a socket is made or bound."""
    import errno

    real = socket.socket

    def without_ipv6(family: int = socket.AF_INET, *arguments: int) -> socket.socket:
        if family == socket.AF_INET6:
            raise OSError(getattr(errno, error), "none here")
        return real(family, *arguments)

    monkeypatch.setattr(socket, "socket", without_ipv6)

    assert _answers("127.0.0.1", listening(":0"))


@needs_ipv6
def test_an_ipv6_address_is_that_alone(listening: Callable[[str], int]) -> None:
    """[::1] is no way in over IPv4."""
    port = listening("[::1]:0")

    assert _answers("::1", port)
    assert not _answers("127.0.0.1", port)


@needs_ipv6
def test_an_ipv4_address_is_that_alone(listening: Callable[[str], int]) -> None:
    """0.0.0.0 is every IPv4 address."""
    port = listening("0.0.0.0:0")

    assert _answers("127.0.0.1", port)
    assert not _answers("::1", port)


@pytest.mark.parametrize("form", ["127.0.0.1:{}", ":{}"])
def test_a_port_in_use_is_said_in_one_line(form: str, listening: Callable[[str], int]) -> None:
    """Also where another process has it on one address only."""
    port = listening("127.0.0.1:0")

    with pytest.raises(CannotListen, match=rf"^cannot listen on .*:{port}: Address already in use$"):
        listening(form.format(port))


def test_an_address_of_another_machine_is_said_in_one_line(listening: Callable[[str], int]) -> None:
    """192.0.2.0/24 is nobody's."""
    with pytest.raises(CannotListen, match=r"^cannot listen on 192\.0\.2\.1:0: Cannot assign requested address$"):
        listening("192.0.2.1:0")


def test_a_port_can_be_had_again_at_once(listening: Callable[[str], int]) -> None:
    """A restart does not wait for connections of the process before it."""
    listener = open_listener(listen_address("127.0.0.1:0"))
    port = listener.getsockname()[1]
    client = socket.create_connection(("127.0.0.1", port), timeout=5)
    served, _ = listener.accept()
    # Who closes first is left in TIME_WAIT.
    served.close()
    client.close()
    listener.close()

    assert port == listening(f"127.0.0.1:{port}")
