"""Child processes as callbacks of the loop, called once the process has ended.

A pidfd is a descriptor that becomes readable at the end of a process, so watching a child
is watching a descriptor. Where there is none, a thread waits for each child.

Source: pidfd_open(2), from Linux 5.3 on; POSIX.1-2017 waitpid().
"""

import errno
import os
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Final, Protocol, TypeAlias, final

from tulip_poll._errors import ClosedError
from tulip_poll._handle import Handle, QueueEntry
from tulip_poll._iteration import Iteration
from tulip_poll._typing import override

REFUSALS: Final = {errno.ENOSYS, errno.EPERM, errno.EMFILE, errno.ENFILE}
"""The kernel is older than Python's headers, or a sandbox forbids it, or there is no descriptor
left: a thread needs none."""


class ChildProcess(Protocol):
    """An object that knows its child process, such as a ``subprocess.Popen``."""

    @property
    def pid(self) -> int:
        """The process's id."""
        ...

    def wait(self) -> int:
        """Wait for the end of the process and return its exit code."""
        ...


Child: TypeAlias = int | ChildProcess


@final
class ChildHandle(Handle):
    """The callback for one child. Cancelling it ends the watch, not the process."""

    __slots__ = ("_args", "_callback", "_end_watch", "pid")

    def __init__(self, pid: int, callback: Callable[..., object], args: tuple[object, ...]) -> None:
        Handle.__init__(self, callback)
        self.pid = pid
        self._callback = callback
        self._args = args
        self._end_watch: Callable[[], object] | None = None

    @override
    def cancel(self) -> None:
        """See to it that the callback is not called; the process runs on, unwatched."""
        super().cancel()
        self._args = ()
        self.end_watch()

    def end_watch(self) -> None:
        """Release what the watch needed. Twice is once."""
        end_watch, self._end_watch = self._end_watch, None
        if end_watch is not None:
            end_watch()

    def ended(self, code: int | None) -> None:
        """Bind the callback to the exit code: the handle can be run now."""
        self.end_watch()
        if not self.cancelled:
            self._call = partial(self._callback, code, *self._args)


@final
class Children:
    """The children that one loop watches."""

    def __init__(self, loop: Iteration) -> None:
        self._loop = loop
        self._handles: set[ChildHandle] = set()
        self._waiting: dict[int, _Waiting] = {}  # by the identity of the child

    def watch(
        self, child: Child, callback: Callable[..., object], args: tuple[object, ...]
    ) -> Handle:
        """Begin to watch; see :meth:`tulip_poll.EventLoop.watch_child`."""
        handle = ChildHandle(_pid_of(child), callback, args)
        fd = _open_pidfd(handle.pid)
        if fd is None:
            self._watch_in_thread(child, handle)
        else:
            self._watch_pidfd(fd, child, handle)
        self._handles.add(handle)
        return handle

    def close(self) -> tuple[int, ...]:
        """End all watches; return the process ids of the children that still run."""
        handles, self._handles = self._handles, set()
        for handle in handles:
            handle.end_watch()
        return tuple(sorted(handle.pid for handle in handles))

    def _watch_pidfd(self, fd: int, child: Child, handle: ChildHandle) -> None:
        def readable() -> None:
            self._finish(handle, _exit_code(child))

        def end_watch() -> None:
            self._handles.discard(handle)
            self._loop._pollster.remove_reader(fd)
            os.close(fd)

        try:
            self._loop._pollster.add_reader(fd, readable)
        except BaseException:
            os.close(fd)
            raise
        handle._end_watch = end_watch

    def _watch_in_thread(self, child: Child, handle: ChildHandle) -> None:
        waiting = self._waiting.get(id(child))
        if waiting is None:
            waiting = self._start_to_wait(child, handle.pid)
            if not isinstance(child, int):  # which may be another process's id by then
                self._waiting[id(child)] = waiting
        waiting.handles.append(handle)

        def end_watch() -> None:
            self._handles.discard(handle)
            waiting.handles.remove(handle)
            # Not release(): closing the loop calls this too.
            self._loop._held -= 1

        self._loop.hold()
        handle._end_watch = end_watch

    def _start_to_wait(self, child: Child, pid: int) -> "_Waiting":
        waiting = _Waiting(child, self._waited)

        def wait() -> None:
            waiting.code = _exit_code(child)
            # The loop may be closed by now; then there is nobody to tell.
            with suppress(ClosedError):
                self._loop._post(waiting)

        # A daemon: it cannot be stopped, and shall not keep the program from ending.
        threading.Thread(target=wait, name=f"tulip child {pid}", daemon=True).start()
        return waiting

    def _waited(self, waiting: "_Waiting") -> None:
        self._waiting.pop(id(waiting.child), None)
        for handle in list(waiting.handles):
            self._finish(handle, waiting.code)

    def _finish(self, handle: ChildHandle, code: int | None) -> None:
        handle.ended(code)
        self._loop.schedule(handle)


@final
class _Waiting(QueueEntry):
    """A thread that waits for a child. No watch can end it, so the child's next one joins it.

    It is itself what the thread puts into the loop's queue in the end. The last watch may be
    cancelled meanwhile, and the loop closed before the entry's turn: then it is no leftover.

    Attributes:
        child: What it waits for.
        code: The child's exit code, once it has ended.
        handles: The watches that are to be told.
    """

    __slots__ = ("_tell", "child", "code", "handles")

    def __init__(self, child: Child, tell: "Callable[[_Waiting], object]") -> None:
        self.child = child
        self.code: int | None = None
        self.handles: list[ChildHandle] = []
        self._tell = tell

    @override
    def _call(self) -> None:
        self._tell(self)

    @property
    @override
    def retired(self) -> bool:
        return not self.handles


def _pid_of(child: Child) -> int:
    pid = child if isinstance(child, int) else getattr(child, "pid", None)
    if not isinstance(pid, int):
        raise TypeError(f"a child is a process id or has pid and wait(), got {child!r}")
    return pid


def _open_pidfd(pid: int) -> int | None:
    """Return a pidfd, or None where there is no such thing; check that there is the process."""
    try:
        if sys.platform == "linux" and hasattr(os, "pidfd_open"):
            try:
                return os.pidfd_open(pid)
            except OSError as error:
                if error.errno not in REFUSALS:
                    raise
        if sys.platform != "win32":
            os.kill(pid, 0)
    except ProcessLookupError as error:
        raise ProcessLookupError(error.errno, f"there is no process {pid}") from error
    return None


def _exit_code(child: Child) -> int | None:
    """Wait for a child that has ended, or will, and return its exit code."""
    if not isinstance(child, int):
        return child.wait()
    try:
        _, status = os.waitpid(child, 0)
    except ChildProcessError:
        return None
    return os.waitstatus_to_exitcode(status)
