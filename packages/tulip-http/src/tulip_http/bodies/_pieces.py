"""Pieces of the size that a caller wants."""

from __future__ import annotations

from collections.abc import Iterable
from typing import final


@final
class Pieces:
    """Cuts what comes into pieces of one size.

    Args:
        size: Of each piece but the last, at least 1; None leaves them as they come.
    """

    __slots__ = ("_held", "_size")

    def __init__(self, size: int | None) -> None:
        if size is not None and size < 1:
            raise ValueError(f"a piece has at least 1 byte, got {size!r}")
        self._size = size
        self._held = bytearray()

    def cut(self, data: bytes) -> Iterable[bytes]:
        """Return the pieces that ``data`` completes."""
        size = self._size
        if size is None:
            return (data,)
        held = self._held
        held += data
        whole = len(held) - len(held) % size
        pieces = [bytes(held[at : at + size]) for at in range(0, whole, size)]
        del held[:whole]
        return pieces

    def rest(self) -> Iterable[bytes]:
        """Return the last piece, if something is left for one."""
        return (bytes(self._held),) if self._held else ()
