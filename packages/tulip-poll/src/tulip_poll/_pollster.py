"""The contract of a pollster, and the books that every one of them keeps.

Rules:

- Eager and exact: adding and removing interest tells the kernel at once, so that a bad
  descriptor raises where it is added, and the books change only after the kernel agreed.
- ``poll`` calls no callback. It returns handles, and whoever polls runs them.
- A handle stays until it is removed, replaced, cancelled or forgotten: ``poll`` returns it
  every time its descriptor is ready.
- Readiness is a hint. A descriptor may turn out not to be ready after all.
"""

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable
from io import UnsupportedOperation
from typing import TypeVarTuple

from tulip_poll._descriptors import HIGHEST, FileDescriptor, number_of
from tulip_poll._errors import ClosedError
from tulip_poll._forked import heed_forks
from tulip_poll._handle import DescriptorHandle, Handle
from tulip_poll._typing import override

Ts = TypeVarTuple("Ts")

# The two directions of interest, as bits, and the one that goes with READ: see `add_reader`.
READ = 1
WRITE = 2
EDGE = 4

# epoll_wait() counts milliseconds in a C int, so it cannot wait for more than 24 days; the
# others have limits of their own. A poll may return early with nothing, so a day will do.
LONGEST_WAIT = 86_400.0


def bounded(timeout: float | None) -> float | None:
    """Return a timeout that every facility takes: None, or seconds from 0 to a day."""
    try:
        if timeout is None or 0 <= timeout <= LONGEST_WAIT:
            return timeout
        # A negative timeout means "for ever" to poll() and epoll, and is an error to the others.
        if timeout < 0:
            return 0
        if timeout > LONGEST_WAIT:
            return LONGEST_WAIT
    except TypeError:
        raise TypeError(f"a timeout is a number of seconds or None, got {timeout!r}") from None
    raise ValueError(f"a timeout must be a number of seconds, got {timeout!r}")


