"""Bodies that are sent as they come into being: iterables, async iterables, and open files."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import AsyncIterable, AsyncIterator, Iterable
from enum import Enum
from stat import S_ISREG
from typing import Final, Protocol, TypeAlias, final, runtime_checkable

from tulip_http._errors import LocalProtocolError
from tulip_net import call_in_thread

_PIECE: Final = 262144


class _End(Enum):
    """Stands for the piece after the last one."""

    END = "no more"


@runtime_checkable
class Readable(Protocol):
    """A file that was opened for reading bytes."""

    def read(self, size: int, /) -> bytes:
        """Return at most so many bytes, ``b""`` at the end."""
        ...


StreamTypes: TypeAlias = Iterable[bytes] | AsyncIterable[bytes] | Readable
"""What is accepted as ``content`` besides bytes and text."""


@final
class BodyStream:
    """A body whose bytes come one piece after the other; it can be sent once.

    Args:
        source: Where they come from. Files are read in a thread, as a disk may be slow.

    Attributes:
        length: How many bytes there will be, None where nobody knows.
        may_block: The source waits for something, perhaps: it is asked in a thread, like a file.

    Raises:
        TypeError: ``source`` gives no bytes.
    """

    __slots__ = ("_rest", "_source", "_used", "length", "may_block")

    def __init__(self, source: StreamTypes) -> None:
        if not isinstance(source, (Iterable, AsyncIterable, Readable)):
            raise TypeError(
                f"content must be bytes, text, a file or an iterable, got {type(source).__name__}"
            )
        self._source = source
        self._used = False
        self.may_block: bool = False
        self._rest = _rest_of(source) if isinstance(source, Readable) else None
        self.length: int | None = self._rest

    async def pieces(self) -> AsyncIterator[bytes]:
        """Yield the pieces that are not empty.

        Raises:
            LocalProtocolError: They were asked for before, or are more or fewer bytes than
                announced: the server would take the rest for another request, or wait for it.
            TypeError: One of them is not bytes.
        """
        if self._used:
            raise LocalProtocolError("a body that is a stream can be sent only once")
        self._used = True
        sent = 0
        async for piece in self._all():
            if not isinstance(piece, (bytes, bytearray, memoryview)):
                raise TypeError(f"a piece of content must be bytes, got {type(piece).__name__}")
            data = bytes(piece)
            sent += len(data)
            if self.length is not None and sent > self.length:
                raise LocalProtocolError(
                    f"the body has more than the {self.length} bytes announced"
                )
            if data:
                yield data
        if self.length is not None and sent < self.length:
            raise LocalProtocolError(f"the body ended after {sent} of {self.length} bytes")

    async def _all(self) -> AsyncIterator[bytes]:
        source = self._source
        if isinstance(source, Readable):
            # A file may grow meanwhile, as a log does: what it had goes out.
            left = sys.maxsize if self._rest is None else self._rest
            while left and (data := await call_in_thread(source.read, min(left, _PIECE))):
                left -= len(data)
                yield data
        elif isinstance(source, AsyncIterable):
            async for piece in source:
                yield piece
        elif self.may_block and not isinstance(source, (list, tuple)):
            pieces = iter(source)
            while (next_one := await call_in_thread(next, pieces, _End.END)) is not _End.END:
                yield next_one
        else:
            for piece in source:
                yield piece


def _rest_of(file: Readable) -> int | None:
    """Return how many bytes a file has from where it stands, None if it is not that kind."""
    if type(file) is io.BytesIO:
        return max(0, file.getbuffer().nbytes - file.tell())
    plain = isinstance(file, (io.BufferedReader, io.BufferedRandom))
    if isinstance(file, io.BufferedIOBase) and not plain:
        return None  # gzip's and its kin: their descriptor is that of the packed file
    try:
        status = os.fstat(file.fileno())  # type: ignore[attr-defined]  # see except
        place: int = file.tell()  # type: ignore[attr-defined]
    except (AttributeError, OSError):
        return None
    size = status.st_size
    # Those in /proc say that they are empty, and are not.
    if not size and isinstance(file, io.BufferedReader) and file.peek(1):
        return None
    return size - place if S_ISREG(status.st_mode) and size >= place else None
