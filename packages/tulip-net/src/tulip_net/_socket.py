"""A transport over a connected socket.

The rules that hold here:

1. A receive is tried at once only when there is likely to be something: after one that filled its
   limit. After a short one the kernel has no more. At first nobody knows: a client has asked for
   nothing yet, and of a new client the server mostly hears a moment later. A failed ``recv`` costs
   1.2 microseconds, and a wait no more than the registration that all but the shortest connections
   need anyway (benchmarks/accept).
2. A send is tried at once: the kernel's buffer nearly always has room.
3. Every byte counted by ``unsent`` has not left; every other one has.
4. Receiving on a closed transport runs into the closed socket, so that the ordinary path needs no
   test for it.
5. What not every connection needs is made when it is needed: the `Watch` by the first wait.
6. With TCP the kernel tells of input once, when it comes, to a connection that lasts (`EARLY`). So
   after a receive that did not show that there is no more, as when it failed, the next one tries
   before it waits.
7. A connection that was lost has no end: but of a loss the kernel tells once, perhaps a send.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import warnings
from typing import TYPE_CHECKING, BinaryIO, Final, NoReturn, final

from tulip_net._address import Address, format_address
from tulip_net._closable import Closable
from tulip_net._errors import LOSSES, BrokenError
from tulip_net._gather import GATHERS, JOINED, Gathered
from tulip_net._send_file import CANNOT_SENDFILE, FilePart, send_by_reading
from tulip_net._typing import override
from tulip_sched import BusyError, ClosedError, Gen, Watch, WrongThreadError, coroutine

if TYPE_CHECKING:
    from typing_extensions import Buffer

__all__ = ["SocketTransport"]

INTERNET: Final = {int(socket.AF_INET), int(socket.AF_INET6)}
TCP: Final = {0, int(socket.IPPROTO_TCP)}
"""Families and protocols of sockets of which a short read leaves nothing behind (rule 6)."""

EARLY: Final = 8
"""After so many events a connection is taken to last: telling the kernel costs a microsecond, and
saves a fifth of one with each event after that (benchmarks/echo, benchmarks/accept)."""

RECEIVED: Final = 120 * 1024
"""Most bytes received at once, whatever the limit: a buffer is made for as many before anybody
knows how many have come. From 128 KiB on glibc maps pages for it: then a KiB took 20 microseconds
instead of 7 (mallopt(3), ``M_MMAP_THRESHOLD``)."""


@final
class SocketTransport(Closable):
    """A `Transport` over a connected stream socket: TCP, Unix, or one end of a pair.

    Args:
        sock: The socket. The transport owns it from now on and makes it non-blocking.

    Raises:
        ValueError: ``sock`` is no stream socket, or it is closed.

    Attributes:
        local_address: Our end's address.
        peer_address: The other end's address; ``None`` if it was gone before we could ask.
    """

    __slots__ = (
        "__weakref__",
        "_ended",
        "_failure",
        "_ready",
        "_sending",
        "_sock",
        "_unsent",
        "_watch",
        "peer_address",
    )

    def __init__(self, sock: socket.socket) -> None:
        if sock.type != socket.SOCK_STREAM or sock.fileno() < 0:
            raise ValueError(f"a transport needs an open stream socket, got {sock!r}")
        peer_address: Address | None = None
        with contextlib.suppress(OSError):
            peer_address = sock.getpeername()
        self._begin(sock, peer_address)

    @classmethod
    def _accepted(cls, sock: socket.SocketType, peer_address: Address) -> SocketTransport:
        """Return a transport over what ``accept`` gave, which needs no more questions."""
        transport = cls.__new__(cls)
        transport._begin(sock, peer_address)
        return transport

    def _begin(self, sock: socket.SocketType, peer_address: Address | None) -> None:
        sock.setblocking(False)
        self._watch: Watch | None = None
        self._sock = sock
        self._ready = self._sending = self._ended = False
        self._unsent = 0
        self._failure: OSError | None = None  # what the connection was lost by
        self.peer_address: Address | None = peer_address

    @property
    def unsent(self) -> int:
        """How many bytes of the last `send` had not gone out when it was cancelled or failed."""
        return self._unsent

    @property
    def local_address(self) -> Address:
        """Our end's address.

        Raises:
            ClosedError: The transport is closed: there is no such end any more.
        """
        try:
            address: Address = self._sock.getsockname()
        except OSError as error:
            self._fail("asking for the address", error)
        return address

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._sock.fileno() < 0

    @property
    def disturbed(self) -> bool:
        """Whether something has come since the last `recv`, data or an end, that nobody waited for.

        As far as the event loop has seen: it asks nobody. Where it is false, something may have
        come since the last poll; where it is true, it may be of no importance.
        """
        # After a receive that may have left something behind, there may be no other event (rule 6).
        return self._ready or (self._watch is not None and self._watch.missed())

    @coroutine
    def recv(self, limit: int) -> Gen[bytes]:  # noqa: C901 - every message's path, flat
        """Wait for data and return between 1 and ``limit`` bytes of it, or ``b""`` at the end.

        See `Transport.recv`.

        Source: POSIX.1-2017 recv(); RFC 9293 section 3.10.7.
        """
        if limit < 1:
            raise ValueError(f"read limit must be at least 1, got {limit}")
        if limit > RECEIVED:  # noqa: PLR1730 - the call of min() shows (benchmarks/echo)
            limit = RECEIVED
        while True:
            if not self._ready:
                (self._watch or self._start_watch()).block_r()
                yield
            try:
                data = self._sock.recv(limit)
            except BlockingIOError:
                self._ready = False
            except Exception as error:  # noqa: BLE001 - raised again
                self._fail_receiving(error)
            else:
                if len(data) == limit or not data:
                    self._ready = True
                    if not data and self._failure is not None:
                        self._fail("receiving", self._failure)  # rule 7
                elif self._ready:
                    self._ready = False
                return data

    @coroutine
    def recv_into(self, buffer: Buffer) -> Gen[int]:
        """Wait for data, put it into ``buffer``, and return how many bytes it was; 0 at the end.

        See `Transport.recv_into`.
        """
        room = memoryview(buffer).nbytes
        if not room:
            raise ValueError("cannot receive into a buffer of 0 bytes")
        while True:
            if not self._ready:
                (self._watch or self._start_watch()).block_r()
                yield
            try:
                count = self._sock.recv_into(buffer)
            except BlockingIOError:
                self._ready = False
            except Exception as error:  # noqa: BLE001 - raised again
                self._fail_receiving(error)
            else:
                self._ready = count == room or not count
                if self._failure is not None and not count:
                    self._fail("receiving", self._failure)  # rule 7
                return count

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

    @override
    def close(self) -> None:
        """Close the socket now. See `Transport.close`.

        The kernel goes on sending what it has taken, unless data has come that nobody read.
        """
        self._ready = True  # rule 4
        if self._watch is not None:
            self._watch.forget()
        self._sock.close()

    def detach(self) -> socket.socket:
        """Give the socket away, still open and non-blocking; the transport is closed thereby.

        Raises:
            BusyError: A task is waiting on this transport.
            ClosedError: It is closed.
        """
        # A second object for the same file: ours keeps its place, and is closed from now on.
        old = self._let_go()
        sock = socket.socket(old.family, old.type, old.proto, fileno=old.detach())
        sock.setblocking(False)
        return sock

    def _let_go(self) -> socket.SocketType:
        """Give up the socket, which the caller detaches: the transport is closed by that."""
        if self.closed:
            raise ClosedError(f"{self!r} has no socket any more")
        self._check_idle()
        if self._watch is not None:
            self._watch.forget()
        self._ready = True
        return self._sock

    def _check_idle(self) -> None:
        """Raise `BusyError` if a task is waiting on it."""
        if self._watch is not None and not self._watch.idle():
            raise BusyError(f"a task is waiting on {self!r}")

    def _start_watch(self) -> Watch:
        """Make the `Watch`, for the first wait (rule 5)."""
        sock = self._sock
        watch = self._watch = Watch(sock.fileno())
        if sock.family in INTERNET and sock.proto in TCP:
            watch.edge_after = EARLY
        return watch

    def _forget_unsent(self) -> None:
        if self._sending:
            raise BusyError(f"another task is already sending on {self!r}")
        self._unsent = 0

    def _fail_receiving(self, error: Exception) -> NoReturn:
        self._ready = True  # rule 6
        if isinstance(error, OSError):
            self._fail("receiving", error)
        try:
            raise error
        finally:
            del error  # its traceback holds this frame

    def _fail(self, doing: str, error: OSError) -> NoReturn:
        if self.closed:
            raise ClosedError(f"{doing} on a transport that was closed: {self!r}") from None
        if self._ended and error.errno == errno.EPIPE:
            raise ClosedError(f"sending on {self!r} after its send_eof()") from None
        if error.errno in LOSSES:
            self._failure = OSError(*error.args)  # the error's own traceback would lead back to us
        raise BrokenError(f"{doing} on {self!r} failed: {error}") from error

    @override
    def __repr__(self) -> str:
        state = "closed" if self.closed else f"fd={self._sock.fileno()}"
        return f"<SocketTransport to {format_address(self.peer_address)} {state}>"

    def __del__(self) -> None:
        try:
            sock = self._sock
        except AttributeError:  # `__init__` refused it
            return
        if sock.fileno() < 0:
            return
        text = f"{self!r} was dropped without a close"
        warnings.warn(text, ResourceWarning, stacklevel=2, source=self)
        with contextlib.suppress(WrongThreadError):
            # If it is collected in another thread, the next Watch of this number sweeps up.
            if self._watch is not None:
                self._watch.forget()
        sock.close()
