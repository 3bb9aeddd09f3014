"""From hosts and ports to a UDP socket, bound, connected, or both."""

from __future__ import annotations

import socket
import sys

from tulip_net._address import check_host, check_port, format_address
from tulip_net._datagram import DatagramTransport
from tulip_net._errors import ConnectError
from tulip_net._resolve import Resolver, getaddrinfo, resolve_local
from tulip_sched import Gen, coroutine

__all__ = ["open_datagram"]


@coroutine
def open_datagram(
    *,
    local: tuple[str, int] | None = None,
    remote: tuple[str, int] | None = None,
    family: int = socket.AF_UNSPEC,
    broadcast: bool = False,
    reuse_port: bool = False,
    resolver: Resolver = getaddrinfo,
) -> Gen[DatagramTransport]:
    """Open a UDP socket.

    Args:
        local: Host and port to receive at; port 0 lets the system choose.
        remote: Host and port to connect to: the socket then sends to and receives from nobody
            else, and is told when nobody listens there.
        family: ``AF_INET`` or ``AF_INET6``; needed where there is neither ``local`` nor
            ``remote``.
        broadcast: Allow sending to broadcast addresses.
        reuse_port: Let several sockets share ``local`` (``SO_REUSEPORT``).
        resolver: Looks up the host of ``remote``.

    Raises:
        ResolveError: A name has no address.
        ConnectError: No address of ``remote`` is reachable from here.
        OSError: ``local`` cannot be had; the message names it.
        ValueError: A port is out of range, a host is empty, or nothing says which family to use.
        TypeError: A host or a port is of another type, such as None.
    """
    if remote is None:
        if local is not None:
            host, port = local
            check_host(host)
            answers = yield from getaddrinfo(host, port, family=family, flags=socket.AI_PASSIVE)
            family = answers[0][0]
        if family == socket.AF_UNSPEC:
            raise ValueError("open_datagram() needs a local or a remote address, or a family")
        sock = yield from _bound_socket(family, local, broadcast, reuse_port)
        return DatagramTransport(sock)
    host, port = remote
    check_host(host)
    check_port(port, lowest=1)
    failures: list[tuple[str, OSError]] = []
    for answer in (yield from resolver(host, port, family=family)):
        sock = yield from _bound_socket(answer[0], local, broadcast, reuse_port)
        try:
            sock.connect(answer[4])  # a datagram socket does not wait here
        except OSError as error:
            sock.close()
            failures.append((format_address(answer[4]), error))
        else:
            return DatagramTransport(sock)
    raise ConnectError(format_address(remote), tuple(failures)) from failures[0][1]


@coroutine
def _bound_socket(
    family: int, local: tuple[str, int] | None, broadcast: bool, reuse_port: bool
) -> Gen[socket.socket]:
    address = None if local is None else (yield from resolve_local(local, family))
    sock = socket.socket(family, socket.SOCK_DGRAM)
    try:
        if broadcast:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        if reuse_port:
            if sys.platform == "win32":
                raise ValueError("Windows has no reuse_port")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6:
            # IPv4 has sockets of its own, on every system alike.
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        if address is not None:
            sock.bind(address)
    except OSError as error:
        sock.close()
        text = f"cannot receive at {format_address(address)}: {error.strerror}"
        raise OSError(error.errno, text) from error
    except BaseException:
        sock.close()
        raise
    return sock
