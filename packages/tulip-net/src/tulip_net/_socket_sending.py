"""A connected socket, and sending on it: one half of `SocketTransport`.

The rules that hold here:

1. A send is tried at once: the kernel's buffer nearly always has room.
2. Every byte counted by ``unsent`` has not left; every other one has.
3. A connection that was lost has no end: but of a loss the kernel tells once, perhaps a send. So
   what it was lost by is kept for the receiver.
"""

from __future__ import annotations

import errno
import os
import socket
from typing import TYPE_CHECKING, BinaryIO, Final, NoReturn

from tulip_net._closable import Closable
from tulip_net._errors import LOSSES, BrokenError
from tulip_net._gather import GATHERS, JOINED, Gathered
from tulip_net._options import SocketOptions
from tulip_net._send_file import CANNOT_SENDFILE, FilePart, send_by_reading
from tulip_sched import BusyError, ClosedError, Gen, Watch, coroutine

if TYPE_CHECKING:
    from typing_extensions import Buffer

__all__ = ["SocketSending"]

INTERNET: Final = {int(socket.AF_INET), int(socket.AF_INET6)}
TCP: Final = {0, int(socket.IPPROTO_TCP)}
"""Families and protocols of sockets of which a short read leaves nothing behind, see `_socket`."""

EARLY: Final = 8
"""After so many events a connection is taken to last: telling the kernel costs a microsecond, and
saves a fifth of one with each event after that (benchmarks/echo, benchmarks/accept)."""


class SocketSending(SocketOptions, Closable):
    """The socket of a `SocketTransport`, and sending on it."""

    __slots__ = ("_ended", "_failure", "_sending", "_sock", "_unsent", "_watch")

    # Set by SocketTransport, for both halves in one place: each connection comes through there.
    _sock: socket.SocketType
    _watch: Watch | None
    _sending: bool
    _ended: bool
    _unsent: int
    _failure: OSError | None  # what the connection was lost by

    @property
    def unsent(self) -> int:
        """How many bytes of the last `send` had not gone out when it was cancelled or failed."""
        return self._unsent

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._sock.fileno() < 0

    @coroutine
    def send(self, data: Buffer, /, *more: Buffer) -> Gen[None]:
        """Send all of ``data``, and of ``more``, waiting as often as need be.

        See `Transport.send`.

        Source: POSIX.1-2017 sendmsg().
        """
        if self._unsent:
            self._forget_unsent()
        if more:
            gathered = Gathered((data, *more))
            if GATHERS and gathered.left > JOINED:
                yield from self._send_gathered(gathered)
                return
            data = gathered.join()
        if type(data) is not bytes:
            data = memoryview(data)
            if not data.nbytes:
                return
            data = data.cast("B")
        try:
            sent = self._sock.send(data)
        except BlockingIOError:
            sent = 0
        except OSError as error:
            self._unsent = len(data)
            self._fail("sending", error)
        if sent != len(data):
            yield from self._send_rest(memoryview(data), len(data) - sent)

    def send_nowait(self, data: Buffer, /) -> int:
        """Send as much of ``data`` as goes at once, without waiting for the peer.

        Returns:
            How many bytes that was, from the start on; 0 where the peer is behind with its reading.
            `send` takes the rest.

        Raises:
            ClosedError, BusyError, BrokenError: As for `send`.

        Only a socket has this. What TLS, say, has encrypted cannot be taken back where the socket
        below does not take it, and nobody would send it on.
        """
        if self._unsent:
            self._forget_unsent()
        try:
            return self._sock.send(data)
        except BlockingIOError:
            return 0
        except OSError as error:
            self._fail("sending", error)

    @coroutine
    def _send_rest(self, data: memoryview, unsent: int) -> Gen[None]:
        self._unsent = unsent
        self._sending = True
        try:
            while self._unsent:
                (self._watch or self._start_watch()).block_w()
                yield
                try:
                    self._unsent -= self._sock.send(data[-self._unsent :])
                except BlockingIOError:
                    continue
                except OSError as error:
                    self._fail("sending", error)
        finally:
            self._sending = False

    @coroutine
    def _send_gathered(self, data: Gathered) -> Gen[None]:
        self._unsent = data.left
        self._sending = True
        try:
            while True:
                try:
                    sent = self._sock.sendmsg(data.first())
                except BlockingIOError:
                    sent = 0
                except OSError as error:
                    self._fail("sending", error)
                data.advance(sent)
                self._unsent = data.left
                if not data.left:
                    return
                (self._watch or self._start_watch()).block_w()
                yield
        finally:
            self._sending = False

    @coroutine
    def send_file(self, file: BinaryIO, offset: int = 0, count: int | None = None) -> Gen[int]:
        """Send a file, or a part of it, and return how many bytes that was.

        See `Transport.send_file`. The kernel reads the file itself where it can.

        Source: sendfile(2).
        """
        part = FilePart(file, offset, count)
        self._forget_unsent()
        number = part.descriptor()
        sent = 0
        if number is not None and hasattr(os, "sendfile"):
            sent = yield from self._send_from(number, part)
        return sent + (yield from send_by_reading(self, part))

    @coroutine
    def _send_from(self, number: int, part: FilePart) -> Gen[int]:
        """Have the kernel send from a descriptor, as far as it does; return how far."""
        whole = self._unsent = part.left
        self._sending = True
        try:
            while part.left:
                try:
                    sent = os.sendfile(self._sock.fileno(), number, part.position, part.left)
                except BlockingIOError:
                    pass
                except OSError as error:
                    if error.errno in CANNOT_SENDFILE:
                        break
                    self._fail("sending", error)
                else:
                    part.advance(sent)
                    self._unsent = part.left
                    if not (sent and part.left):  # it is done, or the file has shrunk
                        break
                (self._watch or self._start_watch()).block_w()
                yield
            self._unsent = 0
            return whole - part.left
        finally:
            self._sending = False

    @coroutine
    async def send_eof(self) -> None:
        """Tell the peer that nothing more will come. See `Transport.send_eof`."""
        self._forget_unsent()
        try:
            self._sock.shutdown(socket.SHUT_WR)
        except OSError as error:
            if not self._ended:
                self._fail("ending", error)
        self._ended = True

    def _start_watch(self) -> Watch:
        """Make the `Watch`, for the first wait."""
        sock = self._sock
        watch = self._watch = Watch(sock.fileno())
        if sock.family in INTERNET and sock.proto in TCP:
            watch.edge_after = EARLY
        return watch

    def _forget_unsent(self) -> None:
        if self._sending:
            raise BusyError(f"another task is already sending on {self!r}")
        self._unsent = 0

    def _fail(self, doing: str, error: OSError) -> NoReturn:
        if self.closed:
            raise ClosedError(f"{doing} on a transport that was closed: {self!r}") from None
        if self._ended and error.errno == errno.EPIPE:
            raise ClosedError(f"sending on {self!r} after its send_eof()") from None
        if error.errno in LOSSES:
            self._failure = OSError(*error.args)  # the error's own traceback would lead back to us
        raise BrokenError(f"{doing} on {self!r} failed: {error}") from error