class Pollster(ABC):
    """Watch file descriptors for readiness.

    A pollster belongs to one thread. Every ``fd`` is a number or an object with
    ``fileno()``, which is asked once, when it is given.

    A class for another kernel facility implements ``_attach``, ``_detach``, ``poll`` and
    ``close``.
    """

    # Whether ``_attach`` may be told READ | EDGE.
    _heeds_edge = False

    def __init__(self) -> None:
        """Open the kernel's facility.

        Raises:
            NotImplementedError: This platform has no such facility.
            OSError: The kernel refused, usually because too many descriptors are open.
        """
        self._readers: dict[int, DescriptorHandle] = {}
        self._writers: dict[int, DescriptorHandle] = {}
        # Handles cancelled since the last poll, whose interest the kernel still has.
        self._withdrawn: deque[DescriptorHandle] = deque()
        self._closed = False
        heed_forks(self)

    def add_reader(
        self,
        fd: FileDescriptor,
        callback: Callable[[*Ts], object],
        *args: *Ts,
        edge: bool = False,
    ) -> Handle:
        """Begin to watch a descriptor for input, end of stream, hang-up and errors.

        Where a reader is registered already, the new one takes its place and the old handle
        is cancelled.

        Args:
            fd: A descriptor's number, or an object with ``fileno()``.
            callback: What to call; ``poll`` itself does not.
            args: Its arguments.
            edge: It suffices to report input when more has come (edge-triggered), which saves
                the kernel a look at each poll. For a TCP socket whose reader takes all there is
                each time: until a read gives less than it asked for, or would block. That the
                stream has ended or failed, or has urgent data, is reported as ever, and so is
                all from then on. A pollster may report more often; only epoll heeds it.

        Returns:
            The handle that ``poll`` returns whenever the descriptor is ready.

        Raises:
            TypeError: ``fd`` is not a descriptor, or ``callback`` cannot be called.
            ValueError: ``fd`` is out of range, or a closed object.
            OSError: The kernel cannot watch this descriptor: it is not open (``EBADF``), or
                is of a kind that the facility refuses (``EPERM`` from epoll for a regular
                file). Nothing was changed.
            ClosedError: The pollster was closed.
        """
        direction = READ | EDGE if edge and self._heeds_edge else READ
        return self._add(self._readers, direction, fd, callback, args)

    def add_writer(
        self, fd: FileDescriptor, callback: Callable[[*Ts], object], *args: *Ts
    ) -> Handle:
        """Begin to watch a descriptor for room to write, hang-up and errors.

        As :meth:`add_reader`, in the other direction; the two do not touch each other.
        """
        return self._add(self._writers, WRITE, fd, callback, args)

    def remove_reader(self, fd: FileDescriptor) -> bool:
        """Stop watching a descriptor for input, and cancel the handle.

        Returns:
            Whether there was a reader. A descriptor that was closed before is no error.

        Raises:
            TypeError: ``fd`` is not a descriptor.
            ValueError: ``fd`` is out of range, or a closed object.
        """
        return self._remove(self._readers, READ, number_of(fd))

    def remove_writer(self, fd: FileDescriptor) -> bool:
        """Stop watching a descriptor for room to write, and cancel the handle.

        As :meth:`remove_reader`, in the other direction.
        """
        return self._remove(self._writers, WRITE, number_of(fd))

    @abstractmethod
    def poll(self, timeout: float | None = None) -> list[Handle]:
        """Wait until a descriptor is ready, and return the handles to call.

        Args:
            timeout: Seconds to wait at most, rounded up to what the facility can count;
                ``None`` for no limit, ``0`` or less for what is ready now.

        Returns:
            The handles of all ready descriptors; hang-up and errors make both directions
            ready. Empty when the time is up, and sometimes before. Never a cancelled one.

        Raises:
            TypeError: ``timeout`` is of another kind.
            ValueError: ``timeout`` is not a number (``nan``).
            ClosedError: The pollster was closed.
        """

    def pollable(self) -> int:
        """Return how many readers and writers are registered."""
        if self._withdrawn:
            self._drop_withdrawn()
        return len(self._readers) + len(self._writers)

    def forget(self, fd: FileDescriptor) -> list[Handle]:
        """Stop watching a descriptor in both directions, to be called before it is closed.

        Returns:
            The handles that were registered, not cancelled: the reader's, then the
            writer's. Those who wait behind them learn from the caller what happened.

        Raises:
            TypeError: ``fd`` is not a descriptor.
            ValueError: ``fd`` is out of range, or a closed object.
        """
        number = fd if type(fd) is int and 0 <= fd <= HIGHEST else number_of(fd)
        if self._withdrawn:
            self._drop_withdrawn()
        handles: list[Handle] = []
        reader = self._readers.pop(number, None)
        if reader is not None:
            self._detach(number, READ)
            handles.append(reader)
        writer = self._writers.pop(number, None)
        if writer is not None:
            self._detach(number, WRITE)
            handles.append(writer)
        return handles

    def _tell_again(self) -> None:  # noqa: B027 - few have anything to do
        """Let the next poll return what was told once only, as it may have been lost."""

    def _let_go(self) -> None:  # noqa: B027 - most have nothing in the kernel
        """Let go of what the kernel has for the parent, in a forked process; see `_forked`.

        The books stay: what they say is told to the kernel anew, with the first call at the latest.
        """

    def _begin_anew(self) -> None:  # noqa: B027 - for none
        """Wait for the first call: most forked processes never use what they inherit."""

    def _be_hosted_again(self) -> None:  # noqa: B027 - few can be hosted
        """Tell the kernel what the books say, in a forked process: the host does not call first."""

    def fileno(self) -> int:
        """Return a descriptor that is readable when ``poll(0)`` would return handles.

        Raises:
            UnsupportedOperation: The facility has none (``select``, ``poll``).
        """
        raise UnsupportedOperation(f"{type(self).__name__} has no file descriptor")

    @abstractmethod
    def close(self) -> None:
        """Release what the kernel gave; forget all registrations. Twice is once."""

    @abstractmethod
    def _attach(self, fd: int, direction: int, /) -> None:
        """Tell the kernel of interest in one more direction of ``fd``, or of the same again.

        The books do not have the new handle yet. Raises ``OSError`` with ``fd`` in it.
        """

    @abstractmethod
    def _detach(self, fd: int, direction: int, /) -> None:
        """Tell the kernel that one direction of ``fd`` is of no interest any more.

        The books do not have the handle any more. Never raises: the descriptor may be
        closed, or another's by now.
        """

    def _interest(self, fd: int) -> int:
        """Return the directions in which ``fd`` is in the books."""
        return (READ if fd in self._readers else 0) | (WRITE if fd in self._writers else 0)

    def _add(
        self,
        book: dict[int, DescriptorHandle],
        direction: int,
        fd: FileDescriptor,
        callback: Callable[[*Ts], object],
        args: tuple[*Ts],
    ) -> Handle:
        number = fd if type(fd) is int and 0 <= fd <= HIGHEST else number_of(fd)
        if self._closed:
            raise ClosedError(f"cannot watch descriptor {number}: {self!r} was closed")
        if not callable(callback):
            raise TypeError(f"descriptor {number} needs a callback, got {callback!r}")
        if self._withdrawn:
            self._drop_withdrawn()
        handle = DescriptorHandle(self._withdrawn, number, callback, args, direction > WRITE)
        self._attach(number, direction)
        replaced = book.get(number)
        book[number] = handle
        if replaced is not None:
            Handle.cancel(replaced)
        return handle

    def _remove(self, book: dict[int, DescriptorHandle], direction: int, fd: int) -> bool:
        if self._withdrawn:
            self._drop_withdrawn()
        handle = book.pop(fd, None)
        if handle is None:
            return False
        Handle.cancel(handle)
        self._detach(fd, direction)
        return True

    def _drop_withdrawn(self) -> None:
        """Remove the interest of handles that were cancelled."""
        withdrawn = self._withdrawn
        while withdrawn:
            handle = withdrawn.popleft()
            for direction, book in ((READ, self._readers), (WRITE, self._writers)):
                if book.get(handle._fd) is handle:
                    del book[handle._fd]
                    self._detach(handle._fd, direction)

    def _forget_all(self) -> None:
        """Empty the books and refuse what comes after."""
        self._closed = True
        self._readers.clear()
        self._writers.clear()
        self._withdrawn.clear()

    @override
    def __repr__(self) -> str:
        state = "closed" if self._closed else f"{len(self._readers)} readers"
        return f"<{type(self).__name__} {state}, {len(self._writers)} writers>"


def refused(error: OSError, facility: str, fd: int) -> OSError:
    """Return the kernel's error, told so that a person knows which descriptor it is."""
    return OSError(error.errno, f"{facility} cannot watch descriptor {fd}: {error.strerror}")
