"""The pollster over kqueue, for macOS and the BSDs.

The kernel keeps one filter per number and direction, and drops both when that number is
closed, whatever became of the open file: there are no ghosts here, as there are in epoll.
``EV_ADD`` makes a filter or finds it made. ``EV_ENABLE`` only finds, which tells whether
the *other* direction's filter is still there; if not, the number is another file's by now,
and the other direction's handle was the old file's.

Source: FreeBSD kqueue(2); macOS kqueue(2).
"""

import select
import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Protocol, cast, final

from tulip_poll._errors import ClosedError
from tulip_poll._handle import Handle
from tulip_poll._pollster import READ, WRITE, Pollster, bounded, refused
from tulip_poll._typing import override


class Event(Protocol):
    """What is used of a ``select.kevent``."""

    @property
    def ident(self) -> int: ...
    @property
    def filter(self) -> int: ...
    @property
    def flags(self) -> int: ...
    @property
    def fflags(self) -> int: ...


class Queue(Protocol):
    """What is used of a ``select.kqueue``."""

    def control(
        self, changelist: Iterable[Event] | None, maxevents: int, timeout: float | None, /
    ) -> list[Event]: ...
    def fileno(self) -> int: ...
    def close(self) -> None: ...


class Facility(Protocol):
    """What is used of the module ``select``; the tests have others like it."""

    KQ_FILTER_READ: int
    KQ_FILTER_WRITE: int
    KQ_EV_ADD: int
    KQ_EV_DELETE: int
    KQ_EV_ENABLE: int
    KQ_EV_ERROR: int
    KQ_EV_EOF: int

    def kqueue(self) -> Queue: ...
    def kevent(self, ident: int, direction: int, flags: int, /) -> Event: ...


def _facility() -> Facility:
    """Return the module with kqueue in it, looked up when a pollster is made."""
    if not hasattr(select, "kqueue"):
        raise NotImplementedError(f"there is no kqueue on {sys.platform}")
    if sys.platform == "linux" or sys.platform == "win32":
        # Only a stand-in gets here, put in place by a test.
        facility = cast("Facility", select)
    else:
        facility = select
    return facility


@final
class KqueuePollster(Pollster):
    """Watch descriptors with kqueue, level-triggered.

    Source: FreeBSD kqueue(2); macOS kqueue(2).
    """

    def __init__(self) -> None:
        """Open a kernel queue; see :class:`Pollster`."""
        super().__init__()
        self._facility = facility = _facility()
        self._filters = {READ: facility.KQ_FILTER_READ, WRITE: facility.KQ_FILTER_WRITE}
        self._queue = facility.kqueue()

    @override
    def poll(self, timeout: float | None = None) -> list[Handle]:
        """Wait for readiness; see :meth:`Pollster.poll`. It counts nanoseconds."""
        if self._closed:
            raise ClosedError(f"{self!r} was closed")
        if self._withdrawn:
            self._drop_withdrawn()
        # With room for no event, kevent() would not wait at all.
        room = len(self._readers) + len(self._writers) or 1
        ready: list[Handle] = []
        for event in self._queue.control(None, room, bounded(timeout)):
            self._collect(event, ready)
        return ready

    @override
    def fileno(self) -> int:
        """Return a descriptor that is readable when ``poll(0)`` would return handles."""
        if self._closed:
            raise ClosedError(f"{self!r} was closed")
        return self._queue.fileno()

    @override
    def close(self) -> None:
        """Close the kernel queue; forget all registrations. Twice is once."""
        self._forget_all()
        self._queue.close()

    @override
    def _let_go(self) -> None:
        if self._closed:
            return
        # A queue is not inherited, only the object, which would close the number when it goes.
        with suppress(OSError):
            self._queue.close()
        self._queue = _Unfilled(self._fill)

    @override
    def _be_hosted_again(self) -> None:
        if isinstance(self._queue, _Unfilled):
            self._fill()

    def _fill(self) -> Queue:
        """Make a queue from the books."""
        self._queue = made = self._facility.kqueue()
        for direction, book in ((READ, self._readers), (WRITE, self._writers)):
            for fd in book:
                with suppress(OSError):  # closed without a word: it will never be ready
                    self._change(fd, direction, self._facility.KQ_EV_ADD)
        return made

    def _collect(self, event: Event, ready: list[Handle]) -> None:
        """Append the handles that an event makes ready, each once in a poll."""
        facility = self._facility
        reading = event.filter == facility.KQ_FILTER_READ
        first, second = self._readers, self._writers
        if not reading:
            first, second = second, first
        books = [first]
        # An end of stream is one direction's. An error, which comes with EV_EOF and fflags
        # or as EV_ERROR, is both's, and not every kernel raises both filters for it.
        if event.flags & facility.KQ_EV_ERROR or (
            event.flags & facility.KQ_EV_EOF and event.fflags
        ):
            books.append(second)
        for book in books:
            handle = book.get(event.ident)
            if handle is not None and handle not in ready:
                ready.append(handle)

    @override
    def _attach(self, fd: int, direction: int, /) -> None:
        facility = self._facility
        other = (READ | WRITE) - direction
        try:
            if self._interest(fd) & other and not self._still_has(fd, other):
                self._drop_stale(fd)
            self._change(fd, direction, facility.KQ_EV_ADD)
        except OSError as error:
            raise refused(error, "kqueue", fd) from error

    @override
    def _detach(self, fd: int, direction: int, /) -> None:
        # ENOENT or EBADF: the number was closed first, and the filter went with it.
        with suppress(OSError):
            self._change(fd, direction, self._facility.KQ_EV_DELETE)

    def _still_has(self, fd: int, direction: int) -> bool:
        try:
            self._change(fd, direction, self._facility.KQ_EV_ENABLE)
        except FileNotFoundError:
            return False
        return True

    def _change(self, fd: int, direction: int, flags: int) -> None:
        """Submit one change; with no room for events, its error is raised at once."""
        change = self._facility.kevent(fd, self._filters[direction], flags)
        self._queue.control([change], 0, 0)

    def _drop_stale(self, fd: int) -> None:
        """Cancel what was registered for a file that is not behind ``fd`` any more."""
        for book in (self._readers, self._writers):
            stale = book.pop(fd, None)
            if stale is not None:
                Handle.cancel(stale)


@final
class _Unfilled:
    """The queue of a forked process, until it is asked for; most such processes never do."""

    def __init__(self, fill: Callable[[], Queue]) -> None:
        self._fill = fill

    def control(
        self, changes: Iterable[Event] | None, most: int, timeout: float | None, /
    ) -> list[Event]:
        return self._fill().control(changes, most, timeout)

    def fileno(self) -> int:
        return self._fill().fileno()

    def close(self) -> None:
        """Do nothing: there is none yet."""
