"""A port that is held for a server that can't let the kernel choose one itself, over its restarts too."""

import socket


class HeldPort:
    """
    A free port of all addresses, IPv6 too where the machine has it, from construction to `close`.

    The kernel gives a bound port to nobody else, and a socket that does not listen takes no connection. The server
    binds the same one by SO_REUSEPORT, which the kernel allows within one user.
    """

    def __init__(self) -> None:
        self._socket, self.has_ipv6 = _bound()
        self.number: int = self._socket.getsockname()[1]

    def close(self) -> None:
        """Give the port back."""
        self._socket.close()


def _bound() -> tuple[socket.socket, bool]:
    for family, address in ((socket.AF_INET6, "::"), (socket.AF_INET, "0.0.0.0")):
        try:
            return _bind(family, address), family == socket.AF_INET6
        except OSError:
            if family == socket.AF_INET:
                raise
    raise OSError("no port could be bound")


def _bind(family: socket.AddressFamily, address: str) -> socket.socket:
    held = socket.socket(family)
    try:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6:
            held.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        held.bind((address, 0))
    except OSError:
        held.close()
        raise
    return held
