"""Carrying ciphertext between OpenSSL, which reads and writes memory, and the transport below.

The rules that hold here:

1. On a descriptor OpenSSL would read the head of a record and its body one after the other, and
   write record by record: 64 system calls for a MiB that is sent, where there are 4 here. A small
   message costs no more (benchmarks/echo, benchmarks/transfer).
2. One task fills at a time and one flushes at a time. Who finds another at it waits until that is
   done and looks again.
3. Nothing suspends between taking bytes from the transport below and handing them to OpenSSL: no
   cancellation loses a byte.
4. Ciphertext that did not go out stays in ``_unflushed`` and goes first.
5. What is below may be TLS as well, and hold back what it has taken: after a cancelled send below,
   the next flush sends there again, if only nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tulip_net._socket import SocketTransport
from tulip_net._transport import Transport
from tulip_net.tls._turns import Turns
from tulip_sched import Gen, coroutine

if TYPE_CHECKING:
    import ssl

__all__ = ["RECEIVED", "Carrier"]

RECEIVED: Final = 120 * 1024
"""How much ciphertext is received at a time: as much as a socket gives at once (`_socket`)."""

BEHIND: Final = 524288
"""How much ciphertext may wait while a receiver goes on: twice what a cancelled `send` leaves. An
answer to a key update has 27 bytes, so a peer that lets so much come together means harm."""


class Carrier:
    """The memory that OpenSSL reads and writes, and the transport below it."""

    __slots__ = (
        "_fills",
        "_flushes",
        "_held_below",
        "_incoming",
        "_inner",
        "_outgoing",
        "_ready",
        "_send_nowait",
        "_unflushed",
    )

    def __init__(self, inner: Transport, incoming: ssl.MemoryBIO, outgoing: ssl.MemoryBIO) -> None:
        self._inner: Transport = inner
        self._incoming = incoming
        self._outgoing = outgoing
        self._send_nowait = inner.send_nowait if isinstance(inner, SocketTransport) else None
        self._unflushed = b""
        self._held_below = False  # rule 5
        self._fills, self._flushes = Turns(), Turns()
        self._ready = True  # OpenSSL may have plaintext

    @property
    def disturbed(self) -> bool:
        """Whether something has come below that nobody waited for; False where nobody can tell.

        See `SocketTransport.disturbed`. It may be TLS's own business, such as a session ticket.
        """
        return isinstance(self._inner, SocketTransport | Carrier) and self._inner.disturbed

    @coroutine
    def _fill(self) -> Gen[None]:
        """Give OpenSSL some of what has come, or see that another task does."""
        if self._fills.taken:
            yield from self._fills.wait()
            return
        self._fills.taken = True
        try:
            data = yield from self._inner.recv(RECEIVED)
            if data:
                self._incoming.write(data)
            else:
                self._incoming.write_eof()
            self._ready = True
        finally:
            self._fills.taken = False
            self._fills.wake()

    def _flush_nowait(self) -> bool:
        """Send what OpenSSL has to say, as far as it goes at once; whether that was all."""
        if self._flushes.taken or self._send_nowait is None:
            return False
        data = self._outgoing.read()
        if self._unflushed:
            data = self._unflushed + data
        sent = self._send_nowait(data)
        self._unflushed = data[sent:]
        return sent == len(data)

    @coroutine
    def _answer(self) -> Gen[None]:
        """Send what a receiver has to say, but go on without that where it can."""
        if self._flush_nowait():
            return
        # What a cancelled send left is not waited for: two receivers that did would each wait for
        # the other to receive. Over a socket it went as far as it would go, above.
        left = self._unflushed or self._held_below
        waits = self._send_nowait is None and not (self._flushes.taken or left)
        if waits or len(self._unflushed) + self._outgoing.pending > BEHIND:
            yield from self._flush()

    @coroutine
    def _flush(self) -> Gen[None]:
        """Send all that OpenSSL has to say."""
        while self._unflushed or self._outgoing.pending or self._held_below:
            if self._flushes.taken:
                yield from self._flushes.wait()
                continue
            self._flushes.taken = True
            data = self._unflushed or self._outgoing.read()
            self._unflushed = b""
            try:
                yield from self._inner.send(data)
                self._held_below = False
            except BaseException:
                self._unflushed = data[len(data) - self._inner.unsent :]
                self._held_below = self._send_nowait is None
                raise
            finally:
                self._flushes.taken = False
                self._flushes.wake()
