"""From a host and a port to a connected transport.

Happy Eyeballs: the addresses of a name are tried in alternating families, the next one 250 ms
after the last or as soon as one fails; the first connection wins and the others are closed.

Source: RFC 8305; section 4 for the order, section 5 for the delay.
"""

from __future__ import annotations

import errno
import os
import socket
import ssl as _ssl
import sys
from collections.abc import Iterable, Iterator
from itertools import chain, zip_longest
from typing import Protocol

from tulip_net._address import Address, check_port, format_address
from tulip_net._errors import ConnectError
from tulip_net._resolve import AddressInfo, Resolver, getaddrinfo, resolve_local
from tulip_net._socket import SocketTransport
from tulip_net._transport import Transport
from tulip_net.tls import client_context, start_tls
from tulip_net.tls._start import CLOSING_TIMEOUT
from tulip_sched import (
    Coroutine,
    Gen,
    Task,
    Watch,
    coroutine,
    create_task,
    move_on_after,
    shield,
    wait_all,
    wait_any,
)

__all__ = ["Connector", "connect", "create_connection", "create_transport"]

UNDER_WAY = {errno.EINPROGRESS, errno.EINTR}
if sys.platform == "win32":
    # Elsewhere it means that a Unix socket's backlog is full, and nothing is under way.
    UNDER_WAY.add(errno.EWOULDBLOCK)

ATTEMPT_DELAY = 0.25
"""Seconds; RFC 8305 section 5, "Connection Attempt Delay"."""


class Connector(Protocol):
    """Whatever makes a connection to a host and a port.

    `create_transport` is one, and so is a `functools.partial` of it with some of its options. A
    proxy is one that was made from another, so proxies can be chained.
    """

    def __call__(self, host: str, port: int, /) -> Coroutine[Transport]:
        """Connect, and return a transport.

        Raises:
            NetError: It could not.

        Cancelling closes what was opened.
        """
        ...


@coroutine
def connect(sock: socket.socket, address: Address) -> Gen[None]:
    """Connect a socket.

    Args:
        sock: It is made non-blocking, and closed if this fails or is cancelled: what state it
            would be in then, POSIX leaves open.
        address: Of the socket's family, numeric: a name would block the thread.

    Raises:
        ConnectError: Nobody answers there; ``__cause__`` is the ``OSError``.
    """
    try:
        sock.setblocking(False)
        failure = sock.connect_ex(address)
        if failure in UNDER_WAY:
            watch = Watch(sock.fileno())
            try:
                watch.block_w()
                yield
            finally:
                watch.forget()
            failure = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if failure:
            raise OSError(failure, os.strerror(failure))
    except OSError as error:
        sock.close()
        where = format_address(address)
        raise ConnectError(where, ((where, error),)) from error
    except BaseException:
        sock.close()
        raise


@coroutine
def create_connection(
    host: str,
    port: int,
    *,
    family: int = socket.AF_UNSPEC,
    local_address: tuple[str, int] | None = None,
    attempt_delay: float = ATTEMPT_DELAY,
    resolver: Resolver = getaddrinfo,
) -> Gen[socket.socket]:
    """Connect to a host over TCP, by whichever of its addresses answers first.

    Args:
        host: A name, or an IPv4 or IPv6 address.
        port: 1 to 65535.
        family: ``AF_INET`` or ``AF_INET6`` to use only one of the two.
        local_address: Host and port of our end; port 0 lets the system choose.
        attempt_delay: Seconds before the next address is tried beside those under way.
        resolver: Looks the name up.

    Returns:
        A connected, non-blocking socket with ``TCP_NODELAY`` set.

    Raises:
        ResolveError: The name has no address.
        ConnectError: No address answers; it lists each with its reason.
        ValueError: ``port`` is out of range.

    Cancelling closes every socket that was opened.
    """
    check_port(port, lowest=1)
    answers = yield from resolver(host, port, family=family)
    target = format_address((host, port))
    if len(answers) > 1:
        race = _Race(target, list(interleave(answers)), local_address, attempt_delay)
        return (yield from race.run())
    try:
        return (yield from _attempt(answers[0], local_address))
    except ConnectError as error:  # name what was asked for, besides the address
        raise ConnectError(target, error.failures) from error.__cause__


