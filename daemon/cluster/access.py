"""
Where the API server is, how we know it, and how it knows us: as a Pod has it.

The same value comes from a kubeconfig (kubeconfig.py); everything after it is the same for both.
"""

import re
from collections.abc import Mapping
from pathlib import Path

import msgspec

from daemon.cluster.tokens import FileToken, TokenSource


HOST_VARIABLE = "KUBERNETES_SERVICE_HOST"
PORT_VARIABLE = "KUBERNETES_SERVICE_PORT"

_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")
_IPV6 = re.compile(r"[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*")
_PORT = re.compile(r"[1-9][0-9]{0,4}")
_PORT_MOST = 65535
_REMEDY = "not in a Pod? give --kubeconfig"


class NoAccess(Exception):
    """How to reach the API server can't be found out; the message says what is missing and what to do."""


class Access(msgspec.Struct, frozen=True, kw_only=True):
    """
    One API server and who we are to it.

    Attributes:
        server: its address, https://host:port, an IPv6 address in brackets; a path after it is a prefix of all others.
        ca_file: the certificates that may have signed the server's; None for the machine's own.
        client_certificate: the file of ours, where we are known by one; its key is in client_key.
        token: gives the bearer token of each request; None for no token.
        server_name: the name to ask for and expect in its certificate, where it differs from the host.
        is_insecure: takes any certificate, as a kubeconfig may say.
    """

    server: str
    ca_file: Path | None = None
    client_certificate: Path | None = None
    client_key: Path | None = None
    token: TokenSource | None = None
    server_name: str = ""
    is_insecure: bool = False


def in_pod(folder: Path, *, environment: Mapping[str, str]) -> Access:
    """
    Return the access that the kubelet gives each Pod: two variables and a folder with token and CA.

    Raises:
        NoAccess: a variable or a file is missing.
    """
    server = f"https://{_host(environment)}:{_port(environment)}"
    for name in ("token", "ca.crt"):
        if not (folder / name).is_file():
            raise NoAccess(f"no API server: {folder / name} is missing ({_REMEDY})")
    return Access(server=server, ca_file=folder / "ca.crt", token=FileToken(folder / "token"))


def _host(environment: Mapping[str, str]) -> str:
    host = _value(environment, HOST_VARIABLE)
    if _IPV6.fullmatch(host):
        return f"[{host}]"
    if not _HOST.fullmatch(host):
        raise NoAccess(f"no API server: {HOST_VARIABLE} is {host!r}, which is no address or host name ({_REMEDY})")
    return host


def _port(environment: Mapping[str, str]) -> int:
    port = _value(environment, PORT_VARIABLE)
    if not _PORT.fullmatch(port) or int(port) > _PORT_MOST:
        raise NoAccess(f"no API server: {PORT_VARIABLE} is {port!r}, which is no port ({_REMEDY})")
    return int(port)


def _value(environment: Mapping[str, str], name: str) -> str:
    value = environment.get(name, "").strip()
    if not value:
        raise NoAccess(f"no API server: the variable {name} is not set ({_REMEDY})")
    return value
