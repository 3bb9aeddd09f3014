"""Sending a file, or a part of one, without having it in memory.

A socket gets it from the kernel (`os.sendfile`); any other transport gets it in chunks that are
read here. Reading a chunk and sending the one before it leave no gap in which another task could
send. Both ways read in the loop's thread: a disk that is slow holds up the loop.
"""

from __future__ import annotations

import errno
import io
import os
from typing import TYPE_CHECKING, BinaryIO, Final, Protocol, final

from tulip_sched import BusyError, Coroutine, Gen, coroutine

if TYPE_CHECKING:
    from typing_extensions import Buffer

__all__ = ["CANNOT_SENDFILE", "FilePart", "Sender", "send_by_reading"]

CHUNK = 262144
"""Bytes: enough for system calls not to count, and read from memory in some 30 microseconds."""


CANNOT_SENDFILE: Final = {errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.EOVERFLOW}
"""What `os.sendfile` says of a file, or a file system, that it cannot send from."""


class Sender(Protocol):
    """What `send_by_reading` needs of a transport, its count of unsent bytes included."""

    _sending: bool
    _unsent: int

    def send(self, data: Buffer, /) -> Coroutine[None]: ...


@final
class FilePart:
    """The part of a file that is still to be sent.

    Args:
        file: Opened in binary mode, seekable.
        offset: Where to begin, in bytes from the file's start.
        count: How many bytes, if the file has as many; ``None``: all the rest.

    Raises:
        ValueError: ``offset`` or ``count`` is negative.
        TypeError: ``file`` was opened as text, or is no file, such as a path.
        OSError: ``file`` cannot seek.

    Attributes:
        position: Where the part begins.
        left: How many bytes it has.
    """

    __slots__ = ("file", "left", "position")

    def __init__(self, file: BinaryIO, offset: int, count: int | None) -> None:
        opened: object = file  # what the type says is no proof
        if isinstance(opened, io.TextIOBase) or not hasattr(opened, "seek"):
            raise TypeError(f"a file to send must be opened in binary mode, got {file!r}")
        if offset < 0 or (count is not None and count < 0):
            raise ValueError(f"cannot send {count} bytes of a file from {offset} on")
        # Seeking also writes out what the file object still holds in its buffer.
        rest = max(0, file.seek(0, os.SEEK_END) - offset)
        self.file = file
        self.position: int = offset
        self.left: int = rest if count is None else min(rest, count)

    def descriptor(self) -> int | None:
        """Return the file's descriptor, if reading from it gives what reading the object gives.

        That of a `gzip.GzipFile`, say, gives something else.
        """
        raw = getattr(self.file, "raw", self.file)
        plain = (io.FileIO, io.BufferedReader, io.BufferedRandom)
        if isinstance(self.file, plain) and isinstance(raw, io.FileIO):
            return raw.fileno()
        return None

    def advance(self, count: int) -> None:
        """Take ``count`` bytes off the start."""
        self.position += count
        self.left -= count

    def read(self) -> bytes:
        """Take a chunk off the start; ``b""`` at the end, also of a file that has shrunk."""
        self.file.seek(self.position)
        data = self.file.read(min(self.left, CHUNK))
        self.advance(len(data))
        return data


@coroutine
def send_by_reading(sender: Sender, part: FilePart) -> Gen[int]:
    """Send the part chunk by chunk, and return how many bytes that was."""
    sent = 0
    while True:
        try:
            chunk = part.read()
        except BaseException:
            if not sender._sending:  # else it is the count of the task that is
                sender._unsent = part.left
            raise
        if not chunk:
            return sent
        try:
            yield from sender.send(chunk)
        except BusyError:
            raise  # the count is that of the task which is sending
        except BaseException:
            sender._unsent += part.left
            raise
        sent += len(chunk)
