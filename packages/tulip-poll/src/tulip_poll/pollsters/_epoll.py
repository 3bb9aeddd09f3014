"""The pollster over Linux's epoll.

The kernel's set is keyed by the number *and* the open file behind it, and it drops an entry
when the last descriptor of that file is closed, wherever that is. Most of this file deals with what
follows from that when a descriptor is closed without being removed first:

- The number is free for another file, and the books are wrong about it: changing the entry
  fails with ``ENOENT``. The old registrations are dropped, they were the old file's.
- The old file may live on, behind a ``dup`` or in a child process. Then its entry stays in
  the set, reports under its old number, and nobody can name it any more to remove it. We
  call that a ghost. An event that the number's present file does not have, or that is for
  no registration of ours, shows it; the set is then made anew without it.

A reader that takes all there is each time (``edge``) is reported edge-triggered: then the kernel
need not look at each ready descriptor a second time with the next poll. But what a short read
leaves behind is nothing only as long as there is plain input and no more. So:

- The entry asks for the peer's end and for urgent data as well, which stop a read short. With the
  first event that is not plain input it becomes level-triggered, for good, and so it does with a
  writer.
- That can wait for the next poll, as most connections that end are closed until then; but a host
  does not poll, it waits for our descriptor, so there it is done at once.
- So does every entry when an exception ends a run of the loop: a signal's handler may raise when
  the kernel has told, and nobody has heard yet.

Source: epoll(7), "Will closing a file descriptor cause it to be removed from all epoll
interest lists?"; the essay in trio's ``_io_epoll.py``.
"""

import errno
import os
import select
import sys
from collections.abc import Callable
from typing import Protocol, final

from tulip_poll._errors import ClosedError
from tulip_poll._handle import DescriptorHandle, Handle
from tulip_poll._pollster import EDGE, LONGEST_WAIT, READ, WRITE, Pollster, bounded, refused
from tulip_poll._typing import override

# From the kernel's include/uapi/linux/eventpoll.h; the same on every architecture.
EPOLLIN = 0x001
EPOLLPRI = 0x002
EPOLLOUT = 0x004
EPOLLRDHUP = 0x2000
EPOLLET = 1 << 31

EVENTS = {
    READ: EPOLLIN,
    WRITE: EPOLLOUT,
    READ | WRITE: EPOLLIN | EPOLLOUT,
    READ | EDGE: EPOLLIN | EPOLLPRI | EPOLLRDHUP | EPOLLET,
    READ | WRITE | EDGE: EPOLLIN | EPOLLOUT,
}

# So many numbers may be under suspicion before the set is made anew on general principles.
FEW = 64


class Facility(Protocol):
    """What is used of the object that ``select.epoll()`` returns."""

    def register(self, fd: int, eventmask: int, /) -> None: ...
    def modify(self, fd: int, eventmask: int, /) -> None: ...
    def unregister(self, fd: int, /) -> None: ...
    def poll(self, timeout: float | None, maxevents: int, /) -> list[tuple[int, int]]: ...
    def fileno(self) -> int: ...
    def close(self) -> None: ...


def _open() -> Facility:
    if sys.platform == "linux" and hasattr(select, "epoll"):
        return select.epoll()
    raise NotImplementedError(f"there is no epoll on {sys.platform}")


