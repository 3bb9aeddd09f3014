"""From a host and a port to a listener."""

from __future__ import annotations

import errno
import socket
import sys
from collections.abc import Iterable, Sequence

from tulip_net._address import Address, check_host, format_address
from tulip_net._listener import Listener
from tulip_net._resolve import AddressInfo, getaddrinfo
from tulip_sched import Gen, coroutine

__all__ = ["BACKLOG", "listen"]

BACKLOG = 1024
"""Connections the kernel holds ready for us; it lowers this to its own limit by itself."""


@coroutine
def listen(
    host: str | Sequence[str] | None = None,
    port: int = 0,
    *,
    family: int = socket.AF_UNSPEC,
    backlog: int = BACKLOG,
    reuse_port: bool = False,
) -> Gen[Listener]:
    """Listen for TCP connections.

    Args:
        host: A name or an address, or several; every address they have is listened on. ``None``:
            all of this host's, IPv4 and IPv6.
        port: 0 lets the system choose; several addresses then share one port.
        family: ``AF_INET`` or ``AF_INET6`` for only one of the two.
        backlog: How many connections the kernel may hold ready.
        reuse_port: Let several processes listen on the same port (``SO_REUSEPORT``).

    Raises:
        ResolveError: The name has no address.
        OSError: An address cannot be listened on; the message names it. (If it is only that this
            system has no IPv6, say, it is passed over where there are others.)
        ValueError: ``port`` is out of range, or ``host`` is an empty sequence.
        TypeError: ``host`` is neither text, nor a sequence of texts, nor None.
    """
    answers: list[AddressInfo] = []
    for each in [host] if host is None or isinstance(host, str) else _several(host):
        answers += yield from getaddrinfo(each, port, family=family, flags=socket.AI_PASSIVE)
    sockets: list[socket.socket] = []
    missing: OSError | None = None
    try:
        for answer in dict.fromkeys(answers):
            try:
                sock = _listening_socket(answer, port, backlog, reuse_port)
            except OSError as error:
                if error.errno != errno.EAFNOSUPPORT:
                    raise
                missing = error
            else:
                sockets.append(sock)
                port = port or sock.getsockname()[1]
        if missing is not None and not sockets:
            raise missing
        return Listener(sockets)
    except BaseException:
        for sock in sockets:
            sock.close()
        raise


def _several(hosts: object) -> list[str]:
    if isinstance(hosts, Iterable) and not isinstance(hosts, bytes):
        return [check_host(one) for one in hosts]
    raise TypeError(f"host must be a str, or a sequence of them, got {hosts!r}")


def _listening_socket(
    answer: AddressInfo, port: int, backlog: int, reuse_port: bool
) -> socket.socket:
    family, kind, protocol, _, address = answer
    address = (address[0], port, *address[2:])
    try:
        sock = socket.socket(family, kind, protocol)
    except OSError as error:
        raise _refused(error, address) from error
    try:
        if sys.platform != "win32":
            # Or a restarted server waits for its old connections to be forgotten. (On Windows
            # the same option lets two servers share a port.)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if reuse_port:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        elif reuse_port:
            raise ValueError("Windows has no reuse_port")
        if family == socket.AF_INET6:
            # IPv4 has a socket of its own, on every system alike.
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # accepted sockets inherit it
        sock.bind(address)
        sock.listen(backlog)
    except ValueError:
        sock.close()
        raise
    except OSError as error:
        sock.close()
        raise _refused(error, address) from error
    return sock


def _refused(error: OSError, address: Address) -> OSError:
    where = format_address(address)
    return OSError(error.errno, f"cannot listen on {where}: {error.strerror}")
