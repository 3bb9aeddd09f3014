"""Signals as callbacks of the loop.

Rules:

- Python calls its signal handlers in the main thread, between two instructions. Ours does
  one thing, ``call_soon_threadsafe``, which is made for being called at any moment.
- The kernel may deliver the signal to another thread, and then the main thread sleeps on in
  its poll. For this there is ``set_wakeup_fd``: Python's C handler writes to it at once. What
  is written does not matter here, only that the poll ends.
- There is one such descriptor in a process. When another loop's is in place, it is the one
  that polls in this thread (it hosts us, mostly), and we leave it alone.

Source: Python's documentation of ``signal.set_wakeup_fd``; signal(7).
"""

import contextlib
import os
import signal
import socket
import sys
from collections.abc import Callable
from types import FrameType
from typing import TypeAlias, final

from tulip_poll._forked import replace, replace_pair
from tulip_poll._handle import Handle

# What signal.signal() takes and returns.
Disposition: TypeAlias = Callable[[int, FrameType | None], object] | int | signal.Handlers | None


@final
class Signals:
    """The signal handlers of one loop; made with the first of them.

    Args:
        post: Puts a handle into the loop's queue and wakes the loop, at any moment.
    """

    def __init__(self, post: Callable[[Handle], None]) -> None:
        self._post = post
        self._handles: dict[int, Handle] = {}
        self._replaced: dict[int, Disposition] = {}
        self._pair: tuple[socket.socket, socket.socket] | None = None
        # A pipe where it can be: 14,000 instructions less, in each run() of a main thread.
        if sys.platform == "linux" and hasattr(os, "pipe2"):
            self._read_fd, self._write_fd = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        else:
            self._pair = reader, writer = socket.socketpair()
            reader.setblocking(False)
            writer.setblocking(False)
            self._read_fd, self._write_fd = reader.fileno(), writer.fileno()
        self._wakeup_fd_is_ours = False

    def fileno(self) -> int:
        """Return the descriptor that is readable after a signal."""
        return self._read_fd

    def drain(self) -> None:
        """Make the descriptor unreadable again."""
        with contextlib.suppress(BlockingIOError):
            while os.read(self._read_fd, 4096) if self._pair is None else self._pair[0].recv(4096):
                pass

    def add(self, number: int, handle: Handle) -> None:
        """Run ``handle`` in the loop for each signal of this number.

        Raises:
            ValueError: Not in the main thread, or not a signal that can be handled.
            OSError: The kernel allows no handler for this signal.
        """
        replaced = signal.signal(number, self._arrived)
        if sys.platform != "win32":
            # System calls elsewhere in the program go on after the signal, by themselves.
            signal.siginterrupt(number, False)
        if number not in self._handles and replaced != self._arrived:
            self._replaced[number] = replaced
        old = self._handles.get(number)
        if old is not None:
            old.cancel()
        self._handles[number] = handle
        self.claim()

    def claim(self) -> None:
        """Have the descriptor made readable by signals, unless another loop has them.

        Raises:
            ValueError: Not in the main thread.
        """
        # A full buffer wakes the poll as well as one more byte would.
        old = signal.set_wakeup_fd(self._write_fd, warn_on_full_buffer=False)
        self._wakeup_fd_is_ours = old in (-1, self._write_fd)
        if not self._wakeup_fd_is_ours:
            signal.set_wakeup_fd(old)

    def remove(self, number: int) -> bool:
        """Put back what handled the signal before; return whether we did."""
        handle = self._handles.pop(number, None)
        if handle is None:
            return False
        handle.cancel()
        # One that came later stays; it may put ours back when it goes, see `_arrived`.
        if signal.getsignal(number) == self._arrived:
            self._put_back(number)
        return True

    def numbers(self) -> tuple[int, ...]:
        """Return the signals that have a handler, in order."""
        return tuple(sorted(self._handles))

    def close(self) -> None:
        """Remove all handlers, and release the descriptors."""
        for number in self.numbers():
            self.remove(number)
        if self._wakeup_fd_is_ours:
            current = signal.set_wakeup_fd(-1)
            if current not in (self._write_fd, -1):
                signal.set_wakeup_fd(current)
        self._release()

    def renew(self) -> None:
        """Be another pipe than the parent's, under the same numbers, which the interpreter has."""
        if self._pair is None and sys.platform == "linux":
            read_fd, write_fd = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
            replace(read_fd, self._read_fd)
            replace(write_fd, self._write_fd)
        else:
            replace_pair(self._read_fd, self._write_fd)

    def leave(self) -> None:
        """Do as `close` does, in a forked process, perhaps before it has a main thread."""
        try:
            self.close()
        except ValueError:
            self._handles.clear()  # so each handler puts back what was there, when it is called
            self._release()

    def _release(self) -> None:
        if self._pair is None:
            os.close(self._read_fd)
            os.close(self._write_fd)
        else:
            for end in self._pair:
                end.close()

    def _arrived(self, number: int, _frame: FrameType | None) -> None:
        """Handle a signal, in the main thread, in the midst of whatever it was doing."""
        handle = self._handles.get(number)
        if handle is not None:
            self._post(handle)
        else:
            self._put_back(number)
            signal.raise_signal(number)

    def _put_back(self, number: int) -> None:
        replaced = self._replaced.pop(number, None)
        # None is a handler that was not installed from Python, and cannot be put back.
        signal.signal(number, signal.SIG_DFL if replaced is None else replaced)
