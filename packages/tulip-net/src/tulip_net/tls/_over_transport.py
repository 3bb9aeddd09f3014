"""TLS through memory, over any transport: STARTTLS, TLS inside TLS, half-closed streams.

The rules that hold here:

1. OpenSSL reads from and writes to memory; `_fill` and `_flush` carry the bytes to and from the
   transport below.
2. One task fills at a time and one flushes at a time. Who finds another at it waits until that is
   done and looks again; only a receiver does not wait for a flush, since the peer may be waiting
   for us to read before it reads.
3. Nothing suspends between taking bytes from the layer below and handing them to OpenSSL, nor
   between taking plaintext from OpenSSL and returning it: no cancellation loses a byte.
4. Ciphertext that a cancelled flush did not get rid of stays in ``_unflushed`` and goes out first.
"""

from __future__ import annotations

import contextlib
import ssl
from collections import deque
from typing import TYPE_CHECKING, Any, NoReturn, final

from tulip_net._errors import BrokenError
from tulip_net._gather import Gathered, flat
from tulip_net._receive_into import receive_and_copy
from tulip_net._transport import Transport
from tulip_net._typing import override
from tulip_net.tls._failures import translate
from tulip_net.tls._transport import RECORD, SslTransport
from tulip_sched import (
    BusyError,
    ClosedError,
    Gen,
    Task,
    block,
    coroutine,
    current_task,
    move_on_after,
)

if TYPE_CHECKING:
    from typing_extensions import Buffer

__all__ = ["LayeredTls"]

CHUNK = 4 * RECORD
"""How much moves between OpenSSL and the layer below at a time: a few records per system call."""


class _Turns:
    """Lets one task do a thing, and others wait until it is done."""

    __slots__ = ("_waiting", "taken")

    def __init__(self) -> None:
        self.taken = False
        self._waiting: deque[Task[Any]] = deque()

    @coroutine
    def wait(self) -> Gen[None]:
        task = current_task()
        self._waiting.append(task)
        block(lambda: self._waiting.remove(task))
        yield

    def take(self) -> None:
        self.taken = True

    def done(self) -> None:
        self.taken = False
        while self._waiting:
            self._waiting.popleft().unblock()


