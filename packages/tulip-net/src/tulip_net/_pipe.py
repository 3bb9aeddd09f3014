"""Transports over pipes, and over whatever else is read and written by descriptor.

Source: pipe(7), "I/O on pipes and FIFOs"; POSIX.1-2017 write() for ``O_NONBLOCK`` and ``EPIPE``.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import warnings
from typing import TYPE_CHECKING, BinaryIO, Final, NoReturn, Protocol, TypeAlias, final

from tulip_net import _nonblocking
from tulip_net._closable import Closable
from tulip_net._errors import BrokenError
from tulip_net._gather import Gathered
from tulip_net._receive_into import receive_and_copy
from tulip_net._send_file import FilePart, send_by_reading
from tulip_net._socket import RECEIVED
from tulip_net._turns import CALL, TURN
from tulip_net._typing import override
from tulip_sched import BusyError, ClosedError, Gen, Watch, WrongThreadError, coroutine, sleep

if TYPE_CHECKING:
    from typing_extensions import Buffer

__all__ = ["PipeEnd", "PipeTransport"]


class _File(Protocol):
    def fileno(self) -> int: ...
    def close(self) -> None: ...


PipeEnd: TypeAlias = int | _File
"""A descriptor, or a file object that has one, such as a child process's ``stdin``."""

TO_READ: Final = "another transport sends with send_file(), or read in a thread"
TO_WRITE: Final = "write to it directly, or in a thread"
"""What to do with a file instead."""


