"""Writing in small pieces without a system call, or a wait, for each."""

from __future__ import annotations

from typing import TYPE_CHECKING, final

from tulip_net._transport import Transport
from tulip_sched import BusyError, Gen, coroutine

if TYPE_CHECKING:
    from typing_extensions import Buffer

__all__ = ["BufferedWriter"]

DEFAULT_LIMIT = 1048576
"""Bytes. A program that writes more than this without a `flush` has forgotten it."""


@final
class BufferedWriter:
    """Collects what is written and sends it together, when told to.

    ``write`` is a plain call and never waits; ``flush`` waits until all of it has gone out. There
    is no writing in the background: what was not flushed was not sent, and the limit makes a
    forgotten ``flush`` an error instead of a process that grows.

    Args:
        transport: Where bytes go. Nobody else sends on it meanwhile; closing it stays with the
            caller.
        limit: How many bytes may wait for a flush, at least 1.

    Raises:
        ValueError: ``limit`` is below 1.
    """

    __slots__ = ("_buffer", "_flushing", "_interrupted", "_limit", "_transport")

    def __init__(self, transport: Transport, limit: int = DEFAULT_LIMIT) -> None:
        if limit < 1:
            raise ValueError(f"write limit must be at least 1, got {limit}")
        self._transport = transport
        self._limit = limit
        self._buffer = bytearray()
        self._flushing = False
        self._interrupted = False  # a send was: TLS may hold back what it has taken

    @property
    def buffered(self) -> int:
        """How many bytes wait for a `flush`."""
        return len(self._buffer)

    def write(self, data: Buffer) -> None:
        """Take ``data``; it goes out with the next `flush`.

        Raises:
            BufferError: More than the limit would wait; nothing of ``data`` was taken.
        """
        size = memoryview(data).nbytes
        if len(self._buffer) + size > self._limit:
            raise BufferError(
                f"{len(self._buffer)} bytes wait for a flush(), and {size} more would exceed "
                f"the limit of {self._limit}"
            )
        self._buffer += data

    @coroutine
    def flush(self) -> Gen[None]:
        """Send all that was written; what is written meanwhile is sent as well.

        Cancelled or failed, it keeps what did not go out for the next flush.

        Raises:
            BusyError: Another task is already flushing, or sending; nothing was sent.
            ClosedError, BrokenError: As for `Transport.send`.
        """
        if self._flushing:
            raise BusyError(f"another task is already flushing to {self._transport!r}")
        self._flushing = True
        try:
            while self._buffer or self._interrupted:
                data, self._buffer = self._buffer, bytearray()
                try:
                    yield from self._transport.send(data)
                    self._interrupted = False
                except BusyError:
                    self._buffer[:0] = data  # what is unsent is that of the task which is sending
                    raise
                except BaseException:
                    self._interrupted = True
                    self._buffer[:0] = data[len(data) - self._transport.unsent :]
                    raise
        finally:
            self._flushing = False
