"""A transport with bad luck, which a seed repeats."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, BinaryIO, NoReturn, final

from tulip_net._closable import Closable
from tulip_net._errors import BrokenError
from tulip_net._gather import Gathered, flat
from tulip_net._send_file import FilePart, send_by_reading
from tulip_net._transport import Transport
from tulip_net._typing import override
from tulip_sched import BusyError, Gen, coroutine, sleep

if TYPE_CHECKING:
    from typing_extensions import Buffer

__all__ = ["FaultyTransport"]


@final
class FaultyTransport(Closable):
    """A `Transport` over another one that reads short, writes short, dawdles, and breaks.

    Args:
        inner: The transport that does the work. This one owns it.
        seed: The same seed gives the same faults, as long as the calls are the same.
        short: How likely an operation is cut down to a random part.
        slow: How likely an operation waits first.
        longest_delay: Seconds of the event loop's clock; on a virtual clock they take no time.
        reset: How likely an operation fails with `BrokenError`, and all that follow.
    """

    def __init__(
        self,
        inner: Transport,
        seed: int,
        *,
        short: float = 0.5,
        slow: float = 0.2,
        longest_delay: float = 0.01,
        reset: float = 0.0,
    ) -> None:
        self._inner = inner
        # Not for secrets: for repetition. One generator for each direction, so that what one task
        # does has no influence on the luck of the other.
        self._luck = {name: random.Random(f"{name} {seed}") for name in ("recv", "send")}  # noqa: S311
        self._short = short
        self._slow = slow
        self._longest_delay = longest_delay
        self._reset = reset
        self._broken = False
        self._receiving = self._sending = False
        self._unsent = 0

    @property
    def unsent(self) -> int:
        """How many bytes of the last `send` had not gone out when it was cancelled or failed."""
        return self._unsent

    @coroutine
    def recv(self, limit: int) -> Gen[bytes]:
        """Wait for data and return some of it, often less than there is. See `Transport.recv`."""
        self._begin_to_receive()
        try:
            yield from self._suffer("recv")
            return (yield from self._inner.recv(self._shorten("recv", limit)))
        finally:
            self._receiving = False

    @coroutine
    def recv_into(self, buffer: Buffer) -> Gen[int]:
        """Wait for data and put some of it into ``buffer``. See `Transport.recv_into`."""
        self._begin_to_receive()
        try:
            yield from self._suffer("recv")
            with memoryview(buffer) as view, view.cast("B") as room:
                part = room[: self._shorten("recv", room.nbytes)]
                with part:
                    return (yield from self._inner.recv_into(part))
        finally:
            self._receiving = False

    def _begin_to_receive(self) -> None:
        # The transport below would refuse whichever of two has dawdled longer.
        if self._receiving:
            raise BusyError(f"another task is already receiving on {self!r}")
        self._receiving = True

    @coroutine
    def send(self, data: Buffer, /, *more: Buffer) -> Gen[None]:
        """Send all of ``data`` and ``more``, in pieces. See `Transport.send`."""
        if self._sending:
            raise BusyError(f"another task is already sending on {self!r}")
        view = flat(Gathered((data, *more)).join() if more else data)
        self._sending = True
        self._unsent = len(view)
        try:
            if not view:
                yield from self._inner.send(view)
            while self._unsent:
                yield from self._suffer("send")
                yield from self._send_piece(view[-self._unsent :])
        finally:
            self._sending = False

    @coroutine
    def _send_piece(self, view: memoryview) -> Gen[None]:
        piece = view[: self._shorten("send", len(view))]
        left = len(view) - len(piece)
        try:
            yield from self._inner.send(piece)
        except BaseException:
            self._unsent = left + self._inner.unsent
            raise
        self._unsent = left

    @coroutine
    def send_file(self, file: BinaryIO, offset: int = 0, count: int | None = None) -> Gen[int]:
        """Send a file, or a part of it, in pieces. See `Transport.send_file`."""
        return (yield from send_by_reading(self, FilePart(file, offset, count)))

    @coroutine
    def send_eof(self) -> Gen[None]:
        """Tell the peer that nothing more will come. See `Transport.send_eof`."""
        if self._sending:
            raise BusyError(f"another task is already sending on {self!r}")
        yield from self._suffer("send")
        yield from self._inner.send_eof()

    @override
    def close(self) -> None:
        """Close the transport below. See `Transport.close`."""
        self._inner.close()

    @coroutine
    @override
    def aclose(self) -> Gen[None]:
        """End the stream of the transport below. See `Transport.aclose`."""
        yield from self._inner.aclose()

    @coroutine
    def _suffer(self, direction: str) -> Gen[None]:
        luck = self._luck[direction]
        if self._broken or luck.random() < self._reset:
            self._break()
        if luck.random() < self._slow:
            yield from sleep(luck.random() * self._longest_delay)

    def _break(self) -> NoReturn:
        self._broken = True
        self._inner.close()
        raise BrokenError(f"{self!r} was reset, as its seed had it")

    def _shorten(self, direction: str, size: int) -> int:
        luck = self._luck[direction]
        if size > 1 and luck.random() < self._short:
            # Often just a few bytes, whatever was asked for: that is where mistakes show.
            return luck.randint(1, min(size, luck.choice([3, 100, 5000, size])))
        return size

    @override
    def __repr__(self) -> str:
        return f"<FaultyTransport over {self._inner!r}>"
