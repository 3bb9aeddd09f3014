"""Several buffers sent as one."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Iterable
from itertools import islice
from typing import TYPE_CHECKING, Final, final

if TYPE_CHECKING:
    from typing_extensions import Buffer

__all__ = ["GATHERS", "JOINED", "Gathered", "flat"]

GATHERS: Final = sys.platform != "win32"
"""Whether sockets take several buffers in one call (`socket.socket.sendmsg`)."""

JOINED: Final = 16384
"""Bytes up to which copying buffers together is faster than to have the kernel gather them: at
1 KiB 1.3 against 1.5 microseconds, at 64 KiB 7.9 against 6.3."""

MOST: Final = 1024
"""Buffers that the kernel takes in one call (``IOV_MAX`` of Linux, the BSDs and macOS)."""


def flat(buffer: Buffer) -> memoryview:
    """Return a view of a buffer's bytes; a view of nothing cannot be cast."""
    view = memoryview(buffer)
    return view.cast("B") if view.nbytes else memoryview(b"")


@final
class Gathered:
    """The bytes of several buffers that are still to be sent, in order.

    Attributes:
        left: How many there are.
    """

    __slots__ = ("_views", "left")

    def __init__(self, buffers: Iterable[Buffer]) -> None:
        self._views = deque(view for view in map(flat, buffers) if view)
        self.left: int = sum(map(len, self._views))

    def join(self) -> bytes:
        """Return all of them in one piece."""
        return b"".join(self._views)

    def first(self) -> list[memoryview]:
        """Return as many buffers as one system call takes."""
        return list(islice(self._views, MOST))

    def advance(self, count: int) -> None:
        """Take ``count`` bytes off the start."""
        self.left -= count
        while count:
            view = self._views.popleft()
            if count < len(view):
                self._views.appendleft(view[count:])
                return
            count -= len(view)
