"""The pollster over select(), which every platform has.

On Windows it watches sockets only. Elsewhere its limit is the number of the descriptor:
one of ``FD_SETSIZE`` (mostly 1024) or more is refused when it is added.
"""

import errno
import select
import sys
import time
from typing import final

from tulip_poll._errors import ClosedError
from tulip_poll._handle import Handle
from tulip_poll._pollster import Pollster, bounded, refused
from tulip_poll._typing import override

# What select() says of a number that is not open: POSIX, and Winsock (WSAENOTSOCK).
NOT_OPEN = (errno.EBADF, getattr(errno, "WSAENOTSOCK", errno.ENOTSOCK))


@final
class SelectPollster(Pollster):
    """Watch descriptors with ``select()``.

    A descriptor that was closed while registered is returned as ready once, and dropped. But
    select() goes by numbers: if the number is another file's by then, it watches that one.

    Source: POSIX.1-2017 select(); Winsock select().
    """

    @override
    def poll(self, timeout: float | None = None) -> list[Handle]:
        """Wait for readiness; see :meth:`Pollster.poll`."""
        if self._closed:
            raise ClosedError(f"{self!r} was closed")
        if self._withdrawn:
            self._drop_withdrawn()
        timeout = bounded(timeout)
        try:
            readable, writable = _select(list(self._readers), list(self._writers), timeout)
        except OSError as error:
            if error.errno not in NOT_OPEN:
                raise
            return self._drop_closed()
        ready: list[Handle] = [self._readers[fd] for fd in readable]
        ready += [self._writers[fd] for fd in writable]
        return ready

    @override
    def close(self) -> None:
        """Forget all registrations."""
        self._forget_all()

    @override
    def _attach(self, fd: int, _direction: int, /) -> None:
        """Ask select() once: there is no set in the kernel that could refuse ``fd``."""
        try:
            _select([fd], [], 0)
        except OSError as error:
            raise refused(error, "select", fd) from error
        except ValueError as error:
            raise ValueError(f"select cannot watch descriptor {fd}: {error}") from error

    @override
    def _detach(self, fd: int, _direction: int, /) -> None:
        """Do nothing: the books are all there is."""

    def _drop_closed(self) -> list[Handle]:
        """Take out the numbers that are not open; one of them spoils the whole call."""
        dropped: list[Handle] = []
        for book in (self._readers, self._writers):
            for fd in list(book):
                try:
                    _select([fd], [], 0)
                except OSError:
                    dropped.append(book.pop(fd))
        return dropped


if sys.platform == "win32":

    def _select(
        readers: list[int], writers: list[int], timeout: float | None
    ) -> tuple[list[int], list[int]]:
        """Call Winsock's select(), which refuses to wait for nothing at all.

        A connection that failed is told in the third set only.
        """
        if not readers and not writers:
            time.sleep(1 if timeout is None else timeout)
            return [], []
        readable, writable, failed = select.select(readers, writers, writers, timeout)
        return readable, list({*writable, *failed})

else:

    def _select(
        readers: list[int], writers: list[int], timeout: float | None
    ) -> tuple[list[int], list[int]]:
        """Call select(); the third set is for out-of-band data only, and left empty."""
        readable, writable, _ = select.select(readers, writers, [], timeout)
        return readable, writable
