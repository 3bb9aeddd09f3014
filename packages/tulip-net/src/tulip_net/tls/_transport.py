"""TLS over any transport: a socket, TLS again, memory.

The rules that hold here, besides those of `_carrier` and `_receiving`:

1. Only want-read means waiting. Every other error is an error. Errors of `ssl` are `OSError`, which
   is how they are caught here: that module takes 7 ms to import, and not every program uses TLS.
2. Whoever begins something after `aclose` has begun is refused, as after `close`.

Source: OpenSSL manual, SSL_write(3), SSL_get_error(3), SSL_shutdown(3).
"""

from __future__ import annotations

import contextlib
import warnings
from typing import TYPE_CHECKING, BinaryIO, Final, NoReturn, final

from tulip_net._closable import Closable
from tulip_net._errors import BrokenError
from tulip_net._gather import Gathered, flat
from tulip_net._send_file import FilePart, send_by_reading
from tulip_net._transport import Transport
from tulip_net._typing import override
from tulip_net.tls._facts import Facts
from tulip_net.tls._failures import translate, wants_input
from tulip_net.tls._receiving import RECORD, Receiving
from tulip_sched import (
    BusyError,
    ClosedError,
    Gen,
    WrongThreadError,
    coroutine,
    move_on_after,
    sleep,
)

if TYPE_CHECKING:
    import ssl

    from typing_extensions import Buffer

__all__ = ["SslTransport"]

ENCRYPTED: Final = 16 * RECORD
"""How much plaintext is encrypted for a system call. 4 records took 10 % longer for a gigabyte, 8
some 5 % (benchmarks/transfer). OpenSSL's memory keeps the size it once had: a connection on which
so much was sent in one go, goes on to occupy it."""