@final
class EpollPollster(Pollster):
    """Watch descriptors with epoll, level-triggered.

    Readers with ``edge`` are reported edge-triggered.

    Regular files and folders are refused (``EPERM``): the kernel has no readiness for them.

    Source: epoll(7), epoll_ctl(2), epoll_wait(2).
    """

    _heeds_edge = True

    def __init__(self) -> None:
        """Open an epoll set; see :class:`Pollster`."""
        super().__init__()
        self._epoll = _open()
        # What fileno() shows to a host: a set with our set in it, made when asked for.
        self._outer: Facility | None = None
        # Numbers that were closed before they were removed: there may be ghosts of them.
        self._suspects: set[int] = set()
        # Handles whose entries are edge-triggered, and must not be any more after the next poll.
        self._edges_to_end: list[DescriptorHandle] = []

    @override
    def poll(self, timeout: float | None = None) -> list[Handle]:
        """Wait for readiness; see :meth:`Pollster.poll`. It counts milliseconds."""
        if self._closed:
            raise ClosedError(f"{self!r} was closed")
        if self._withdrawn:
            self._drop_withdrawn()
        if self._edges_to_end:
            self._end_edges()
        readers = self._readers
        if timeout is not None and not (type(timeout) is float and 0 <= timeout <= LONGEST_WAIT):
            timeout = bounded(timeout)
        # CPython rounds the seconds up to milliseconds, away from zero. Room for one event
        # per handle is never too little: what does not fit comes with the next poll.
        room = len(readers) + len(self._writers) or 1
        events = self._epoll.poll(timeout, room)
        if self._suspects:
            events = self._without_ghosts(events)
        ready: list[Handle] = []
        for fd, mask in events:
            if mask == EPOLLIN:  # nearly every event; `get` would cost more (benchmarks/echo)
                try:
                    ready.append(readers[fd])
                except KeyError:
                    self._rebuild()  # see below
            else:
                ready.extend(self._interested(fd, mask))
        if self._edges_to_end and self._outer is not None:
            self._end_edges()
        return ready

    def _interested(self, fd: int, mask: int) -> tuple[Handle, ...]:
        """Return the handles that these events are for."""
        # It is not input alone. What is more than room for output may be both's, as errors are.
        reader = self._readers.get(fd) if mask != EPOLLOUT else None
        writer = self._writers.get(fd)
        if reader is not None:
            if reader._edge:
                self._edges_to_end.append(reader)
            return (reader,) if writer is None else (reader, writer)
        if writer is not None:
            return (writer,)
        # We tell the kernel of every change at once, so this can only be a ghost.
        self._rebuild()
        return ()

    def _end_edges(self) -> None:
        """Make entries level-triggered, so that they are reported until all is read."""
        for handle in self._edges_to_end:
            handle._edge = False
            if self._readers.get(handle._fd) is handle:
                self._modify(handle._fd)
        self._edges_to_end.clear()

    @override
    def _tell_again(self) -> None:
        self._edges_to_end.extend(each for each in self._readers.values() if each._edge)
        self._end_edges()

    def _modify(self, fd: int) -> None:
        """Tell the kernel what the books say of ``fd``."""
        try:
            self._epoll.modify(fd, EVENTS[self._interest(fd)])
        except OSError:
            # ENOENT or EBADF: it was closed first.
            self._suspects.add(fd)

    @override
    def fileno(self) -> int:
        """Return a descriptor that is readable when ``poll(0)`` would return handles.

        It stays the same, and stays registered with a host, whatever happens inside.
        """
        if self._closed:
            raise ClosedError(f"{self!r} was closed")
        if self._outer is None:
            self._outer = _open()
            self._outer.register(self._epoll.fileno(), EPOLLIN)
            self._end_edges()  # there need not be another poll before the host waits
        return self._outer.fileno()

    @override
    def close(self) -> None:
        """Close the epoll set; forget all registrations. Twice is once."""
        self._forget_all()
        self._edges_to_end.clear()
        self._epoll.close()
        if self._outer is not None:
            self._outer.close()

    @override
    def _let_go(self) -> None:
        if self._closed:
            return
        self._epoll.close()
        self._epoll = _Unfilled(self._fill)
        self._suspects.clear()  # a ghost is in the parent's set
        if self._outer is not None:
            # The host may be a copy as well, and goes by this number.
            outer = _open()
            os.dup2(outer.fileno(), self._outer.fileno(), inheritable=False)
            outer.close()

    @override
    def _be_hosted_again(self) -> None:
        if isinstance(self._epoll, _Unfilled):
            self._fill()

    def _fill(self) -> Facility:
        """Make a set from the books, and watch over it from the outer one, if there is one."""
        self._epoll = made = _open()
        if self._outer is not None:
            self._outer.register(made.fileno(), EPOLLIN)
        for fd in {*self._readers, *self._writers}:
            try:
                made.register(fd, EVENTS[self._interest(fd)])
            except OSError:
                # Closed behind our back as well: as before, it will never be ready.
                self._suspects.add(fd)
        return made

    @override
    def _attach(self, fd: int, direction: int, /) -> None:
        # As `_interest`, without a call: each connection comes through here (benchmarks/accept).
        present = (READ if fd in self._readers else 0) | (WRITE if fd in self._writers else 0)
        try:
            if present:
                self._change(fd, present | direction, direction)
            else:
                self._enter(fd, direction)
        except OSError as error:
            told = refused(error, "epoll", fd)
            if error.errno == errno.EPERM:
                told = OSError(errno.EPERM, f"{told.strerror} (a regular file or a folder?)")
            raise told from error

    def _change(self, fd: int, wanted: int, direction: int) -> None:
        """Change the entry of ``fd``, or find that it was another file's."""
        try:
            self._epoll.modify(fd, EVENTS[wanted])
        except FileNotFoundError:
            self._enter(fd, direction)
            self._suspects.add(fd)
            for book in (self._readers, self._writers):
                stale = book.pop(fd, None)
                if stale is not None:
                    Handle.cancel(stale)

    def _enter(self, fd: int, wanted: int) -> None:
        """Make an entry for ``fd``, or find that one of the same file was left there."""
        if self._suspects and len(self._suspects) > FEW + self.pollable():
            self._rebuild()
        try:
            self._epoll.register(fd, EVENTS[wanted])
        except FileExistsError:
            self._epoll.modify(fd, EVENTS[wanted])

    @override
    def _detach(self, fd: int, _direction: int, /) -> None:
        if fd in self._readers or fd in self._writers:
            self._modify(fd)
            return
        try:
            self._epoll.unregister(fd)
        except OSError:
            # ENOENT or EBADF: it was closed first.
            self._suspects.add(fd)

    def _without_ghosts(self, events: list[tuple[int, int]]) -> list[tuple[int, int]]:
        """Leave out events of suspects that the file now behind the number does not have."""
        kept = []
        suspects = self._suspects
        for fd, mask in events:
            if fd in suspects and mask & ~_present_events(fd, mask):
                self._rebuild()
            else:
                kept.append((fd, mask))
        return kept

    def _rebuild(self) -> None:
        """Make the set anew from the books, which leaves every ghost behind."""
        old = self._epoll
        self._suspects = set()
        self._fill()
        old.close()


@final
class _Unfilled:
    """The set of a forked process, until it is asked for; most such processes never do.

    To fill one takes a system call for each descriptor, and while it is there each costs the
    parent a little, too: an event is told to both.
    """

    def __init__(self, fill: Callable[[], Facility]) -> None:
        self._fill = fill

    def register(self, fd: int, eventmask: int, /) -> None:
        self._fill().register(fd, eventmask)

    def modify(self, fd: int, eventmask: int, /) -> None:
        self._fill().modify(fd, eventmask)

    def unregister(self, fd: int, /) -> None:
        """Do nothing: it is in the books no more, and not in a set yet."""

    def poll(self, timeout: float | None, maxevents: int, /) -> list[tuple[int, int]]:
        return self._fill().poll(timeout, maxevents)

    def fileno(self) -> int:
        return self._fill().fileno()

    def close(self) -> None:
        """Do nothing: there is none yet."""


def _present_events(fd: int, mask: int) -> int:
    """Ask poll(), which goes by the number alone, which events of ``mask`` there are now.

    Its flags are epoll's, bit for bit.
    """
    events = 0
    if sys.platform != "win32":
        probe = select.poll()
        probe.register(fd, mask)
        events = sum(found for _, found in probe.poll(0))
    return events
