"""TLS straight on the socket: OpenSSL itself reads and writes the descriptor.

The rules that hold here:

1. ``SSL_read`` returns at most one record and keeps nothing back but the rest of that record. So
   a read shorter than both its limit and a record leaves nothing inside OpenSSL, and the next one
   waits first, like a plain socket's. A failed TLS read costs more than 2 microseconds.
2. ``SSL_write`` that would block has taken its record and must be repeated with as many bytes
   (the buffer may move: CPython sets ``SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER``). We give it one
   record at a time. If the task is cancelled then, ``_pending`` keeps the record, it counts as
   sent, and whoever writes next repeats it first.
3. A receive may have to write (a key update), and a send may have to read. Then the other task
   may be waiting in that direction already, so such a wait goes through a duplicate descriptor.
4. Only want-read and want-write mean waiting. Every other error is an error.
5. ``SSLSocket.read`` and ``write`` are called directly, not through ``recv`` and ``send``, which
   the manual prefers as they also do for a plain socket. They come to the same, four Python calls
   later: 3 % of the instructions of an echo (benchmarks/echo). Without TLS on it they raise
   `ValueError`, and for nothing else.
6. From the moment that `aclose` has to wait, the transport counts as closed for everybody else. So
   its Watch is forgotten, which refuses who comes and tells who waits, and ``_farewell`` takes its
   place: the ordinary paths need no test for it.

Source: OpenSSL manual, SSL_read(3), SSL_write(3), SSL_get_error(3), SSL_shutdown(3).
"""

from __future__ import annotations

import contextlib
import socket
import ssl
from enum import Enum, auto
from typing import TYPE_CHECKING, NoReturn, final

from tulip_net._address import Address
from tulip_net._errors import BrokenError
from tulip_net._gather import Gathered
from tulip_net._receive_into import receive_and_copy
from tulip_net._typing import override
from tulip_net.tls._failures import translate
from tulip_net.tls._transport import RECORD, SslTransport
from tulip_sched import (
    BusyError,
    ClosedError,
    Gen,
    Watch,
    WrongThreadError,
    coroutine,
    move_on_after,
)

if TYPE_CHECKING:
    from typing_extensions import Buffer

__all__ = ["DescriptorTls"]


class Goodbye(Enum):
    """Who has ended the TLS stream so far."""

    BLOCKED = auto()
    BY_US = auto()
    BY_BOTH = auto()


