"""Two transports joined by memory: no descriptor, no kernel, the same behaviour."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, BinaryIO, final

from tulip_net._closable import Closable
from tulip_net._errors import BrokenError
from tulip_net._gather import Gathered, flat
from tulip_net._receive_into import receive_and_copy
from tulip_net._send_file import FilePart, send_by_reading
from tulip_net._typing import override
from tulip_sched import BusyError, ClosedError, Gen, Task, block, coroutine, current_task

if TYPE_CHECKING:
    from typing_extensions import Buffer

__all__ = ["MemoryTransport", "memory_pair"]

CAPACITY = 65536
"""Bytes on their way in each direction, as much as a pipe of the kernel's holds."""


def memory_pair(capacity: int = CAPACITY) -> tuple[MemoryTransport, MemoryTransport]:
    """Return two transports; what is sent into one is received from the other.

    Args:
        capacity: How many bytes each direction holds before a sender waits, at least 1.

    Raises:
        ValueError: ``capacity`` is below 1.
    """
    if capacity < 1:
        raise ValueError(f"capacity must be at least 1, got {capacity}")
    there, back = _Pipe(capacity), _Pipe(capacity)
    return MemoryTransport(back, there), MemoryTransport(there, back)


class _Pipe:
    """One direction: some bytes, and at most one task that waits for more or for room."""

    __slots__ = ("capacity", "data", "ended", "waiter")

    def __init__(self, capacity: int) -> None:
        self.capacity: int = capacity
        self.data: bytearray = bytearray()
        self.ended: bool = False
        """Neither end gives or takes any more; what is in ``data`` still counts."""
        self.waiter: Task[Any] | None = None

    @coroutine
    def changed(self) -> Gen[None]:
        """Wait for `touch`. A receiver waits when it is empty, a sender when it is full."""
        self.waiter = current_task()
        block(self._stop_waiting)
        yield

    def touch(self) -> None:
        waiter, self.waiter = self.waiter, None
        if waiter is not None:
            waiter.unblock()

    def _stop_waiting(self) -> None:
        self.waiter = None


@final
class MemoryTransport(Closable):
    """One end of a `memory_pair`; a `Transport`.

    Closing it lets the other end receive what is on its way, and then the end of the stream; the
    other end's sends fail with `BrokenError`.
    """

    __slots__ = (
        "__weakref__",
        "_closed",
        "_ended",
        "_incoming",
        "_outgoing",
        "_receiving",
        "_sending",
        "_unsent",
    )

    def __init__(self, incoming: _Pipe, outgoing: _Pipe) -> None:
        self._incoming = incoming
        self._outgoing = outgoing
        self._closed = self._ended = self._receiving = self._sending = False
        self._unsent = 0

    @property
    def unsent(self) -> int:
        """How many bytes of the last `send` had not gone out when it was cancelled or failed."""
        return self._unsent

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._closed

    @coroutine
    def recv(self, limit: int) -> Gen[bytes]:
        """Wait for data and return some of it. See `Transport.recv`."""
        if limit < 1:
            raise ValueError(f"read limit must be at least 1, got {limit}")
        pipe = self._incoming
        self._refuse(self._receiving, "receiving")
        self._receiving = True
        try:
            while not (pipe.data or pipe.ended):
                yield from pipe.changed()
                self._refuse(False, "receiving")
        finally:
            self._receiving = False
        data = bytes(pipe.data[:limit])
        del pipe.data[:limit]
        pipe.touch()
        return data

    @coroutine
    def recv_into(self, buffer: Buffer) -> Gen[int]:
        """Wait for data and put it into ``buffer``. See `Transport.recv_into`."""
        return (yield from receive_and_copy(self, buffer))

    @coroutine
    def send(self, data: Buffer, /, *more: Buffer) -> Gen[None]:
        """Send all of ``data`` and ``more``, waiting for room. See `Transport.send`."""
        view = flat(Gathered((data, *more)).join() if more else data)
        if not self._sending:
            self._unsent = len(view)
        self._refuse(self._sending, "sending")
        if self._ended:
            raise ClosedError(f"sending on {self!r} after its send_eof()")
        pipe = self._outgoing
        self._sending = True
        try:
            while self._unsent:
                if pipe.ended:
                    raise BrokenError(f"sending on {self!r}: the other end is closed")
                chunk = view[-self._unsent :][: pipe.capacity - len(pipe.data)]
                if chunk:
                    pipe.data += chunk
                    self._unsent -= len(chunk)
                    pipe.touch()
                else:
                    yield from pipe.changed()
                    self._refuse(False, "sending")
        finally:
            self._sending = False

    @coroutine
    def send_file(self, file: BinaryIO, offset: int = 0, count: int | None = None) -> Gen[int]:
        """Send a file, or a part of it. See `Transport.send_file`."""
        return (yield from send_by_reading(self, FilePart(file, offset, count)))

    @coroutine
    async def send_eof(self) -> None:
        """Tell the peer that nothing more will come. See `Transport.send_eof`."""
        self._refuse(self._sending, "sending")
        self._ended = True
        self._outgoing.ended = True
        self._outgoing.touch()

    @override
    def close(self) -> None:
        """Close this end. See `Transport.close`."""
        if self._closed:
            return
        self._closed = True
        self._incoming.data.clear()
        for pipe in (self._incoming, self._outgoing):
            pipe.ended = True
            pipe.touch()

    def _refuse(self, busy: bool, doing: str) -> None:
        if self._closed:
            raise ClosedError(f"{doing} on a transport that was closed: {self!r}")
        if busy:
            raise BusyError(f"another task is already {doing} on {self!r}")

    @override
    def __repr__(self) -> str:
        return f"<MemoryTransport {'closed' if self._closed else 'open'} at {id(self):#x}>"

    def __del__(self) -> None:
        if not getattr(self, "_closed", True):
            text = f"{self!r} was dropped without a close"
            warnings.warn(text, ResourceWarning, stacklevel=2, source=self)
            self.close()
