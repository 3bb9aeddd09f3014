"""From names to addresses, and back."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from typing import Any, Final, Protocol

from tulip_net._address import (
    Address,
    AddressInfo,
    check_host,
    check_pair,
    check_port,
    format_address,
)
from tulip_net._errors import ResolveError
from tulip_net._lookups import look_up
from tulip_sched import Coroutine, Gen, coroutine

__all__ = [
    "AddressInfo",
    "Resolver",
    "getaddrinfo",
    "getnameinfo",
    "resolve_both",
    "resolve_local",
]

LITERAL: Final = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV
"""With these the C library asks no server and reads no file: it does not block."""


class Resolver(Protocol):
    """A coroutine function like `getaddrinfo`, to look names up in another way."""

    def __call__(
        self, host: str, port: int, *, family: int
    ) -> Coroutine[Sequence[AddressInfo]]: ...


@coroutine
def getaddrinfo(
    host: str | None,
    port: int,
    *,
    family: int = socket.AF_UNSPEC,
    type: int = socket.SOCK_STREAM,  # noqa: A002 - the standard library's own name for it
    flags: int = 0,
) -> Gen[list[AddressInfo]]:
    """Look a name up; a literal address comes back at once.

    Args:
        host: A name, an IPv4 or an IPv6 address, with its zone if need be (``fe80::1%eth0``).
            ``None``, with the flag ``AI_PASSIVE``: every address of this host.
        port: 0 to 65535.
        family: ``AF_INET`` or ``AF_INET6`` to restrict the answer.
        type: The kind of socket the addresses are for.
        flags: Of `socket.getaddrinfo`.

    Returns:
        At least one entry, in the system's order of preference (RFC 6724).

    Raises:
        ResolveError: There is no such name, no address of that family, or no answer.
        ValueError: ``port`` is out of range, or ``host`` is empty or contains a null byte.
        TypeError: ``host`` or ``port`` is of another type.

    Names are looked up in threads of their own, at most 32 at a time for the process, and one for
    all tasks that ask for the same. A cancelled look-up is taken back or, if it is under way, left
    alone: nothing waits for it, not even the end of the process.
    """
    check_port(port)
    if host is not None:
        check_host(host)
    if host == "*":  # which glibc takes for None: this very host
        raise ResolveError(host, "not a valid name")
    flags |= socket.AI_NUMERICSERV
    try:
        return _addresses(host, port, family, type, flags | LITERAL)
    except UnicodeError as error:
        raise ResolveError(str(host), f"not a valid name ({error})") from error
    except socket.gaierror:
        pass  # a name
    except OSError as error:  # of Python's, which imports `idna` here the first time
        raise ResolveError(str(host), error.strerror or str(error)) from error
    try:
        question = (_addresses, host, (port, family, type, flags))
        found: list[AddressInfo] = yield from look_up(question)
    except OSError as error:  # a gaierror, or for EAI_SYSTEM what the system said
        raise ResolveError(str(host), error.strerror or str(error)) from error
    return found


def _addresses(
    host: str | None, port: int, family: int, kind: int, flags: int
) -> list[AddressInfo]:
    """Ask, and leave out what nobody can connect to.

    A Python without IPv6 gives IPv6 addresses as raw bytes.
    """
    answers: list[Any] = socket.getaddrinfo(host, port, family, kind, 0, flags)
    return [answer for answer in answers if isinstance(answer[4][0], str)]


@coroutine
def getnameinfo(address: Address, *, flags: int = 0) -> Gen[tuple[str, str]]:
    """Look up the name of an address, and that of the service at its port.

    Args:
        address: A literal IPv4 or IPv6 address and a port, such as a transport's
            ``peer_address``.
        flags: Of `socket.getnameinfo`. With ``NI_NUMERICHOST`` nobody is asked; with
            ``NI_NAMEREQD`` an address without a name is an error.

    Returns:
        The name and the service. Where there is none, the address and the port as they are.

    Raises:
        ResolveError: There is no answer, or with ``NI_NAMEREQD`` no name.
        ValueError: The host is no literal address, or the port is out of range.
        TypeError: Either is of another type, or it is a Unix socket's address.

    Whoever owns an address decides what it is called: ask for the addresses of the name before
    you trust it.

    Looked up in the same threads as by `getaddrinfo`, and cancelled as there.

    Source: RFC 3493 section 6.2; RFC 1035 section 3.5.
    """
    if not isinstance(address, tuple):
        raise TypeError(f"an address with a name is a host and a port, got {address!r}")
    host, port = check_host(address[0]), check_port(address[1])
    try:
        _addresses(host, port, socket.AF_UNSPEC, socket.SOCK_DGRAM, LITERAL)
    except (OSError, UnicodeError):
        raise ValueError(f"the name of a literal address can be asked for, got {host!r}") from None
    more = (*address[1:], flags)
    try:
        if flags & socket.NI_NUMERICHOST:
            return _names(host, *more)
        found: tuple[str, str] = yield from look_up((_names, host, more))
    except OSError as error:
        raise ResolveError(host, error.strerror or str(error)) from error
    return found


def _names(host: str, *more: int) -> tuple[str, str]:
    *rest, flags = more
    return socket.getnameinfo((host, *rest), flags)  # type: ignore[arg-type]  # two or four


@coroutine
def resolve_local(address: tuple[str, int] | None, family: int) -> Gen[dict[int, Address]]:
    """Return the socket addresses to bind for a local ``(host, port)``, one for each family."""
    if address is None:
        return {}
    host, port = check_pair("local_address", address)
    check_host(host)
    answers = yield from getaddrinfo(host, port, family=family)
    return {answer[0]: answer[4] for answer in reversed(answers)}


@coroutine
def resolve_both(
    resolver: Resolver,
    peer_address: tuple[str, int],
    local_address: tuple[str, int] | None,
    family: int,
) -> Gen[tuple[Sequence[AddressInfo], dict[int, Address]]]:
    """Look up where to connect to, and what to bind for it in each family.

    Raises:
        ResolveError: One of the two has no address, or they have none in the same family.
    """
    host, port = peer_address
    answers = yield from resolver(host, port, family=family)
    own = yield from resolve_local(local_address, family)
    if local_address is not None:
        usable_here = [answer for answer in answers if answer[0] in own]
        if answers and not usable_here:
            raise ResolveError(host, f"no address in the family of {format_address(local_address)}")
        answers = usable_here
    if not answers:
        raise ResolveError(host, "no address")
    return answers, own
