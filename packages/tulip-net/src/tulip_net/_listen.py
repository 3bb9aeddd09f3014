"""Waiting for connections.

Source: accept(2), "Error handling": errors already pending on the new connection are reported by
accept and mean nothing for the listening socket; POSIX.1-2017 accept() for ``EMFILE`` and its kin.
"""

from __future__ import annotations

import errno
import logging
import socket
import sys
import warnings
from collections import deque
from collections.abc import Iterable
from typing import final

from tulip_net._address import Address, format_address
from tulip_net._resolve import AddressInfo, getaddrinfo
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

__all__ = ["Listener", "listen"]

logger = logging.getLogger("tulip_net")

EXHAUSTED = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}
PAUSE = 0.1
"""Seconds to wait when descriptors have run out: long enough for others to end and give theirs
back, short enough for nobody to notice."""

BACKLOG = 1024
"""Connections the kernel holds ready for us; it lowers this to its own limit by itself."""


@final
class Listener:
    """Accepts connections on one or several listening sockets; made by `listen`.

    Args:
        sockets: Listening stream sockets. The listener owns them from now on.

    Dropping a listener without a `close` warns (`ResourceWarning`).
    """

    def __init__(self, sockets: Iterable[socket.socket]) -> None:
        self._doors = [_Door(sock) for sock in sockets]
        if not self._doors:
            raise ValueError("a listener needs at least one socket")
        # Where somebody may be at the door. All of them at first: trying is cheap.
        self._ready = deque(self._doors)
        self._knocks: dict[Task[None], _Door] = {}
        self._accepting = False
        self._exhausted = False

    @property
    def addresses(self) -> list[Address]:
        """The local addresses, one for each socket, with the ports the system has chosen."""
        return [door.sock.getsockname() for door in self._doors]

    @property
    def port(self) -> int:
        """The port of the first socket."""
        address = self.addresses[0]
        if not isinstance(address, tuple):
            raise TypeError(f"{self!r} has no port")
        return address[1]

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._doors[0].sock.fileno() < 0

    @coroutine
    def accept(self) -> Gen[SocketTransport]:
        """Wait for a connection.

        When the process has no descriptor left, it logs a warning once, and tries again ten times
        a second; the kernel holds the connections meanwhile.

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
                    sock = self._try(self._ready[0])
                    if sock is not None:
                        return SocketTransport(sock)
                    if self._exhausted:
                        yield from sleep(PAUSE)
                yield from self._wait()
        finally:
            self._accepting = False

    def close(self) -> None:
        """Stop listening; connections the kernel holds ready are reset. Idempotent."""
        for door in self._doors:
            door.close()
        for knock in self._knocks:
            knock.cancel()
        self._ready.extend(self._doors)  # whoever accepts runs into a closed socket

    def _try(self, door: _Door) -> socket.socket | None:
        try:
            sock, _ = door.sock.accept()
        except BlockingIOError:
            self._ready.popleft()
            return None
        except OSError as error:
            if door.sock.fileno() < 0:
                raise ClosedError(f"accepting on a listener that was closed: {self!r}") from None
            self._bear(error)
            return None
        self._exhausted = False
        return sock

    def _bear(self, error: OSError) -> None:
        """Go on after an error that is not about the listening socket; else raise it."""
        if error.errno in EXHAUSTED:
            if not self._exhausted:
                logger.warning("%r pauses: %s", self, error)
            self._exhausted = True
        elif error.errno in {errno.EBADF, errno.EINVAL, errno.ENOTSOCK, errno.EFAULT}:
            raise error

    @coroutine
    def _wait(self) -> Gen[None]:
        """Wait until somebody is at a door."""
        if len(self._doors) == 1:
            self._doors[0].watch.block_r()
            yield
            self._ready.append(self._doors[0])
            return
        # A task suspends on one thing at a time: one more task waits at each door, and stays
        # there between calls.
        for door in set(self._doors) - set(self._knocks.values()):
            self._knocks[create_task(door.wait(), f"listen on {door!r}")] = door
        for knock in (yield from wait_any(self._knocks)):
            self._ready.append(self._knocks.pop(knock))

    @override
    def __repr__(self) -> str:
        return f"<Listener on {', '.join(map(repr, self._doors))}>"

    def __del__(self) -> None:
        doors: list[_Door] = getattr(self, "_doors", [])
        if doors and not self.closed:
            text = f"{self!r} was dropped without a close"
            warnings.warn(text, ResourceWarning, stacklevel=2, source=self)
            self.close()


class _Door:
    """One listening socket and its readiness."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self.sock = sock
        self.watch = Watch(sock.fileno())
        self._name = format_address(sock.getsockname())

    @coroutine
    def wait(self) -> Gen[None]:
        self.watch.block_r()
        yield

    def close(self) -> None:
        self.watch.forget()
        self.sock.close()

    @override
    def __repr__(self) -> str:
        return self._name


@coroutine
def listen(
    host: str | None = None,
    port: int = 0,
    *,
    family: int = socket.AF_UNSPEC,
    backlog: int = BACKLOG,
    reuse_port: bool = False,
) -> Gen[Listener]:
    """Listen for TCP connections.

    Args:
        host: A name or an address; every address it has is listened on. ``None``: all of this
            host's, IPv4 and IPv6.
        port: 0 lets the system choose; several addresses then share one port.
        family: ``AF_INET`` or ``AF_INET6`` for only one of the two.
        backlog: How many connections the kernel may hold ready.
        reuse_port: Let several processes listen on the same port (``SO_REUSEPORT``).

    Raises:
        ResolveError: The name has no address.
        OSError: An address cannot be listened on; the message names it.
        ValueError: ``port`` is out of range.
    """
    answers = yield from getaddrinfo(host, port, family=family, flags=socket.AI_PASSIVE)
    sockets: list[socket.socket] = []
    try:
        for answer in dict.fromkeys(answers):
            sockets.append(_listening_socket(answer, port, backlog, reuse_port))
            port = port or sockets[0].getsockname()[1]
    except BaseException:
        for sock in sockets:
            sock.close()
        raise
    return Listener(sockets)


def _listening_socket(
    answer: AddressInfo, port: int, backlog: int, reuse_port: bool
) -> socket.socket:
    family, kind, protocol, _, address = answer
    address = (address[0], port, *address[2:])
    sock = socket.socket(family, kind, protocol)
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
        where = format_address(address)
        raise OSError(error.errno, f"cannot listen on {where}: {error.strerror}") from error
    return sock
