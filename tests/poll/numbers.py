"""Bare descriptor numbers, and what can be done to them behind a pollster's back."""

import os
import socket


class Numbers:
    """The open numbers of one test. Nothing closes a number twice: it may be another's by then."""

    def __init__(self) -> None:
        self._open: set[int] = set()

    def pipe(self) -> tuple[int, int]:
        """Make a non-blocking pipe; return the end to read from, and the one to write to."""
        read_end, write_end = os.pipe()
        self._open |= {read_end, write_end}
        os.set_blocking(read_end, False)
        os.set_blocking(write_end, False)
        return read_end, write_end

    def socketpair(self) -> tuple[int, int]:
        """Make two connected, non-blocking sockets."""
        here, there = socket.socketpair()
        here.setblocking(False)
        there.setblocking(False)
        ends = here.detach(), there.detach()
        self._open |= set(ends)
        return ends

    def duplicate(self, fd: int) -> int:
        """Return another number for the same open file."""
        made = os.dup(fd)
        self._open.add(made)
        return made

    def duplicate_at(self, fd: int, number: int) -> None:
        """Make this very number another one for the same open file."""
        os.dup2(fd, number)
        self._open.add(number)

    def close(self, fd: int) -> None:
        """Close a number."""
        self._open.remove(fd)
        os.close(fd)

    def closed(self) -> int:
        """Return a number that is not open."""
        fd = self.duplicate(0)
        self.close(fd)
        return fd

    def move(self, fd: int, number: int) -> None:
        """Give an open file another number, closing what has it now."""
        self.duplicate_at(fd, number)
        self.close(fd)

    def pipe_at(self, number: int) -> int:
        """Make a pipe that is read at this very number; return the end to write to."""
        read_end, write_end = self.pipe()
        if read_end != number:
            self.move(read_end, number)
        return write_end

    def close_all(self) -> None:
        """Close what is open still."""
        for fd in list(self._open):
            self.close(fd)
