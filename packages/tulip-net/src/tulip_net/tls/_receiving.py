"""Receiving over TLS: one half of `SslTransport`.

The rules that hold here, besides those of `_carrier`:

1. ``SSL_read`` returns at most one record. So a read shorter than its limit, with no ciphertext
   left, leaves nothing inside OpenSSL, and the next one waits first: a failed TLS read costs more
   than 2 microseconds.
2. Nothing suspends between taking plaintext from OpenSSL and returning it: no cancellation loses a
   byte.
3. A receiver does not wait for a send on a socket: the peer may be waiting for us to read before
   it reads. Only a peer that asks and asks and takes no answer is made to wait (`Carrier._answer`).
4. The first error of reading stays the error. After it OpenSSL speaks of an end: of one in good
   order after an alert, of a stream cut short after a forged record. Neither is to be believed.
5. After the peer's end `read` returns nothing, takes nothing, and does not fail: a loop around it
   ends there, or never.

Source: OpenSSL manual, SSL_read(3), SSL_get_error(3).
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Final, NoReturn

from tulip_net._errors import BrokenError
from tulip_net._receive_into import receive_and_copy
from tulip_net.tls._carrier import RECEIVED, Carrier
from tulip_net.tls._failures import is_end, is_truncation, translate, wants_input
from tulip_sched import BusyError, ClosedError, Gen, coroutine

if TYPE_CHECKING:
    import ssl

    from typing_extensions import Buffer

__all__ = ["RECORD", "Receiving"]

RECORD: Final = 16384
"""The most plaintext bytes in one TLS record (RFC 8446 section 5.1)."""

WHOLE: Final = RECORD + 261
"""So much ciphertext has at least one whole record in it (RFC 8446 section 5.2)."""


class Receiving(Carrier):
    """The TLS connection of an `SslTransport`, and receiving over it."""

    __slots__ = (
        "_early",
        "_failure",
        "_gone",
        "_over",
        "_receiving",
        "_tls",
        "_truncation_ok",
        "server_hostname",
    )

    # Set by SslTransport, for both halves in one place.
    _tls: ssl.SSLObject
    _truncation_ok: bool
    _early: bytes  # plaintext that came before our send_eof
    _failure: OSError | None  # the first error of reading (rule 4)
    _gone: bool  # from the beginning of our aclose on
    _over: bool  # the peer has ended its side, or what it says makes no sense
    _receiving: bool
    server_hostname: str | None

    @coroutine
    def recv(self, limit: int) -> Gen[bytes]:  # noqa: C901, PLR0912 - every message's path, flat
        """Wait for data and return some of it. See `Transport.recv`.

        Raises:
            TruncatedError: The peer left without ending the stream, and ``truncation_ok`` was not
                given.
            TlsError: What came is not TLS, or was tampered with.
        """
        if limit < 1:
            raise ValueError(f"read limit must be at least 1, got {limit}")
        if self._receiving or self._gone:
            self._refuse_receiving()
        fills = self._fills
        self._receiving = True
        try:
            while True:
                if self._ready:
                    if self._early:
                        data, self._early = self._early[:limit], self._early[limit:]
                        return data
                    try:
                        data = self._tls.read(limit if limit < RECORD else RECORD)  # noqa: FURB136
                    except OSError as error:
                        if not self._wants_more(error):
                            return self._last()
                    else:
                        if not data:
                            return self._last()
                        pending = self._incoming.pending
                        if pending >= WHOLE and len(data) < limit:
                            return self._read_on(data, limit)
                        self._ready = pending > 0 or len(data) == limit
                        return data
                if self._unflushed or self._outgoing.pending:
                    # A connection that takes nothing any more may still have something for us.
                    with contextlib.suppress(BrokenError):
                        yield from self._answer()
                if fills.taken:
                    yield from fills.wait()
                else:  # as in _fill: another generator would cost every message
                    fills.taken = True
                    try:
                        data = yield from self._inner.recv(RECEIVED)
                        if data:
                            self._incoming.write(data)
                        else:
                            self._incoming.write_eof()
                        self._ready = True
                    except BrokenError:  # in our aclose() it does not matter what came of the peer
                        if not self._gone:
                            raise
                    finally:
                        fills.taken = False
                        if fills.waiting:
                            fills.wake()
                if self._gone:
                    self._refuse_receiving()
        finally:
            self._receiving = False

    def _read_on(self, data: bytes, limit: int) -> bytes:
        """Return what is there of further records with the first."""
        parts, size = [data], len(data)
        try:
            while size < limit and self._incoming.pending >= WHOLE:
                data = self._tls.read(min(limit - size, RECORD))
                if not data:
                    break  # rule 5
                parts.append(data)
                size += len(data)
        except OSError as error:
            self._keep(error)
        return b"".join(parts)  # and `_ready` goes on to hold

    def _wants_more(self, error: OSError) -> bool:
        """Say whether a read failed for want of input; if it was the end, it was not."""
        # After an error no OpenSSL that we know of asks for input, but its manual promises nothing.
        if self._failure is None and wants_input(error):
            self._ready = False
            return True
        self._keep(error)
        return False

    def _last(self) -> bytes:
        """Return the end of the stream, or raise what it ended with; `_ready` goes on to hold."""
        self._over = True
        failure = self._failure
        if failure is None or (self._truncation_ok and is_truncation(failure)):
            return b""
        if self._outgoing.pending:
            with contextlib.suppress(BrokenError, BusyError, ClosedError):
                self._flush_nowait()  # the alert tells the peer why
        raise translate(failure, "receiving", self, self.server_hostname) from failure

    def _keep(self, error: OSError) -> None:
        """Remember an error of reading, which the next receive is to raise (rule 4)."""
        if self._failure is None and not (wants_input(error) or is_end(error)):
            self._failure = error.with_traceback(None)  # which would lead back to us,
            error.__context__ = None  # and so may that of the caller's

    @coroutine
    def recv_into(self, buffer: Buffer) -> Gen[int]:
        """Wait for data and put it into ``buffer``. See `Transport.recv_into` and `recv`."""
        return (yield from receive_and_copy(self, buffer))

    def _refuse_receiving(self) -> NoReturn:
        if self._gone:
            raise ClosedError(f"receiving on a transport that was closed: {self!r}")
        raise BusyError(f"another task is already receiving on {self!r}")
