"""The network of the fault tests: what is lost stays lost."""

import socket

import pytest

from tests.servers.network import Network
from tests.servers.processes import until


def test_what_is_held_when_a_connection_is_lost_never_arrives() -> None:
    """Sent again and again, it would tell the client that somebody lives, and its kernel would not give up in time."""
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        Network(listener.getsockname()[1]) as network,
        socket.create_connection(("127.0.0.1", network.port), timeout=10) as client,
    ):
        server, _ = listener.accept()
        with server:
            until(lambda: network.connections, what="the way is open", timeout_seconds=10)
            server.sendall(b"before")
            assert b"before" == client.recv(6)
            network.stall()
            server.sendall(b"held")

            network.lose()
            network.flow()

            client.settimeout(0.5)
            with pytest.raises(TimeoutError):
                client.recv(1)
