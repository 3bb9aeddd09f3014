"""Reading by the message instead of by the packet.

The rule that holds here: bytes leave ``_buffer`` only in the step that returns them, and nothing
suspends in that step. So a cancelled read, of whatever kind, leaves every byte for the next one.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import final

from tulip_net._errors import IncompleteReadError, LimitError
from tulip_net._transport import Transport
from tulip_sched import Gen, coroutine

__all__ = ["BufferedReader"]

DEFAULT_LIMIT = 65536
"""The longest line, in bytes: asyncio's and Go's default is the same."""

LARGEST_READ = 262144
"""Bytes. Beyond this a larger read saves no more time per byte (asyncio's `max_size`)."""


@final
class BufferedReader:
    """Reads lines, and exact numbers of bytes, from a transport.

    Args:
        transport: Where bytes come from. Nobody else reads from it meanwhile; closing it stays
            with the caller.
        limit: The longest line or message that `readline` and `readuntil` accept, in bytes. The
            buffer may grow to this and one packet more.

    What is in the buffer already comes back without suspending.

    Raises:
        ValueError: ``limit`` is below 1.
    """

    __slots__ = ("_buffer", "_ended", "_limit", "_transport")

    def __init__(self, transport: Transport, limit: int = DEFAULT_LIMIT) -> None:
        if limit < 1:
            raise ValueError(f"read limit must be at least 1, got {limit}")
        self._transport = transport
        self._limit = limit
        # Taking from the front of a bytearray moves no bytes: CPython only moves its start.
        self._buffer = bytearray()
        self._ended = False

    @property
    def buffered(self) -> int:
        """How many bytes are in the buffer."""
        return len(self._buffer)

    @coroutine
    def read(self, limit: int = -1) -> Gen[bytes]:
        """Return what is there: 1 to ``limit`` bytes, or ``b""`` at the end of the stream.

        Args:
            limit: Most bytes to return; -1 for everything up to the end of the stream, however
                much that is.

        Raises:
            ValueError: ``limit`` is 0 or below -1.
            ClosedError, BusyError, BrokenError: As for `Transport.recv`.
        """
        if limit == -1:
            while not self._ended:
                yield from self._fill(LARGEST_READ)
            return self._take(len(self._buffer))
        if limit < 1:
            raise ValueError(f"read limit must be at least 1, or -1, got {limit}")
        if self._buffer:
            return self._take(limit)
        if self._ended:
            return b""
        data = yield from self._transport.recv(limit)  # past the buffer: not copied
        self._ended = not data
        return data

    @coroutine
    def readexactly(self, count: int) -> Gen[bytes]:
        """Return exactly ``count`` bytes.

        Raises:
            IncompleteReadError: The stream ended before; its ``partial`` has what came.
            ValueError: ``count`` is negative.
            ClosedError, BusyError, BrokenError: As for `Transport.recv`.
        """
        if count < 0:
            raise ValueError(f"cannot read {count} bytes")
        while len(self._buffer) < count:
            if self._ended:
                raise IncompleteReadError(self._take(count), count, repr(self._transport))
            yield from self._fill(count - len(self._buffer))
        return self._take(count)

    @coroutine
    def readline(self) -> Gen[bytes]:
        r"""Return the next line with its ``\n``.

        At the end of the stream it returns what is left, without a ``\n``, and then ``b""``.

        Raises:
            LimitError: The line is longer than the limit; it is still in the buffer.
            ClosedError, BusyError, BrokenError: As for `Transport.recv`.
        """
        end = self._buffer.find(b"\n") + 1
        if not end or end > self._limit:
            end = yield from self._find((b"\n",))
        return self._take(end or len(self._buffer))

    @coroutine
    def readuntil(self, *separators: bytes) -> Gen[bytes]:
        """Return everything up to the first separator, which is included.

        Args:
            separators: One or several. Where two begin at the same byte, the longer one counts,
                if all of it has come.

        Raises:
            IncompleteReadError: The stream ended before; its ``partial`` has what came.
            LimitError: No separator within the limit; everything is still in the buffer.
            ValueError: There is no separator, or an empty one.
            ClosedError, BusyError, BrokenError: As for `Transport.recv`.
        """
        if not separators or not all(separators):
            raise ValueError(f"readuntil needs separators that are not empty, got {separators}")
        end = yield from self._find(separators)
        if not end:
            partial = self._take(len(self._buffer))
            raise IncompleteReadError(partial, None, repr(self._transport))
        return self._take(end)

    @coroutine
    def peek(self, count: int = 1) -> Gen[bytes]:
        """Return at least ``count`` bytes, fewer only at the end, and leave them to be read.

        Raises:
            LimitError: ``count`` is above the limit.
            ClosedError, BusyError, BrokenError: As for `Transport.recv`.
        """
        if count > self._limit:
            raise LimitError(self._limit, bytes(self._buffer))
        while len(self._buffer) < count and not self._ended:
            yield from self._fill(DEFAULT_LIMIT)
        return bytes(self._buffer)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Give line after line, until the end of the stream: ``async for line in reader``."""
        while line := await self.readline():
            yield line

    @coroutine
    def _find(self, separators: tuple[bytes, ...]) -> Gen[int]:
        """Return where the first separator ends, once there is one; 0 at the end of the stream."""
        longest = max(map(len, separators))
        searched = 0
        while True:
            end = _first_end(self._buffer, separators, searched)
            if end > self._limit or (not end and len(self._buffer) > self._limit):
                raise LimitError(self._limit, bytes(self._buffer))
            if end or self._ended:
                return end
            # A separator may begin in this packet and end in the next.
            searched = max(0, len(self._buffer) - longest + 1)
            yield from self._fill(DEFAULT_LIMIT)

    @coroutine
    def _fill(self, wanted: int) -> Gen[None]:
        size = min(max(wanted, DEFAULT_LIMIT), LARGEST_READ)
        data = yield from self._transport.recv(size)
        if data:
            self._buffer += data
        else:
            self._ended = True

    def _take(self, count: int) -> bytes:
        data = bytes(self._buffer[:count])
        del self._buffer[:count]
        return data


def _first_end(buffer: bytearray, separators: tuple[bytes, ...], start: int) -> int:
    """Return the end of the separator that begins first, or 0."""
    found = [(at, -len(each)) for each in separators if (at := buffer.find(each, start)) >= 0]
    if not found:
        return 0
    at, length = min(found)
    return at - length
