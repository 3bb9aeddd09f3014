"""The pollster over poll(): no limit on numbers, but a cost for every one watched."""

import math
import os
import select
import sys
from typing import Protocol, final

from tulip_poll._errors import ClosedError
from tulip_poll._handle import Handle
from tulip_poll._pollster import READ, WRITE, Pollster, bounded, refused
from tulip_poll._typing import override

# The same numbers on every system that has poll(); they are in POSIX by name only.
POLLIN = 0x001
POLLOUT = 0x004
POLLNVAL = 0x020

EVENTS = {READ: POLLIN, WRITE: POLLOUT, READ | WRITE: POLLIN | POLLOUT}


class Facility(Protocol):
    """What is used of the object that ``select.poll()`` returns."""

    def register(self, fd: int, events: int, /) -> None: ...
    def unregister(self, fd: int, /) -> None: ...
    def poll(self, timeout: float | None, /) -> list[tuple[int, int]]: ...


def _open() -> Facility:
    if sys.platform != "win32" and hasattr(select, "poll"):
        return select.poll()
    raise NotImplementedError(f"there is no poll() on {sys.platform}")


@final
class PollPollster(Pollster):
    """Watch descriptors with ``poll()``.

    A descriptor that was closed while registered is returned as ready once, and dropped. But
    poll() goes by numbers: if the number is another file's by then, it watches that one.

    Source: POSIX.1-2017 poll().
    """

    def __init__(self) -> None:
        """Make the list of descriptors; see :class:`Pollster`."""
        super().__init__()
        self._poll = _open()

    @override
    def poll(self, timeout: float | None = None) -> list[Handle]:
        """Wait for readiness; see :meth:`Pollster.poll`. It counts milliseconds."""
        if self._closed:
            raise ClosedError(f"{self!r} was closed")
        if self._withdrawn:
            self._drop_withdrawn()
        timeout = bounded(timeout)
        events = self._poll.poll(None if timeout is None else math.ceil(timeout * 1000))
        readers, writers = self._readers, self._writers
        ready: list[Handle] = []
        for fd, mask in events:
            # Whatever is not plainly the other direction's: hang-up and errors are both's.
            if mask & ~POLLOUT and fd in readers:
                ready.append(readers[fd])
            if mask & ~POLLIN and fd in writers:
                ready.append(writers[fd])
            if mask & POLLNVAL:
                self._drop_closed(fd)
        return ready

    @override
    def close(self) -> None:
        """Forget all registrations."""
        self._forget_all()

    @override
    def _attach(self, fd: int, direction: int, /) -> None:
        """Check that the number is open, which poll() tells only when polled."""
        try:
            os.fstat(fd)
        except OSError as error:
            raise refused(error, "poll", fd) from error
        self._poll.register(fd, EVENTS[self._interest(fd) | direction])

    @override
    def _detach(self, fd: int, _direction: int, /) -> None:
        left = self._interest(fd)
        if left:
            self._poll.register(fd, EVENTS[left])
        else:
            self._poll.unregister(fd)

    def _drop_closed(self, fd: int) -> None:
        """Take out a number that is not open, or every poll would return at once."""
        self._readers.pop(fd, None)
        self._writers.pop(fd, None)
        self._poll.unregister(fd)