@final
class LayeredTls(SslTransport):
    """TLS over another transport; `start_tls` describes the arguments and does the handshake."""

    __slots__ = (
        "_closed",
        "_closing_timeout",
        "_early",
        "_ended",
        "_fills",
        "_flushes",
        "_gone",
        "_incoming",
        "_inner",
        "_object",
        "_outgoing",
        "_receiving",
        "_sending",
        "_truncation_ok",
        "_unflushed",
    )

    def __init__(
        self,
        inner: Transport,
        context: ssl.SSLContext,
        *,
        server_side: bool,
        server_hostname: str | None,
        session: ssl.SSLSession | None,
        closing_timeout: float | None,
        truncation_ok: bool,
    ) -> None:
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._object = context.wrap_bio(
            self._incoming, self._outgoing, server_side, server_hostname, session
        )
        self._inner = inner
        self._closing_timeout = closing_timeout
        self._truncation_ok = truncation_ok
        self._early = bytearray()
        self._unflushed = b""
        self._unsent = 0
        self._fills = _Turns()
        self._flushes = _Turns()
        self._receiving = self._sending = self._ended = self._closed = False
        self._gone = False  # closed, or busy with its end: nobody uses it any more
        self.local_address = getattr(inner, "local_address", None)
        self.peer_address = getattr(inner, "peer_address", None)
        self.server_hostname = None if server_side else server_hostname

    @property
    @override
    def unsent(self) -> int:
        return self._unsent

    @property
    @override
    def closed(self) -> bool:
        return self._closed

    @property
    @override
    def _tls(self) -> ssl.SSLObject:
        return self._object

    @coroutine
    def handshake(self) -> Gen[None]:
        """Shake hands; whoever fails or is cancelled here closes the transport."""
        while True:
            try:
                self._object.do_handshake()
            except ssl.SSLWantReadError:
                yield from self._flush()
                yield from self._fill()
            except ssl.SSLError as error:
                with contextlib.suppress(BrokenError):
                    yield from self._flush()  # the alert tells the peer why
                self._fail("the TLS handshake", error)
            else:
                yield from self._flush()
                return

    @coroutine
    @override
    def recv(self, limit: int) -> Gen[bytes]:
        if limit < 1:
            raise ValueError(f"read limit must be at least 1, got {limit}")
        if self._receiving or self._gone:
            self._refuse("receiving")
        self._receiving = True
        try:
            while True:
                data = self._early_or_read(limit)
                if data is not None:
                    return data
                if not self._flushes.taken:
                    yield from self._flush()
                yield from self._fill()
                if self._gone:
                    self._refuse("receiving")
        finally:
            self._receiving = False

    @coroutine
    @override
    def recv_into(self, buffer: Buffer) -> Gen[int]:
        return (yield from receive_and_copy(self, buffer))

    @coroutine
    @override
    def send(self, data: Buffer, /, *more: Buffer) -> Gen[None]:
        if self._sending or self._gone or self._ended:
            self._refuse("sending")
        view = flat(Gathered((data, *more)).join() if more else data)
        self._sending = True
        self._unsent = len(view)
        try:
            while self._unsent:
                yield from self._encrypt(view[-self._unsent :][:CHUNK])
                yield from self._flush()
        finally:
            self._sending = False

    @coroutine
    def _encrypt(self, chunk: memoryview) -> Gen[None]:
        while True:
            try:
                self._unsent -= self._object.write(chunk)
            except ssl.SSLWantReadError:  # the peer renegotiates (TLS 1.2)
                pass
            except ssl.SSLError as error:
                self._fail("sending", error)
            else:
                return
            yield from self._flush()
            yield from self._fill()

    @coroutine
    @override
    def send_eof(self) -> Gen[None]:
        if self._sending or self._gone:
            self._refuse("sending")
        if not self._ended:
            self._ended = True
            self._set_aside_what_came()
            with contextlib.suppress(ssl.SSLError):  # want-read: the peer's end has not come
                self._object.unwrap()
        yield from self._flush()

    @override
    def close(self) -> None:
        self._closed = self._gone = True
        self._inner.close()

    @coroutine
    @override
    def aclose(self) -> Gen[None]:
        self._gone = True
        try:
            with move_on_after(self._closing_timeout):
                if not self._closed and not self._sending:
                    yield from self._say_goodbye()
                self._closed = True
                yield from self._inner.aclose()
        finally:
            self.close()

    @coroutine
    def _say_goodbye(self) -> Gen[None]:
        with contextlib.suppress(BrokenError, BusyError, ClosedError, ssl.SSLError):
            while True:
                try:
                    self._object.unwrap()
                except ssl.SSLWantReadError:
                    yield from self._flush()
                    yield from self._fill()
                else:
                    yield from self._flush()
                    return

    def _early_or_read(self, limit: int) -> bytes | None:
        """Return plaintext, or ``None`` if there is none yet."""
        if self._early:
            data = bytes(self._early[:limit])
            del self._early[:limit]
            return data
        try:
            return self._object.read(limit)
        except ssl.SSLWantReadError:
            return None
        except ssl.SSLZeroReturnError:
            return b""
        except ssl.SSLError as error:
            if isinstance(error, ssl.SSLEOFError) and self._truncation_ok:
                return b""
            self._fail("receiving", error)

    def _set_aside_what_came(self) -> None:
        # OpenSSL drops data that it meets while ending the stream.
        while data := self._object_read_all():
            self._early += data

    def _object_read_all(self) -> bytes:
        try:
            return self._object.read(CHUNK)
        except ssl.SSLError:
            return b""  # whatever it is, the next receive meets it again

    @coroutine
    def _fill(self) -> Gen[None]:
        """Carry what the layer below has to OpenSSL, or see that another task does."""
        if self._fills.taken:
            yield from self._fills.wait()
            return
        self._fills.take()
        try:
            data = yield from self._inner.recv(CHUNK)
            if data:
                self._incoming.write(data)
            else:
                self._incoming.write_eof()
        finally:
            self._fills.done()

    @coroutine
    def _flush(self) -> Gen[None]:
        """Carry all that OpenSSL wants to say to the layer below."""
        while self._unflushed or self._outgoing.pending:
            if self._flushes.taken:
                yield from self._flushes.wait()
                continue
            self._flushes.take()
            data = self._unflushed or self._outgoing.read(2 * CHUNK)
            try:
                self._unflushed = b""
                yield from self._inner.send(data)
            except BaseException:
                self._unflushed = data[len(data) - self._inner.unsent :]
                raise
            finally:
                self._flushes.done()

    def _refuse(self, doing: str) -> NoReturn:
        if self._gone:
            raise ClosedError(f"{doing} on a transport that was closed: {self!r}")
        if self._ended and doing == "sending" and not self._sending:
            raise ClosedError(f"sending on {self!r} after its send_eof()")
        raise BusyError(f"another task is already {doing} on {self!r}")

    def _fail(self, doing: str, error: ssl.SSLError) -> NoReturn:
        raise translate(error, doing, self, self.server_hostname) from error

    @override
    def _drop(self) -> None:
        # The transport below warns, and closes itself.
        self._closed = True