@final
class PipeTransport(Closable):
    """A `Transport` over one pipe, or over two, one in each direction.

    Args:
        receive: The end to read from: of a pipe, a FIFO, a terminal; ``None`` for none.
        send: The end to write to; ``None`` for none. It may be the same as ``receive``.

    The transport owns both from now on, and makes them non-blocking: so they are then for every
    process that shares them, until the last transport over the same file is closed in this one.
    `send_eof` closes the end to write to.

    Raises:
        ValueError: Neither was given, or one is a file on disk, which is always ready.
        OSError: One is closed.
    """

    __slots__ = ("__weakref__", "_full", "_incoming", "_outgoing", "_ready", "_sending", "_unsent")

    def __init__(self, receive: PipeEnd | None = None, send: PipeEnd | None = None) -> None:
        if receive is None and send is None:
            raise ValueError("a pipe transport needs an end to read from, or to write to, or both")
        self._incoming = None if receive is None else _End(receive, TO_READ)
        if send is None or send == receive:
            self._outgoing = None if send is None else self._incoming
        else:
            self._outgoing = _End(send, TO_WRITE)
        # Not before both were found fit: the one who shares a refused terminal keeps it as it was.
        for end in (self._incoming, self._outgoing):
            if end is not None:
                end.begin()
        self._ready = True
        self._sending = False
        self._unsent = self._full = 0

    @classmethod
    def _joining(cls, receive: PipeTransport, send: PipeTransport) -> PipeTransport:
        """Return a transport over one end of each, which stay theirs to close as well."""
        joined = cls.__new__(cls)
        joined._incoming, joined._outgoing = receive._incoming, send._outgoing
        joined._ready = True
        joined._sending = False
        joined._unsent = joined._full = 0
        return joined

    @property
    def unsent(self) -> int:
        """How many bytes of the last `send` had not gone out when it was cancelled or failed."""
        return self._unsent

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return all(end is None or end.fd < 0 for end in (self._incoming, self._outgoing))

    @coroutine
    def recv(self, limit: int) -> Gen[bytes]:
        """Wait for data and return some of it. See `Transport.recv`."""
        if limit < 1:
            raise ValueError(f"read limit must be at least 1, got {limit}")
        end = self._end(self._incoming, "receiving")
        limit = min(limit, RECEIVED)
        while True:
            if not self._ready:
                end.watch.block_r()
                yield
            elif self._full > TURN:
                self._full = 0
                yield from sleep(0)
            try:
                data = os.read(end.fd, limit)
            except BlockingIOError:
                self._ready = False
                continue
            except OSError as error:
                if error.errno != errno.EIO or end.fd < 0:
                    self._fail("receiving", end, error)
                data = b""  # how a terminal says that nobody is at its other side any more
            self._ready = len(data) == limit or not data
            if self._ready:
                self._full += limit + CALL
            return data

    @coroutine
    def recv_into(self, buffer: Buffer) -> Gen[int]:
        """Wait for data and put it into ``buffer``. See `Transport.recv_into`."""
        return (yield from receive_and_copy(self, buffer))

    @coroutine
    def send(self, data: Buffer, /, *more: Buffer) -> Gen[None]:
        """Send all of ``data`` and ``more``. See `Transport.send`."""
        end = self._end(self._outgoing, "sending")
        if self._sending:
            raise BusyError(f"another task is already sending on {self!r}")
        gathered = Gathered((data, *more))
        self._unsent = gathered.left
        self._sending = True
        try:
            while gathered.left:
                try:
                    gathered.advance(os.writev(end.fd, gathered.first()))
                except BlockingIOError:
                    end.watch.block_w()
                    yield
                except OSError as error:
                    self._fail("sending", end, error)
                self._unsent = gathered.left
            if end.fd < 0:
                raise ClosedError(f"sending on {self!r}, which was closed")
        finally:
            self._sending = False

    @coroutine
    def send_file(self, file: BinaryIO, offset: int = 0, count: int | None = None) -> Gen[int]:
        """Send a file, or a part of it. See `Transport.send_file`."""
        return (yield from send_by_reading(self, FilePart(file, offset, count)))

    @coroutine
    async def send_eof(self) -> None:
        """Close the end to write to. See `Transport.send_eof`."""
        end = self._end(self._outgoing, "ending")
        if self._sending:
            raise BusyError(f"another task is still sending on {self!r}")
        if end is self._incoming:
            raise ValueError(f"{self!r} has one descriptor for both directions")
        end.close()

    @override
    def close(self) -> None:
        """Close both ends now. See `Transport.close`."""
        self._ready = True  # receiving then runs into the closed descriptor
        for end in (self._incoming, self._outgoing):
            if end is not None:
                end.close()

    def _end(self, end: _End | None, doing: str) -> _End:
        if end is None:
            raise ValueError(f"{doing} is not what {self!r} was made for")
        return end

    def _fail(self, doing: str, end: _End, error: OSError) -> NoReturn:
        if end.fd < 0:
            raise ClosedError(f"{doing} on {self!r}, which was closed") from None
        raise BrokenError(f"{doing} on {self!r} failed: {error}") from error

    @override
    def __repr__(self) -> str:
        ends = {"from": self._incoming, "to": self._outgoing}
        shown = [f"{word} {end.name()}" for word, end in ends.items() if end is not None]
        return f"<PipeTransport {' '.join(shown)}>"

    def __del__(self) -> None:
        if not hasattr(self, "_unsent") or self.closed:
            return
        text = f"{self!r} was dropped without a close"
        warnings.warn(text, ResourceWarning, stacklevel=2, source=self)
        with contextlib.suppress(WrongThreadError):  # the garbage collector runs in any thread
            self.close()


class _End:
    """A descriptor, its readiness, and who closes it."""

    __slots__ = ("_file", "_id", "fd", "watch")

    def __init__(self, file: PipeEnd, instead: str) -> None:
        self.fd = file if isinstance(file, int) else file.fileno()
        mode = os.fstat(self.fd).st_mode
        if stat.S_ISREG(mode) or stat.S_ISDIR(mode) or stat.S_ISBLK(mode):
            told = f"{file!r} is on a disk, and has no readiness to wait for: {instead}"
            raise ValueError(told)
        self.watch = Watch(self.fd)
        self._file = file
        self._id: _nonblocking.FileId | None = None

    def begin(self) -> None:
        """Make it non-blocking, until it is closed."""
        if self._id is None:
            self._id = _nonblocking.begin(self.fd)

    def close(self) -> None:
        if self.fd < 0:
            return
        self.watch.forget()
        if self._id is not None:
            _nonblocking.end(self.fd, self._id)
        self.fd = -1
        if isinstance(self._file, int):
            os.close(self._file)
        else:
            self._file.close()

    def name(self) -> str:
        return "a closed end" if self.fd < 0 else f"descriptor {self.fd}"
