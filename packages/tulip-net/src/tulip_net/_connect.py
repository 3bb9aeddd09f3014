"""From a host and a port to a connected socket.

Happy Eyeballs: the addresses of a name are tried in alternating families, the next one 250 ms
after the last or as soon as one fails; the first connection wins and the others are closed.

Source: RFC 8305; section 4 for the order, section 5 for the delay.
"""

from __future__ import annotations

import errno
import os
import socket
import sys
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain, zip_longest

from tulip_net._address import Address, check_host, check_port, format_address
from tulip_net._errors import ConnectError
from tulip_net._resolve import AddressInfo, Resolver, getaddrinfo, resolve_both
from tulip_net._seconds import check_seconds
from tulip_sched import (
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

__all__ = ["connect", "create_connection"]

UNDER_WAY = {errno.EINPROGRESS, errno.EINTR}
if sys.platform == "win32":
    # Elsewhere it means that a Unix socket's backlog is full, and nothing is under way.
    UNDER_WAY.add(errno.EWOULDBLOCK)

ATTEMPT_DELAY = 0.25
"""Seconds; RFC 8305 section 5, "Connection Attempt Delay"."""


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
        local_address: Host and port of our end; port 0 lets the system choose. Only addresses of
            its family, or families, are tried.
        attempt_delay: Seconds before the next address is tried beside those under way.
        resolver: Looks the name up.

    Returns:
        A connected, non-blocking socket with ``TCP_NODELAY`` set.

    Raises:
        ResolveError: The name has no address, or none of the local address's family.
        ConnectError: No address answers; it lists each with its reason.
        ValueError: ``port`` is out of range, ``host`` is empty, or ``attempt_delay`` is negative.
        TypeError: One of them is of another type, such as a ``host`` that is None.

    Cancelling closes every socket that was opened.
    """
    check_host(host)
    check_port(port, lowest=1)
    check_seconds("attempt_delay", attempt_delay)
    answers, own = yield from resolve_both(resolver, (host, port), local_address, family)
    target = format_address((host, port))
    if len(answers) > 1:
        race = _Race(target, list(interleave(answers)), own, attempt_delay)
        return (yield from race.run())
    try:
        return (yield from _attempt(answers[0], own))
    except ConnectError as error:  # name what was asked for, besides the address
        raise ConnectError(target, error.failures) from error.__cause__


def interleave(answers: Iterable[AddressInfo]) -> Iterator[AddressInfo]:
    """Alternate between the families, beginning with the first answer's (RFC 8305 section 4)."""
    families: dict[int, list[AddressInfo]] = {}
    for answer in answers:
        families.setdefault(answer[0], []).append(answer)
    rounds = chain.from_iterable(zip_longest(*families.values()))
    return (answer for answer in rounds if answer is not None)


@coroutine
def _attempt(answer: AddressInfo, own: Mapping[int, Address]) -> Gen[socket.socket]:
    """Make one connection; a socket that does not come to be connected is closed."""
    family, kind, protocol, _, address = answer
    where = format_address(address)
    sock: socket.socket | None = None
    try:
        sock = socket.socket(family, kind, protocol)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if own:
            sock.bind(own[family])
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
        own: Mapping[int, Address],
        delay: float,
    ) -> None:
        self._target = target
        self._waiting = answers[::-1]
        self._own = own
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
        attempt = _attempt(answer, self._own)
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
