"""
Where the HTTP server listens: what --listen may say, and the socket that comes of it.

":10221" means every address of the machine, IPv6 and IPv4, or IPv4 alone where there is no IPv6. What answers there is
server.py's.
"""

import errno
import os
import socket

import msgspec


# A flood of connections must not leave the probe with a SYN that is sent again a second later.
BACKLOG = 1024
_LOCALHOST = "localhost"
_EVERY_IPV6 = "::"
_EVERY_IPV4 = "0.0.0.0"  # noqa: S104 - kubelet and Prometheus come from outside the Pod
_MOST_PORT = 65535
_NO_IPV6 = frozenset({errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL, errno.EPROTONOSUPPORT})


class CannotListen(Exception):
    """The address cannot be understood or used; the text is one line that says what was asked and why not."""


class ListenAddress(msgspec.Struct, frozen=True):
    """An IP address ("" is every one) and a port (0: any that is free)."""

    host: str
    port: int


def listen_address(text: str) -> ListenAddress:
    """
    Parse ":10221", "0.0.0.0:10221", "[::1]:10221" or "localhost:10221".

    Raises:
        CannotListen: it is none of these.
    """
    host, colon, port = text.rpartition(":")
    is_bracketed = host.startswith("[") and host.endswith("]")
    if not colon or not _is_port(port) or (":" in host and not is_bracketed):
        raise CannotListen(f'"{text}" is no address to listen on: it is IP:PORT, [IPV6]:PORT or :PORT')
    host = host[1:-1] if is_bracketed else host
    if host and host != _LOCALHOST and not _is_ip(host):
        raise CannotListen(f'"{text}" is no address to listen on: "{host}" is no IP address; :{port} is every address')
    return ListenAddress("127.0.0.1" if host == _LOCALHOST else host, int(port))


def open_listener(address: ListenAddress) -> socket.socket:
    """
    Open the socket and listen; an address of :: takes IPv4 too, as Go's servers do.

    Raises:
        CannotListen: the port is taken, the address is not this machine's, or the port needs more rights.
    """
    try:
        return _listener(address)
    except OSError as error:
        why = os.strerror(error.errno) if error.errno else str(error)
        host = f"[{address.host}]" if ":" in address.host else address.host
        raise CannotListen(f"cannot listen on {host}:{address.port}: {why}") from error


def _listener(address: ListenAddress) -> socket.socket:
    if address.host:
        return _bound(address.host, address.port)
    try:
        return _bound(_EVERY_IPV6, address.port)
    except OSError as error:
        if error.errno not in _NO_IPV6:
            raise
    return _bound(_EVERY_IPV4, address.port)


def _bound(host: str, port: int) -> socket.socket:
    flags = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV | socket.AI_PASSIVE
    family, kind, _, _, name = socket.getaddrinfo(host, str(port), type=socket.SOCK_STREAM, flags=flags)[0]
    listener = socket.socket(family, kind)
    try:
        # A restart finds connections of the earlier process in TIME_WAIT.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, int(host != _EVERY_IPV6))
        listener.bind(name)
        listener.listen(BACKLOG)
    except BaseException:
        listener.close()
        raise
    return listener


def _is_port(text: str) -> bool:
    return text.isascii() and text.isdecimal() and int(text) <= _MOST_PORT


def _is_ip(text: str) -> bool:
    try:
        socket.getaddrinfo(text, None, flags=socket.AI_NUMERICHOST)
    except (OSError, UnicodeError):
        return False
    return True
