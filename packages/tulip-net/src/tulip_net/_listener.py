"""Waiting for connections, at one door or several.

Source: accept(2), "Error handling": errors already pending on the new connection are reported by
accept and mean nothing for the listening socket; POSIX.1-2017 accept() for ``EMFILE`` and its kin.
"""

from __future__ import annotations

import contextlib
import errno
import socket
import warnings
from collections import deque
from collections.abc import Callable, Iterable
from typing import final

from tulip_net._address import Address, format_address
from tulip_net._closable import Closable
from tulip_net._log import logger
from tulip_net._socket import SocketTransport
from tulip_net._typing import override
from tulip_sched import (
    BusyError,
    ClosedError,
    Gen,
    Task,
    Watch,
    coroutine,
    create_task,
    sleep,
    wait_any,
)

__all__ = ["Listener"]

NO_LISTENER = {errno.EBADF, errno.EINVAL, errno.ENOTSOCK, errno.EFAULT}
"""What says that the socket itself will never accept."""

OF_ONE_CONNECTION = {
    getattr(errno, name)
    for name in (
        *("ECONNABORTED", "ECONNRESET", "EPROTO", "ENOPROTOOPT", "ETIMEDOUT", "EINTR"),
        *("ENETDOWN", "ENETUNREACH", "EHOSTDOWN", "EHOSTUNREACH", "ENONET"),
    )
    if hasattr(errno, name)
}
"""What became of one connection before it was accepted; the next one may be fine."""

ALONE = 8
"""So many connections are taken to have come alone after one that did: the next wait, and not a
failed accept, finds out. Such a failure costs 4.6 microseconds of the 45 that a connection takes
(benchmarks/accept): the kernel makes a socket before it looks whether somebody is there. A crowd
that comes meanwhile costs one poll for each of the eight."""

PAUSE = 0.1
"""Seconds to wait after any other error, such as when descriptors have run out: long enough for
others to end and give theirs back, short enough for nobody to notice."""