@coroutine
def create_transport(
    host: str,
    port: int,
    *,
    ssl: bool | _ssl.SSLContext | None = None,
    server_hostname: str | None = None,
    session: _ssl.SSLSession | None = None,
    proxy: Connector | None = None,
    family: int = socket.AF_UNSPEC,
    local_address: tuple[str, int] | None = None,
    attempt_delay: float = ATTEMPT_DELAY,
    resolver: Resolver = getaddrinfo,
    closing_timeout: float | None = CLOSING_TIMEOUT,
    truncation_ok: bool = False,
    half_close: bool = False,
) -> Gen[Transport]:
    """Connect to a host and return a transport, with TLS if asked for.

    Args:
        host: As for `create_connection`.
        port: Likewise.
        ssl: ``True`` for TLS verified against the system's trust store, or a context of one's
            own. ``None`` or ``False`` for none.
        server_hostname: The name the certificate must be good for; default: ``host``.
        session: As for `start_tls`.
        proxy: Makes the connection, such as a `Socks5Proxy`; the four options that follow then
            have no effect, as it is the proxy that looks the name up and connects.
        family: As for `create_connection`.
        local_address: Likewise.
        attempt_delay: Likewise.
        resolver: Likewise.
        closing_timeout: As for `start_tls`.
        truncation_ok: Likewise.
        half_close: Likewise.

    Raises:
        ResolveError, ConnectError, CertificateError, TlsError, ValueError: As for
            `create_connection` and `start_tls`.
        ProxyError: The proxy did not make the connection.

    Cancelling closes every socket that was opened.
    """
    if server_hostname is not None and not ssl:
        raise ValueError(f"server_hostname={server_hostname!r} is of no use without ssl")
    transport: Transport
    if proxy is not None:
        transport = yield from proxy(host, port)
    else:
        sock = yield from create_connection(
            host,
            port,
            family=family,
            local_address=local_address,
            attempt_delay=attempt_delay,
            resolver=resolver,
        )
        transport = SocketTransport(sock)
    if not ssl:
        return transport
    try:
        return (
            yield from start_tls(
                transport,
                client_context() if ssl is True else ssl,
                server_hostname=server_hostname or host.partition("%")[0],
                session=session,
                closing_timeout=closing_timeout,
                truncation_ok=truncation_ok,
                half_close=half_close,
            )
        )
    except BaseException:
        transport.close()
        raise


def interleave(answers: Iterable[AddressInfo]) -> Iterator[AddressInfo]:
    """Alternate between the families, beginning with the first answer's (RFC 8305 section 4)."""
    families: dict[int, list[AddressInfo]] = {}
    for answer in answers:
        families.setdefault(answer[0], []).append(answer)
    rounds = chain.from_iterable(zip_longest(*families.values()))
    return (answer for answer in rounds if answer is not None)


@coroutine
def _attempt(answer: AddressInfo, local_address: tuple[str, int] | None) -> Gen[socket.socket]:
    """Make one connection; a socket that does not come to be connected is closed."""
    family, kind, protocol, _, address = answer
    where = format_address(address)
    sock: socket.socket | None = None
    try:
        sock = socket.socket(family, kind, protocol)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if local_address is not None:
            sock.bind((yield from resolve_local(local_address, family)))
        yield from connect(sock, address)
    except BaseException as error:
        if sock is not None:
            sock.close()
        if isinstance(error, OSError):
            raise ConnectError(where, ((where, error),)) from error
        raise
    return sock


class _Race:
    """Several attempts at once, started one after another."""

    def __init__(
        self,
        target: str,
        answers: list[AddressInfo],
        local_address: tuple[str, int] | None,
        delay: float,
    ) -> None:
        self._target = target
        self._waiting = answers[::-1]
        self._local_address = local_address
        self._delay = delay
        self._running: set[Task[socket.socket]] = set()
        self._failures: list[tuple[str, OSError]] = []

    @coroutine
    def run(self) -> Gen[socket.socket]:
        """Return the first connection, with every other one closed."""
        winner: Task[socket.socket] | None = None
        try:
            while winner is None and (self._waiting or self._running):
                if self._waiting:
                    self._start_next()
                winner = yield from self._wait()
        finally:
            yield from self._close_losers(winner)
        if winner is None:
            raise ConnectError(self._target, tuple(self._failures)) from self._failures[0][1]
        return winner.result()

    def _start_next(self) -> None:
        answer = self._waiting.pop()
        attempt = _attempt(answer, self._local_address)
        name = f"connect to {format_address(answer[4])}"
        self._running.add(create_task(attempt, name))

    @coroutine
    def _wait(self) -> Gen[Task[socket.socket] | None]:
        """Return a task that has connected, or ``None`` when it is time for another attempt."""
        with move_on_after(self._delay if self._waiting else None):
            yield from wait_any(self._running)
        for task in [task for task in self._running if task.done()]:
            error = task.exception()
            if error is None:
                return task
            self._running.discard(task)
            if not isinstance(error, ConnectError):
                raise error
            self._failures += error.failures
        return None

    @coroutine
    def _close_losers(self, winner: Task[socket.socket] | None) -> Gen[None]:
        losers = self._running - {winner}
        for task in losers:
            task.cancel()
        with shield():  # each ends in its next step, so this takes no time
            yield from wait_all(losers)
        for task in losers:
            if task.exception() is None:  # it connected in the same moment
                task.result().close()
