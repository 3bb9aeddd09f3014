"""Addresses: what they look like in Python, and in a message."""

from __future__ import annotations

import socket
from typing import TypeAlias

__all__ = ["Address", "AddressInfo", "check_host", "check_pair", "check_port", "format_address"]

Address: TypeAlias = tuple[str, int] | tuple[str, int, int, int] | str | bytes
"""IPv4 ``(host, port)``; IPv6 ``(host, port, flow, scope)``; the path of a Unix socket."""

AddressInfo: TypeAlias = tuple[
    socket.AddressFamily, socket.SocketKind, int, str, tuple[str, int] | tuple[str, int, int, int]
]
"""One answer, as `socket.getaddrinfo` gives it: family, type, protocol, canonical name, address."""


def format_address(address: Address | None) -> str:
    """Write an address as a URL does: ``127.0.0.1:80``, ``[::1]:80``, ``/run/a``, ``@abstract``.

    Args:
        address: Such as a transport's ``peer_address``. What has none, as the client's end of a
            Unix socket, is ``"an unnamed socket"``.
    """
    match address:
        case (str() as host, int() as port, *_):
            return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        case bytes():
            return address.decode("utf-8", "backslashreplace").replace("\0", "@", 1)
        case "" | None:
            return "an unnamed socket"
    return str(address).replace("\0", "@", 1)


def check_host(host: object) -> str:
    """Return ``host`` if it can be a name or an address.

    Raises:
        TypeError: It is no ``str``. `socket.getaddrinfo` would take None for this very host.
        ValueError: It is empty, or contains a null byte.
    """
    if not isinstance(host, str):
        raise TypeError(f"host must be a str, got {host!r}")
    if not host or "\0" in host:
        raise ValueError(f"{host!r} is not a host name")
    return host


def check_pair(name: str, address: object) -> tuple[str, int]:
    """Return ``address`` if it is a host and a port; neither of the two is looked at.

    Raises:
        TypeError: It is something else, such as a host alone; ``name`` is the argument's.
    """
    if not isinstance(address, tuple) or len(address) != 2:
        raise TypeError(f"{name} must be (host, port), got {address!r}")
    return address


def check_port(port: object, lowest: int = 0) -> int:
    """Return ``port`` if it is one.

    Raises:
        TypeError: It is no ``int``.
        ValueError: It is not between ``lowest`` and 65535.
    """
    if not isinstance(port, int) or isinstance(port, bool):
        raise TypeError(f"port must be an int, got {port!r}")
    if not lowest <= port <= 65535:
        raise ValueError(f"port must be between {lowest} and 65535, got {port}")
    return port
