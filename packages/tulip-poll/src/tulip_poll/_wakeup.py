"""The self-pipe: how another thread ends a poll.

Rules:

- One wake-up is in flight at a time. Whoever takes the token writes; the loop puts it back
  once it has read. A hundred calls from other threads cost one write and one read.
- The token goes back *before* the loop looks at its queue, and other threads put their
  callback into that queue *before* they reach for the token. So one of the two sees the
  other, and no call is lost.

Source: D. J. Bernstein, "The self-pipe trick"; eventfd(2).
"""

import os
import select
import socket
import sys
from typing import final

from tulip_poll._forked import replace, replace_pair

# An eventfd counts up by the eight bytes written to it, in the machine's order.
ONE = (1).to_bytes(8, sys.byteorder)

# How long a closing loop waits for a thread that has taken the token and not written yet:
# that thread is between two instructions, and only has to be scheduled.
WRITE_SECONDS = 1.0


@final
class Wakeup:
    """A descriptor that any thread can make readable: an eventfd, else a socket pair."""

    __slots__ = ("_pair", "_read_fd", "_token", "_write_fd")

    def __init__(self) -> None:
        # One element: whoever pops it may write. List operations are atomic.
        self._token = [True]
        self._pair: tuple[socket.socket, socket.socket] | None = None
        if sys.platform == "linux" and hasattr(os, "eventfd"):
            self._read_fd = self._write_fd = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        else:
            self._pair = reader, writer = socket.socketpair()
            reader.setblocking(False)
            writer.setblocking(False)
            self._read_fd, self._write_fd = reader.fileno(), writer.fileno()

    def fileno(self) -> int:
        """Return the descriptor to poll for input."""
        return self._read_fd

    def wake(self) -> None:
        """Make the descriptor readable, from any thread; does nothing when it is already."""
        token = self._token
        if not token:
            return
        try:
            token.pop()
            self._write()
        except IndexError:
            # Another thread was faster, and writes for both.
            return
        except BaseException:
            # Ctrl-C between the two: without the token, nobody would ever write again.
            token[:] = [True]
            raise

    def drain(self) -> None:
        """Make the descriptor unreadable again, in the loop's thread."""
        try:
            self._read()
        except BlockingIOError:
            return
        self._token[:] = [True]

    def close(self) -> None:
        """Release the descriptors, once no thread is about to write to them.

        A number that is closed may be another file's a moment later, so whoever has the
        token is waited for, and it is not put back.
        """
        if self._read_fd < 0:
            return
        try:
            self._token.pop()
        except IndexError:
            _wait_readable(self._read_fd, WRITE_SECONDS)
        if self._pair is None:
            os.close(self._read_fd)
        else:
            for end in self._pair:
                end.close()
        self._read_fd = self._write_fd = -1

    def renew(self) -> None:
        """Be another descriptor than the parent's, under the same number."""
        if self._pair is None and sys.platform == "linux":
            replace(os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK), self._read_fd)
        else:
            replace_pair(self._read_fd, self._write_fd)
        self._token[:] = [True]

    def leave(self) -> None:
        """Release the descriptors; whoever had the token has stayed in the parent."""
        self._token[:] = [True]
        self.close()

    def _write(self) -> None:
        if self._pair is None:
            os.write(self._write_fd, ONE)
        else:
            self._pair[1].send(b"\0")

    def _read(self) -> None:
        if self._pair is None:
            os.read(self._read_fd, 8)
        else:
            self._pair[0].recv(64)


def _wait_readable(fd: int, seconds: float) -> None:
    if sys.platform == "win32":
        select.select([fd], [], [], seconds)
    else:
        poller = select.poll()
        poller.register(fd, select.POLLIN)
        poller.poll(seconds * 1000)