@final
class DescriptorTls(SslTransport):
    """TLS on a socket of our own; `start_tls` describes the arguments and does the handshake."""

    __slots__ = (
        "_closing_timeout",
        "_cross",
        "_farewell",
        "_pending",
        "_ready",
        "_sending",
        "_sock",
        "_truncation_ok",
        "_watch",
    )

    def __init__(
        self,
        sock: ssl.SSLSocket,
        *,
        peer_address: Address | None,
        closing_timeout: float | None,
        truncation_ok: bool,
    ) -> None:
        self._watch = Watch(sock.fileno())
        self._sock = sock
        self._cross: tuple[socket.socket, Watch] | None = None
        self._farewell: Watch | None = None
        self._ready = True
        self._sending = False
        self._pending: bytes | memoryview = b""
        self._unsent = 0
        self._closing_timeout = closing_timeout
        self._truncation_ok = truncation_ok
        self.local_address = sock.getsockname()
        self.peer_address = peer_address
        self.server_hostname = None if sock.server_side else sock.server_hostname

    @property
    @override
    def unsent(self) -> int:
        return self._unsent

    @property
    @override
    def closed(self) -> bool:
        return self._sock.fileno() < 0

    @property
    @override
    def _tls(self) -> ssl.SSLSocket:
        return self._sock

    @coroutine
    def handshake(self) -> Gen[None]:
        """Shake hands; whoever fails or is cancelled here closes the transport."""
        while True:
            try:
                self._sock.do_handshake()
            except ssl.SSLWantReadError:
                waiting = self._watch.block_r
            except ssl.SSLWantWriteError:
                waiting = self._watch.block_w
            except OSError as error:
                self._fail("the TLS handshake", error)
            else:
                self._ready = False  # it has read its own records and nothing more (rule 1)
                return
            waiting()
            yield

    @coroutine
    @override
    def recv(self, limit: int) -> Gen[bytes]:
        if limit < 1:
            raise ValueError(f"read limit must be at least 1, got {limit}")
        while True:
            if not self._ready:
                self._watch.block_r()
                yield
            try:
                data = self._sock.read(limit)  # type: ignore[deprecated]  # rule 5
            except ssl.SSLWantReadError:
                self._ready = False
                continue
            except ssl.SSLWantWriteError:
                self._ready = True
            except (OSError, ValueError) as error:
                if self._is_end(error):
                    return b""
                self._fail("receiving", error)
            else:
                size = len(data)
                self._ready = size in (limit, RECORD, 0)  # rule 1
                return data
            yield from self._wait_across(write=True)

    @coroutine
    @override
    def recv_into(self, buffer: Buffer) -> Gen[int]:
        # A record is at most 16 KiB: going through bytes costs one copy of that.
        return (yield from receive_and_copy(self, buffer))

    @coroutine
    @override
    def send(self, data: Buffer, /, *more: Buffer) -> Gen[None]:
        if self._unsent or self._sending:
            self._forget_unsent()
        if more:
            data = Gathered((data, *more)).join()
        if type(data) is not bytes:
            data = memoryview(data)
            if not data.nbytes:
                return
            data = data.cast("B")
        if len(data) <= RECORD and not self._pending:
            if not data:
                return  # an empty record would tell an observer that there was a send
            try:
                self._sock.write(data)  # type: ignore[deprecated]  # rule 5
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
                self._pending = bytes(data)  # rule 2
            except (OSError, ValueError) as error:
                self._unsent = len(data)
                self._fail("sending", error)
            else:
                return
            data = b""
        yield from self._send_rest(memoryview(data))

    @coroutine
    def _send_rest(self, data: memoryview) -> Gen[None]:
        """Give OpenSSL the pending record until it has gone out, then those of ``data``."""
        self._sending = True
        self._unsent = len(data)
        try:
            while self._pending or self._unsent:
                if not self._pending:
                    begin = len(data) - self._unsent
                    self._pending = data[begin : begin + RECORD]
                    self._unsent -= len(self._pending)
                try:
                    self._sock.write(self._pending)  # type: ignore[deprecated]  # rule 5
                except ssl.SSLWantWriteError:
                    self._watch.block_w()
                    yield
                except ssl.SSLWantReadError:
                    yield from self._wait_across(write=False)
                except (OSError, ValueError) as error:
                    self._pending = b""
                    self._fail("sending", error)
                else:
                    self._pending = b""
        finally:
            self._sending = False
            self._pending = bytes(self._pending)  # the caller's buffer is the caller's again

    @coroutine
    @override
    async def send_eof(self) -> None:
        raise ValueError(f"{self!r} cannot end one direction: start_tls(..., half_close=True) can")

    @override
    def close(self) -> None:
        self._ready = True  # receiving then runs into the closed socket
        self._watch.forget()
        if self._farewell is not None:
            self._farewell.forget()
        if self._cross is not None:
            self._close_cross()
        if self._sock.fileno() >= 0:
            self._sock.close()

    @coroutine
    @override
    def aclose(self) -> Gen[None]:
        try:
            if not self.closed and not self._sending:
                said = Goodbye.BLOCKED if self._pending else self._try_goodbye()
                # Where the peer was first, as a client usually is, there is nothing to wait for,
                # nor a limit to set (benchmarks/accept).
                if said is not Goodbye.BY_BOTH:
                    with move_on_after(self._closing_timeout):
                        yield from self._say_goodbye(said)
        except (OSError, BrokenError, BusyError, ClosedError):
            pass  # nothing is left to end in good order, or another task is in the way
        finally:
            self.close()

    @coroutine
    def _say_goodbye(self, said: Goodbye) -> Gen[None]:
        """Say ours if it is not out yet, and wait for the peer's."""
        self._watch.forget()  # rule 6
        self._close_cross()
        watch = self._farewell = Watch(self._sock.fileno())
        self._sending, self._ready = True, False
        while said is Goodbye.BLOCKED:
            waiting = watch.block_w
            try:
                if self._pending:
                    self._sock.write(self._pending)  # type: ignore[deprecated]  # rule 5
                    self._pending = b""
                said = self._try_goodbye()
            except ssl.SSLWantWriteError:
                pass
            except ssl.SSLWantReadError:
                waiting = watch.block_r
            if said is Goodbye.BLOCKED:
                waiting()
                yield
        # From here on the socket object speaks plain TCP. A close with data unread would reset
        # the connection, and might destroy what we sent last on its way; so what still comes is
        # read, and dropped.
        self._sock.shutdown(socket.SHUT_WR)
        while True:
            with contextlib.suppress(BlockingIOError):
                if not self._sock.recv(4 * RECORD):
                    return
                continue
            watch.block_r()
            yield

    def _try_goodbye(self) -> Goodbye:
        try:
            self._sock.unwrap()
        except ssl.SSLWantWriteError:
            return Goodbye.BLOCKED
        except ssl.SSLError:
            return Goodbye.BY_US  # of the peer's stream we want to know no more
        return Goodbye.BY_BOTH

    @coroutine
    def _wait_across(self, *, write: bool) -> Gen[None]:
        """Wait in the other direction than one's own (rule 3)."""
        if self._cross is None:
            twin = socket.fromfd(self._sock.fileno(), self._sock.family, self._sock.type)
            self._cross = (twin, Watch(twin.fileno()))
        _, watch = self._cross
        if write:
            watch.block_w()
        else:
            watch.block_r()
        yield

    def _close_cross(self) -> None:
        if self._cross is not None:
            twin, watch = self._cross
            self._cross = None
            watch.forget()
            twin.close()

    def _forget_unsent(self) -> None:
        if self._farewell is not None:
            raise ClosedError(f"sending on a transport that was closed: {self!r}")
        if self._sending:
            raise BusyError(f"another task is already sending on {self!r}")
        self._unsent = 0

    def _is_end(self, error: Exception) -> bool:
        if isinstance(error, ssl.SSLEOFError):
            return self._truncation_ok
        return isinstance(error, ssl.SSLZeroReturnError)

    def _fail(self, doing: str, error: Exception) -> NoReturn:
        if self.closed or not isinstance(error, OSError):  # rule 5
            raise ClosedError(f"{doing} on a transport that was closed: {self!r}") from None
        raise translate(error, doing, self, self.server_hostname) from error

    @override
    def _drop(self) -> None:
        with contextlib.suppress(WrongThreadError):  # the garbage collector runs in any thread
            self._watch.forget()
            if self._farewell is not None:
                self._farewell.forget()
            self._close_cross()
        self._sock.close()
