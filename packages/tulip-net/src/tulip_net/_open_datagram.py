"""From hosts and ports to a UDP socket, bound, connected, or both."""

from __future__ import annotations

import socket
import sys

from tulip_net._address import Address, check_host, check_pair, check_port, format_address
from tulip_net._datagram import DatagramTransport
from tulip_net._errors import ConnectError
from tulip_net._resolve import Resolver, getaddrinfo, resolve_both
from tulip_sched import Gen, coroutine

__all__ = ["open_datagram"]


@coroutine
def open_datagram(
    *,
    local_address: tuple[str, int] | None = None,
    peer_address: tuple[str, int] | None = None,
    family: int = socket.AF_UNSPEC,
    broadcast: bool = False,
    reuse_port: bool = False,
    resolver: Resolver = getaddrinfo,
) -> Gen[DatagramTransport]:
    """Open a UDP socket.

    Args:
        local_address: Host and port to receive at; port 0 lets the system choose.
        peer_address: Host and port to connect to: the socket then sends to and receives from nobody
            else, and is told when nobody listens there.
        family: ``AF_INET`` or ``AF_INET6``; needed where there is neither ``local_address`` nor
            ``peer_address``.
        broadcast: Allow sending to broadcast addresses.
        reuse_port: Let several sockets share ``local_address`` (``SO_REUSEPORT``).
        resolver: Looks up the host of ``peer_address``.

    Raises:
        ResolveError: A name has no address, or ``peer_address`` none of ``local_address``'s family.
        ConnectError: No address of ``peer_address`` is reachable from here.
        OSError: ``local_address`` cannot be had; the message names it.
        ValueError: A port is out of range, a host is empty, or nothing says which family to use.
        TypeError: A host or a port is of another type, such as None.
    """
    if peer_address is None:
        address: Address | None = None
        if local_address is not None:
            host, port = check_pair("local_address", local_address)
            check_host(host)
            found = yield from getaddrinfo(host, port, family=family, flags=socket.AI_PASSIVE)
            family, address = found[0][0], found[0][4]
        if family == socket.AF_UNSPEC:
            raise ValueError("open_datagram() needs a local or a peer address, or a family")
        sock = socket.socket(family, socket.SOCK_DGRAM)
        _prepare(sock, address, broadcast, reuse_port, mapped=_is_mapped(address))
        return DatagramTransport(sock)
    host, port = check_pair("peer_address", peer_address)
    check_host(host)
    check_port(port, lowest=1)
    failures: list[tuple[str, OSError]] = []
    answers, own = yield from resolve_both(resolver, peer_address, local_address, family)
    for family, _, _, _, address in answers:
        try:
            sock = socket.socket(family, socket.SOCK_DGRAM)
        except OSError as error:  # such as that there is no IPv6 here
            failures.append((format_address(address), error))
            continue
        _prepare(sock, own.get(family), broadcast, reuse_port, mapped=_is_mapped(address))
        try:
            sock.connect(address)  # a datagram socket does not wait here
        except OSError as error:
            sock.close()
            failures.append((format_address(address), error))
        else:
            return DatagramTransport(sock)
    raise ConnectError(format_address(peer_address), tuple(failures)) from failures[0][1]


def _is_mapped(address: Address | None) -> bool:
    """Return whether it is an IPv4 address in IPv6's clothes (RFC 4291 section 2.5.5.2)."""
    host = str(address[0]) if address else ""
    return host.startswith("::ffff:") and "." in host


def _prepare(
    sock: socket.socket,
    address: Address | None,
    broadcast: bool,
    reuse_port: bool,
    *,
    mapped: bool,
) -> None:
    """Set a socket's options and bind it; it is closed if that fails."""
    try:
        if broadcast:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        if reuse_port:
            if sys.platform == "win32":
                raise ValueError("Windows has no reuse_port")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if sock.family == socket.AF_INET6 and not mapped:
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
