"""Pieces of the size that a caller wants."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
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
        """Iterate over the pieces that ``data`` completes; to be used up before the next call."""
        return (data,) if self._size is None else self._cut(data, self._size)

    def _cut(self, data: bytes, size: int) -> Iterator[bytes]:
        held = self._held
        begun = -len(held) % size if held else 0  # what the piece that was begun is short of
        if begun:
            held += data[:begun]
            if len(held) < size:
                return
            yield bytes(held)
            held.clear()
        end = len(data) - (len(data) - begun) % size
        for at in range(begun, end, size):
            yield data[at : at + size]
        held += data[end:]

    def rest(self) -> Iterable[bytes]:
        """Return the last piece, if something is left for one."""
        return (bytes(self._held),) if self._held else ()
