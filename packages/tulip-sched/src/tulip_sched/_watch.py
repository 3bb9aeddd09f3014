"""One descriptor's readiness, waited for again and again.

The kernel registration is made by the first wait and stays: a task that reads, answers, and
waits again costs no system call for waiting but the poll itself. The first event that nobody
wants removes it. That is also why a Watch must be told before its descriptor is closed.
"""

from collections.abc import Callable
from contextlib import suppress
from threading import get_ident
from typing import TYPE_CHECKING, Any, NoReturn, cast, final
from weakref import ref

from tulip_poll import ClosedError, Handle, WrongThreadError
from tulip_sched._context import current_context, no_task
from tulip_sched._debug import DEBUG
from tulip_sched._errors import BusyError
from tulip_sched._typing import override

if TYPE_CHECKING:
    from tulip_sched._task import Task


def check_number(fd: object) -> None:
    """Refuse what is no descriptor's number, by value.

    Raises:
        TypeError: It is no integer.
        ValueError: It is negative.
    """
    if not isinstance(fd, int) or isinstance(fd, bool):
        raise TypeError(f"a descriptor's number must be an integer, got {fd!r}")
    if fd < 0:
        raise ValueError(f"a file descriptor must be between 0 and 2147483647, got {fd}")


@final
class Watch:
    """Lets tasks wait until a descriptor is readable or writable, one task in each direction.

    Args:
        fd: An open descriptor that belongs to the caller, who calls `forget` before closing it.

    Raises:
        BusyError: Another Watch holds this descriptor.
        TypeError: ``fd`` is no integer.
        ValueError: ``fd`` is negative, as a closed socket's is.

    A Watch belongs to the run in which it was made.

    ``block_r`` and ``block_w`` are plain calls that the caller follows with a bare ``yield``,
    so that waiting costs no generator. Readiness is a hint: the operation may still have to
    wait. An error or a hang-up wakes both directions. A Watch does not keep the file open: it
    knows only its number.
    """

    __slots__ = (
        "_context",
        "_fd",
        "_handle",
        "_loop",
        "_over",
        "_parked_r",
        "_parked_w",
        "_reader",
        "_reading",
        "_thread",
        "_undo",
        "_writer",
        "_writing",
        "edge_after",
        "owner",
        "temporary",
    )

    def __init__(self, fd: int) -> None:
        if type(fd) is not int or fd < 0:
            check_number(fd)
        context = self._context = current_context()
        stale = context.watches.get(fd)
        if stale is not None:
            if not stale.idle():
                raise BusyError(f"descriptor {fd} is already watched by {stale!r}")
            stale.forget()
        context.watches[fd] = self
        self._loop = context.loop or context.eventloop
        self._fd = fd
        self._thread = get_ident()
        # For the waits of block_r and block_w: the socket object that the registration is kept
        # for, or that it ends with the wait. Neither for a Watch that its maker forgets.
        self.owner: ref[object] | None = None
        self.temporary: bool = False
        # If who waits in block_r takes all there is each time: after how many events more it
        # pays to tell the kernel so; see `EventLoop.add_reader`.
        self.edge_after: int | None = None
        # Who waits to read, or was woken and runs: it keeps its place until it waits for something
        # else, or ends. Events call its `_step`; nothing in between saved 5 % of an echo's
        # instructions (benchmarks/echo).
        self._reader: Task[Any] | None = None
        self._writer: Task[Any] | None = None
        self._reading = False
        self._writing = False
        # Whether the loop has counted a registration as kept with nobody waiting. While a task
        # runs that was woken by it, it is not counted: most tasks wait again at once, and
        # counting to and fro was 1.5 % of an echo's instructions (benchmarks/echo).
        self._parked_r = False
        self._parked_w = False
        self._over = False
        self._handle: Handle = NO_HANDLE  # the reader's
        # Kept, as it is needed for each wait, and by it we know who waits; `forget` ends the cycle.
        self._undo: Callable[[], None] = self._undo_r

    def block_r(self) -> None:
        """Block the running task until the descriptor may be readable; then ``yield``.

        Raises:
            BusyError: Another task waits for this; it is unharmed.
            ClosedError: `forget` was called.
            OSError: The descriptor cannot be watched.
        """
        task = self._reader
        # The task that the last event woke, and that waits for the next one, as most do, is still
        # in its place; as it is not blocked, it is the one that runs. Asking for the thread would
        # cost 2 % of an echo (benchmarks/echo); so one that comes from another while this task
        # runs is told of a `yield` that nothing ends.
        if DEBUG or task is None or task._undo is not None or task._unarmed or task._cancel_pending:
            self._take_place(self._context.current_task)._block(self._undo)
        else:  # what that comes to nearly always, without the calls (benchmarks/echo)
            task._undo = self._undo
            task._since = self._loop.polled_at

    def block_w(self) -> None:
        """Block the running task until the descriptor may be writable; then ``yield``.

        Raises:
            BusyError: Another task waits for this; it is unharmed.
            ClosedError: `forget` was called.
            OSError: The descriptor cannot be watched.
        """
        task = self._context.current_task
        if self._writer is not None or task is None or get_ident() != self._thread:
            raise self._refusal(self._writer, "write")
        if not self._writing:
            self._register_writer()
        elif self._parked_w:
            self._parked_w = False
            self._loop.parked -= 1
        self._writer = task
        task._block(self._undo_w)

    def _take_place(self, task: "Task[Any] | None") -> "Task[Any]":
        """Give this task the reader's place, with a registration that counts."""
        holder = self._waiting_reader()
        if holder is not None or task is None or get_ident() != self._thread:
            raise self._refusal(holder, "read")
        if task is self._reader:  # it runs, and waits again
            return task
        if task._reads is not None:
            if task._undo is not None:  # blocked there, where it stays
                task._block(_forgotten)  # raises
            task._reads._undo_r()
        if not self._reading:
            self._register_reader(task)
        elif self._parked_r:
            self._parked_r = False
            self._loop.parked -= 1
            self._handle.redirect(self._callback_for(task))
        self._reader = task
        task._reads = self
        return task

    def _waiting_reader(self) -> "Task[Any] | None":
        """Return the task that waits to read; while it runs, it keeps its place but waits not."""
        task = self._reader
        return task if task is not None and task._undo is self._undo else None

    def idle(self) -> bool:
        """Return whether no task waits here."""
        return self._waiting_reader() is None and self._writer is None

    def missed(self) -> bool:
        """Return whether there was an event that nobody waited for, since somebody last waited."""
        return not self._reading

    def serves(self, file: object) -> bool:
        """Return whether a wait for this file object may use this Watch."""
        if self.owner is not None:
            return self.owner() is file
        return not self.temporary

    def forget(self) -> None:
        """Stop watching, for good; tasks that wait get `ClosedError`.

        Call it before the descriptor is closed. Calling it again does nothing.
        """
        fd = self._fd
        if fd < 0:
            return
        self._fd = -1
        watches = self._context.watches
        if watches.get(fd) is self:
            del watches[fd]
        if self._reading or self._writing:
            self._loop.parked -= self._parked_r + self._parked_w
            try:  # noqa: SIM105 - `suppress` would cost each connection
                self._loop.forget(fd)
            except ClosedError:  # in a forked process, for one: nobody watches there
                pass
            self._reading = self._writing = self._parked_r = self._parked_w = False
        reader, writer = self._waiting_reader(), self._writer
        if self._reader is not None:  # also one that runs: its place is not kept
            self._reader._reads = None
        self._reader = self._writer = None
        # The two cycles.
        self._undo = _forgotten
        self._handle = NO_HANDLE
        if reader is not None or writer is not None:
            self._tell_those_who_wait(fd, reader, writer)

    def _tell_those_who_wait(
        self, fd: int, reader: "Task[Any] | None", writer: "Task[Any] | None"
    ) -> None:
        for task in (reader, writer):
            if task is not None:
                told = f"descriptor {fd} was closed while {task.name!r} waited on it"
                with suppress(ClosedError):  # as above
                    task._throw(ClosedError(told))

    def share(self) -> None:
        """See to it that all input is reported: somebody waits here who need not take it."""
        if self.edge_after is not None:
            self.edge_after = None
            if self._reading:
                self._register_reader(self._reader)

    def end_of_run(self) -> None:
        """Stop watching because the run is over, in which this was made."""
        self._over = self._fd >= 0
        self.forget()

    def _register_reader(self, task: "Task[Any] | None") -> None:
        if self._fd < 0:
            self._refuse_closed()
        callback = self._callback_for(task)
        self._handle = self._loop.add_reader(self._fd, callback, edge=self.edge_after == 0)
        self._reading = True

    def _callback_for(self, task: "Task[Any] | None") -> Callable[[], object]:
        """Return what an event is to call, with this task, or nobody, in the reader's place."""
        if task is None:
            return self._on_unwanted
        return self._on_early_readable if self.edge_after else task._step

    def _register_writer(self) -> None:
        if self._fd < 0:
            self._refuse_closed()
        self._loop.add_writer(self._fd, self._on_writable)
        self._writing = True

    def _on_early_readable(self) -> None:
        """Count the events before it is edge-triggered."""
        task = cast("Task[Any]", self._reader)
        if self.edge_after:
            self.edge_after -= 1
            if not self.edge_after:
                with suppress(OSError):  # closed without a word: who waits will find out
                    self._register_reader(task)
        try:
            task._step()
        finally:
            del task  # as at the end of Task._step

    def _on_unwanted(self) -> None:
        """Remove the registration: there was an event, and nobody waits."""
        self._reading = False
        if self._parked_r:
            self._parked_r = False
            self._loop.parked -= 1
        self._loop.remove_reader(self._fd)

    def _on_writable(self) -> None:
        # A socket is writable nearly always, so an unwanted writer would fire in the next round:
        # it is removed at once, unless the task waits again straight away.
        task = self._writer
        try:
            if task is not None:
                self._writer = None
                task._step()
        finally:  # it may exit, or be interrupted
            del task  # as at the end of Task._step
            if self._writer is None and self._writing:
                self._writing = False
                if self._parked_w:
                    self._parked_w = False
                    self._loop.parked -= 1
                self._loop.remove_writer(self._fd)

    def _waited_for(self, undo: object) -> str:
        """Say what is waited for, for people."""
        return f"descriptor {self._fd} to be {'writ' if undo == self._undo_w else 'read'}able"

    def callback_behind(self, callback: Callable[[], object]) -> Callable[[], object] | None:
        """Name the step of the task that an event resumes, for reports of slow callbacks."""
        task = self._writer if callback == self._on_writable else self._reader
        return None if task is None else task._step

    def _undo_r(self) -> None:
        """Free the reader's place. The registration stays, and counts as kept with nobody there."""
        if self._reader is not None:
            self._reader._reads = None
            self._reader = None
            self._parked_r = True
            self._loop.parked += 1
            self._handle.redirect(self._on_unwanted)

    def _undo_w(self) -> None:
        self._writer = None
        self._parked_w = True
        self._loop.parked += 1

    def _refuse_closed(self) -> NoReturn:
        if self._over:
            raise ClosedError(
                "the run in which this descriptor was first waited for is over: what was opened "
                "in one run cannot be used in the next"
            )
        raise ClosedError("this descriptor was closed")

    def _refusal(self, holder: "Task[Any] | None", direction: str) -> Exception:
        if get_ident() != self._thread:
            return WrongThreadError(f"descriptor {self._fd} is watched by another thread's loop")
        if holder is not None:
            return BusyError(
                f"task {holder.name!r} is already waiting to {direction} on descriptor {self._fd}"
            )
        elsewhere = current_context()
        if elsewhere is not self._context and elsewhere.current_task is not None:
            if self._context.left_behind:
                return WrongThreadError(
                    f"descriptor {self._fd} is watched by the run that this process was forked "
                    "inside of: take it out of what it belongs to (detach()), and watch it anew"
                )
            return WrongThreadError(
                f"descriptor {self._fd} is watched by another run than that of task "
                f"{elsewhere.current_task.name!r}"
            )
        return no_task(f"only a task can wait to {direction} on descriptor {self._fd}")

    @override
    def __repr__(self) -> str:
        reader, writer = self._waiting_reader(), self._writer
        return f"<Watch fd={self._fd} reader={reader!r} writer={writer!r}>"


def _forgotten() -> None:
    """Stand for the undo function of a Watch that was forgotten: nobody waits there."""


NO_HANDLE = Handle(_forgotten)
