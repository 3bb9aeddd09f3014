"""A small model of kqueue over epoll, so that the kqueue pollster runs where there is none.

It has what ``select`` has on a system with kqueue: `kqueue`, `kevent`, and the constants. What the
pollster relies on is as in FreeBSD's kqueue(2): a filter belongs to a number and a direction, and
goes with the closing of that number; ``EV_ADD`` makes or finds one, ``EV_ENABLE`` and ``EV_DELETE``
fail with ``ENOENT`` where there is none; errors of changes are raised when there is no room for
events, and returned as events otherwise.

The kernel tells nobody that a number was closed. The model keeps a duplicate of each descriptor,
and compares the files behind the two whenever it is called.
"""

import errno
import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from select import EPOLLERR, EPOLLHUP, EPOLLIN, EPOLLOUT, EPOLLRDHUP, epoll

KQ_FILTER_READ = -1
KQ_FILTER_WRITE = -2
KQ_EV_ADD = 0x0001
KQ_EV_DELETE = 0x0002
KQ_EV_ENABLE = 0x0004
KQ_EV_ERROR = 0x4000
KQ_EV_EOF = 0x8000

# What makes each filter active, and what of it is an end of stream. A hang-up ends both.
ACTIVE = {
    KQ_FILTER_READ: EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR,
    KQ_FILTER_WRITE: EPOLLOUT | EPOLLHUP | EPOLLERR,
}
ENDED = {
    KQ_FILTER_READ: EPOLLRDHUP | EPOLLHUP | EPOLLERR,
    KQ_FILTER_WRITE: EPOLLHUP | EPOLLERR,
}
WANTED = {KQ_FILTER_READ: EPOLLIN | EPOLLRDHUP, KQ_FILTER_WRITE: EPOLLOUT}


@dataclass(frozen=True)
class kevent:  # noqa: N801 - the name it has in `select`
    """A change to a filter, or an event from one."""

    ident: int
    filter: int = KQ_FILTER_READ
    flags: int = KQ_EV_ADD
    fflags: int = 0
    data: int = 0


@dataclass
class Watched:
    """A number, the model's duplicate of it, and the filters on it."""

    ident: int
    duplicate: int
    filters: set[int] = field(default_factory=set)

    def still_open(self) -> bool:
        """Whether the number leads to the file that it led to when it was added."""
        try:
            return os.path.samestat(os.fstat(self.ident), os.fstat(self.duplicate))
        except OSError:
            return False

    def mask(self) -> int:
        return sum(WANTED[direction] for direction in self.filters)


class kqueue:  # noqa: N801 - the name it has in `select`
    """A kernel queue."""

    def __init__(self) -> None:
        self._epoll = epoll()
        self._watched: dict[int, Watched] = {}

    def control(
        self,
        changelist: Iterable[kevent] | None,
        max_events: int,
        timeout: float | None = None,
        /,
    ) -> list[kevent]:
        """Make the changes, then wait for events."""
        if timeout is not None and timeout < 0:
            raise ValueError("timeout must be positive or None")
        self._drop_closed()
        failed = []
        for change in changelist or ():
            try:
                self._apply(change)
            except OSError as error:
                if not max_events or error.errno is None:
                    raise
                flags = change.flags | KQ_EV_ERROR
                failed.append(kevent(change.ident, change.filter, flags, data=error.errno))
        if failed or not max_events:
            return failed[:max_events]
        return self._wait(max_events, timeout)

    def fileno(self) -> int:
        return self._epoll.fileno()

    def close(self) -> None:
        for watched in self._watched.values():
            os.close(watched.duplicate)
        self._watched.clear()
        self._epoll.close()

    def _apply(self, change: kevent) -> None:
        os.fstat(change.ident)  # EBADF comes before everything else
        watched = self._watched.get(change.ident)
        if change.flags & KQ_EV_ADD:
            if watched is None:
                watched = Watched(change.ident, os.dup(change.ident))
                try:
                    self._epoll.register(watched.duplicate, 0)
                except OSError:
                    os.close(watched.duplicate)
                    raise
                self._watched[change.ident] = watched
            watched.filters.add(change.filter)
        elif watched is None or change.filter not in watched.filters:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        elif change.flags & KQ_EV_DELETE:
            watched.filters.discard(change.filter)
        if watched.filters:
            self._epoll.modify(watched.duplicate, watched.mask())
        else:
            self._drop(watched)

    def _wait(self, max_events: int, timeout: float | None) -> list[kevent]:
        by_duplicate = {watched.duplicate: watched for watched in self._watched.values()}
        events = []
        for duplicate, mask in self._epoll.poll(timeout, max_events):
            watched = by_duplicate[duplicate]
            for direction in sorted(watched.filters, reverse=True):
                if mask & ACTIVE[direction]:
                    flags = KQ_EV_ADD | (KQ_EV_EOF if mask & ENDED[direction] else 0)
                    error = errno.ECONNRESET if mask & EPOLLERR else 0
                    events.append(kevent(watched.ident, direction, flags, error))
        return events[:max_events]

    def _drop_closed(self) -> None:
        for watched in list(self._watched.values()):
            if not watched.still_open():
                self._drop(watched)

    def _drop(self, watched: Watched) -> None:
        del self._watched[watched.ident]
        self._epoll.unregister(watched.duplicate)
        os.close(watched.duplicate)