@final
class Listener(Closable):
    """Accepts connections on one or several listening sockets; made by `listen`.

    Args:
        sockets: Listening stream sockets. The listener owns them from now on.

    Raises:
        ValueError: There is none, or one is no open stream socket.

    ``with`` and ``async with`` close it. Dropping a listener without a `close` warns
    (`ResourceWarning`).
    """

    def __init__(self, sockets: Iterable[socket.socket]) -> None:
        given = list(sockets)
        for sock in given:
            if sock.type != socket.SOCK_STREAM or sock.fileno() < 0:
                raise ValueError(f"a listener needs open stream sockets, got {sock!r}")
        self._watch_over([_Door(sock) for sock in given])
        if not self._doors:
            raise ValueError("a listener needs at least one socket")

    def _watch_over(self, doors: list[_Door]) -> None:
        self._doors = doors
        # Where somebody may be at the door. All of them at first: trying is cheap.
        self._ready = deque(doors)
        self._knocks: dict[_Door, Task[None]] = {}
        self._owns = True
        self._accepting = False
        self._exhausted = False
        # Now: when there is no descriptor left, none is left to import `logging` with.
        self._logger = logger()
        self._alone = 0  # so many connections are taken to come alone; see ALONE

    @classmethod
    def _joining(cls, listeners: Iterable[Listener]) -> Listener:
        """Return a listener on the sockets of others, which stay theirs if it is dropped."""
        joined = cls.__new__(cls)
        joined._watch_over([door for each in listeners for door in each._doors])
        joined._owns = False
        return joined

    @property
    def addresses(self) -> list[Address]:
        """The local addresses, one for each socket, with the ports the system has chosen.

        Raises:
            ClosedError: The listener is closed.
        """
        if self.closed:
            raise ClosedError(f"{self!r} has no address any more")
        return [door.sock.getsockname() for door in self._doors]

    @property
    def descriptors(self) -> list[int]:
        """The numbers of the listening sockets, which stay this listener's to close.

        For another process, which makes a listener of its own of them: sent to it by
        `send_descriptors`, or inherited (``pass_fds`` of `open_process`). That also works under
        `serve`: connections come to whichever process takes them, and as long as one of them has
        the sockets open, none is refused.

        Raises:
            ClosedError: The listener is closed.
        """
        if self.closed:
            raise ClosedError(f"{self!r} has no descriptor any more")
        return [door.sock.fileno() for door in self._doors]

    @property
    def port(self) -> int:
        """The port of the first socket.

        Raises:
            ClosedError: The listener is closed.
            TypeError: The socket is none that has ports.
        """
        address = self.addresses[0]
        if not isinstance(address, tuple):
            raise TypeError(f"{self!r} has no port")
        return address[1]

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return all(door.closed for door in self._doors)

    @coroutine
    def accept(self) -> Gen[SocketTransport]:
        """Wait for a connection.

        When the process has no descriptor left, or the system refuses for another reason that may
        pass, it logs a warning once, and tries again ten times a second; the kernel holds the
        connections meanwhile.

        Raises:
            ClosedError: The listener was closed by us.
            BusyError: Another task is already accepting.
            OSError: The listening socket failed.

        Cancelling loses no connection.
        """
        if self._accepting:
            raise BusyError(f"another task is already accepting on {self!r}")
        self._accepting = True
        try:
            while True:
                while self._ready:
                    transport = self._try(self._ready[0])
                    if transport is not None:
                        if self._alone:
                            self._alone -= 1
                            self._ready.popleft()
                        elif len(self._ready) > 1:
                            self._ready.rotate()  # a crowd at one door does not block the others
                        return transport
                    if self._exhausted:
                        yield from sleep(PAUSE)
                    elif self._ready:  # it was one connection; there may be many such
                        yield from sleep(0)
                if len(self._doors) == 1:
                    self._doors[0].watch.block_r()
                    yield
                    self._ready.append(self._doors[0])
                else:
                    yield from self._wait_for_any()
        finally:
            self._accepting = False

    @override
    def close(self) -> None:
        """Stop listening; connections the kernel holds ready are reset. Idempotent."""
        for door in self._doors:
            door.close()
        self._leave_doors()
        self._ready.extend(self._doors)  # whoever accepts runs into a closed socket

    def _try(self, door: _Door) -> SocketTransport | None:
        try:
            number, address = door.sock._accept()  # type: ignore[attr-defined]  # see _Door
        except BlockingIOError:
            self._ready.popleft()
            self._exhausted = False  # there is a descriptor: the kernel makes the socket first
            if len(self._doors) == 1:
                self._alone = ALONE
            return None
        except OSError as error:
            if self.closed:
                raise ClosedError(f"accepting on a listener that was closed: {self!r}") from None
            if door.closed:  # one of several that were joined
                self._ready.popleft()
                return None
            self._bear(error)
            return None
        self._exhausted = False
        sock = socket.SocketType(door.family, door.type, door.proto, number)
        return SocketTransport._accepted(sock, address)

    def _bear(self, error: OSError) -> None:
        """Go on after an error that is not about the listening socket; else raise it."""
        if error.errno in NO_LISTENER:
            raise error
        if error.errno not in OF_ONE_CONNECTION:
            # It may last, and trying at once would keep the loop from everything else.
            if not self._exhausted:
                self._logger.warning("%r pauses: %s", self, error)
            self._exhausted = True

    @coroutine
    def _wait_for_any(self) -> Gen[None]:
        """Wait until somebody is at one of several doors."""
        # A task suspends on one thing at a time: one more task waits at each door, and stays
        # there between calls.
        for door in self._doors:
            if door not in self._knocks and not door.closed:
                self._knocks[door] = create_task(self._wait_at(door), f"listen on {door!r}")
        for knock in (yield from wait_any(self._knocks.values())):
            if isinstance(knock.exception(), BusyError):  # somebody else waits at this door
                self._leave_doors()
                knock.result()  # raises it

    def _leave_doors(self) -> None:
        for knock in self._knocks.values():
            knock.cancel()

    @coroutine
    def _wait_at(self, door: _Door) -> Gen[None]:
        try:
            with contextlib.suppress(ClosedError):
                door.watch.block_r()
                yield
        finally:
            del self._knocks[door]
            self._ready.append(door)

    @override
    def __repr__(self) -> str:
        return f"<Listener on {', '.join(map(repr, self._doors))}>"

    def __del__(self) -> None:
        doors: list[_Door] = getattr(self, "_doors", [])
        if doors and self._owns and not self.closed:
            text = f"{self!r} was dropped without a close"
            warnings.warn(text, ResourceWarning, stacklevel=2, source=self)
            self.close()


class _Door:
    """One listening socket and its readiness, and the kind of the sockets that it gives.

    `socket.socket.accept` works out family and type each time, as members of enumerations, which
    takes longer than to make a socket object; and what it makes has an ``__init__`` and a ``close``
    in Python. A connection's socket is of the class below, all in C (benchmarks/accept).
    """

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self.sock = sock
        self.watch = Watch(sock.fileno())
        self._name = format_address(sock.getsockname())
        self.family, self.type, self.proto = int(sock.family), int(sock.type), sock.proto
        self.told: Callable[[], None] | None = None  # called by `close`

    @property
    def closed(self) -> bool:
        return self.sock.fileno() < 0

    def close(self) -> None:
        self.watch.forget()
        self.sock.close()
        told, self.told = self.told, None
        if told is not None:
            told()

    @override
    def __repr__(self) -> str:
        return self._name