@final
class SslTransport(Receiving, Facts, Closable):
    """A `Transport` over TLS, client or server; made by `start_tls` and `create_transport`.

    `close` drops the connection without a word, and the peer sees a stream cut short, as it
    should if we had to stop half-way. `aclose` ends the stream properly. So do the ends of ``with``
    and ``async with``, each in its way; an error that leaves ``async with`` drops the connection.

    Attributes:
        server_hostname: The name the server's certificate was checked against; ``None`` on the
            server's side.
    """

    __slots__ = (
        "__weakref__",
        "_closed",
        "_closing_timeout",
        "_ended",
        "_sending",
        "_unsent",
    )

    def __init__(
        self,
        inner: Transport,
        incoming: ssl.MemoryBIO,
        outgoing: ssl.MemoryBIO,
        tls: ssl.SSLObject,
        *,
        closing_timeout: float | None,
        truncation_ok: bool,
    ) -> None:
        super().__init__(inner, incoming, outgoing)
        self._tls = tls
        self._closing_timeout = closing_timeout
        self._truncation_ok = truncation_ok
        self._early = b""
        self._unsent = 0
        self._receiving = self._sending = False
        self._ended = False  # we have ended our side
        self._over = False
        self._failure = None
        self._gone = self._closed = False  # from the beginning of our aclose on; at its end
        self.server_hostname: str | None = None if tls.server_side else tls.server_hostname

    @property
    def unsent(self) -> int:
        """How many bytes of the last `send` were not taken when it was cancelled or failed.

        TLS sends whole records: what was encrypted already, 260 KiB at most, counts as sent, and
        goes out with the next `send` or with `aclose`.
        """
        return self._unsent

    @coroutine
    def send(self, data: Buffer, /, *more: Buffer) -> Gen[None]:
        """Send all of ``data``, and of ``more``. See `Transport.send`.

        Several buffers are copied together first, so that they share records.
        """
        if self._sending or self._gone or self._ended:
            self._refuse_sending(data, *more)
        self._unsent = 0
        if more:
            data = Gathered((data, *more)).join()
        if type(data) is bytes and 0 < len(data) <= ENCRYPTED and not self._unflushed:
            try:  # most messages: no generator, and no view, for what goes in one go
                self._tls.write(data)
            except OSError as error:
                self._unsent = len(data)
                self._bear(error)
            else:
                data = b""
                if self._send_nowait is not None and not self._flushes.taken:
                    ciphertext = self._outgoing.read()
                    sent = self._send_nowait(ciphertext)
                    if sent == len(ciphertext):
                        return
                    self._unflushed = ciphertext[sent:]
        yield from self._send_all(flat(data))

    @coroutine
    def _send_all(self, data: memoryview) -> Gen[None]:
        self._sending = True
        self._unsent = len(data)
        try:
            if self._unflushed or not data:
                yield from self._flush()
            while data:
                try:
                    data = data[self._tls.write(data[:ENCRYPTED]) :]
                except OSError as error:
                    self._bear(error)
                    yield from self._flush()
                    yield from self._fill()
                self._unsent = len(data)
                if not self._flush_nowait():
                    yield from self._flush()
        finally:
            self._sending = False

    @coroutine
    def send_file(self, file: BinaryIO, offset: int = 0, count: int | None = None) -> Gen[int]:
        """Send a file, or a part of it. See `Transport.send_file`."""
        return (yield from send_by_reading(self, FilePart(file, offset, count)))

    @coroutine
    def send_eof(self) -> Gen[None]:
        """Tell the peer that nothing more will come; receiving goes on.

        See `Transport.send_eof`.

        Source: RFC 8446 section 6.1.
        """
        if self._sending or self._gone:
            self._refuse_sending()
        self._end()
        yield from self._flush()

    def _end(self) -> None:
        if self._ended:
            return
        self._ended = True
        if not self._over:  # else there is nothing, and asking takes 2 microseconds
            self._set_aside_what_came()
        with contextlib.suppress(OSError):  # want-read: the peer's end has not come
            self._tls.unwrap()

    def _set_aside_what_came(self) -> None:
        # OpenSSL drops data that it meets while ending the stream.
        came = []
        try:
            while data := self._tls.read(RECORD):
                came.append(data)
        except OSError as error:
            self._keep(error)
        self._early = b"".join(came)  # and where something came, `_ready` holds (`_receiving`)

    @override
    def close(self) -> None:
        """Drop the connection now, without a word to the peer. See `Transport.close`."""
        self._closed = self._gone = True
        self._inner.close()

    @coroutine
    @override
    def aclose(self) -> Gen[None]:
        """End the TLS stream, wait for the peer to do so too, but not for long, and `close`.

        What the peer still sends meanwhile is dropped. A task that waits on this transport gets
        `ClosedError`.

        Source: RFC 8446 section 6.1.
        """
        # If another task is at it already, the two of them see to the end together.
        unfinished = self._closed or self._sending
        self._gone = True
        try:
            with contextlib.suppress(BrokenError, BusyError, ClosedError):
                if not unfinished:
                    self._end()
                    # Where the peer was first, as a client usually is, there is nothing to wait
                    # for, nor a limit to set (benchmarks/accept).
                    if not (self._flush_nowait() and self._over):
                        with move_on_after(self._closing_timeout):
                            yield from self._say_goodbye()
            self._closed = True
            yield from self._inner.aclose()
        finally:
            self.close()

    @coroutine
    def _say_goodbye(self) -> Gen[None]:
        """Send the rest of ours, and wait for the peer's, dropping what comes before it."""
        yield from self._flush()
        while not self._over:
            try:
                if not self._tls.read(RECORD):
                    return  # the end, and it will not fail (`_receiving`, rule 5)
            except OSError as error:
                if not wants_input(error):
                    return  # of the peer's stream we want to know no more
                yield from self._fill()
            else:
                yield from sleep(0)  # there may be more at once, and on and on: others wait

    def _check_idle(self) -> None:
        """Raise `BusyError` if a task is waiting on it."""
        if self._receiving or self._sending:
            raise BusyError(f"a task is waiting on {self!r}")

    def _refuse_sending(self, *buffers: Buffer) -> NoReturn:
        if buffers and not self._sending:
            self._unsent = Gathered(buffers).left
        if self._gone:
            raise ClosedError(f"sending on a transport that was closed: {self!r}")
        if self._ended and not self._sending:
            raise ClosedError(f"sending on {self!r} after its send_eof()")
        raise BusyError(f"another task is already sending on {self!r}")

    def _bear(self, error: OSError) -> None:
        """Raise for an error of sending, unless the peer has to say something first.

        That is where it renegotiates, as TLS 1.2 may.
        """
        if not wants_input(error):
            raise translate(error, "sending", self, self.server_hostname) from error

    def __del__(self) -> None:
        if getattr(self, "_closed", True):
            return  # or __init__ failed
        if getattr(self._inner, "closed", False):
            self._closed = True  # what is below was collected first, and warned, in a circle
            return
        text = f"{self!r} was dropped without a close"
        warnings.warn(text, ResourceWarning, stacklevel=2, source=self)
        try:
            self.close()
        except WrongThreadError:  # the garbage collector runs in any thread
            self.close()  # the socket has given up its Watch by now, and goes, without a warning
