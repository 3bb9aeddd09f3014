"""What a task can block on: an event of somebody's choice, a descriptor, time, a thread."""

from __future__ import annotations

import socket
import sys
import weakref
from contextvars import copy_context
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar, TypeVarTuple, cast, final

from tulip_poll import ClosedError, FileDescriptor, HasFileno
from tulip_sched._calls import HOME
from tulip_sched._context import current_context, current_task
from tulip_sched._coroutine import Coroutine, Gen, coroutine
from tulip_sched._debug import untracked
from tulip_sched._failures import logger
from tulip_sched._flags import CO_COROUTINE, CO_ITERABLE_COROUTINE
from tulip_sched._stepping import TURN
from tulip_sched._suspension import PlacedUndo, function_name
from tulip_sched._task import Task
from tulip_sched._watch import Watch, check_number

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Executor, Future

Ts = TypeVarTuple("Ts")
T = TypeVar("T")


def block(undo: Callable[[], object]) -> None:
    """Announce that the running task suspends at its next bare ``yield``.

    Args:
        undo: Called without arguments when the task is cancelled while it is blocked. It must
            make sure that nobody calls ``task.unblock()`` for this suspension any more.

    Whoever was asked to wake the task calls ``task.unblock()``; a call that comes between
    ``block`` and the ``yield`` counts. Follow this call with a bare ``yield`` at once.

    Raises:
        RuntimeError: No task is running.
        TypeError: ``undo`` cannot be called.
        SuspendError: The task was blocked before and a ``yield`` is missing; the message names
            the place.
    """
    current_task()._block(PlacedUndo(undo, sys._getframe(1)))


@coroutine
def suspend(undo: Callable[[], object]) -> Gen[None]:
    """Suspend the running task: `block` and its ``yield`` in one, for an ``async def``.

    The same as ``block(undo)`` followed by a bare ``yield``, which an ``async def`` cannot write.
    """
    current_task()._block(PlacedUndo(undo, sys._getframe(1)))
    yield


class _OneTurn(tuple[None, ...]):
    """Iterates once over `TURN`: a suspension without a generator."""

    __slots__ = ()
    __await__ = tuple.__iter__


_ONE_TURN: Final = cast("Coroutine[None]", _OneTurn((TURN,)))


def sleep(seconds: float) -> Coroutine[None]:
    """Wait for a while; with 0, let every other runnable task run first.

    Args:
        seconds: How long, on the event loop's clock. Negative values count as 0.

    Raises:
        TypeError: ``seconds`` is of another kind.
        ValueError: ``seconds`` is not a number (``nan``).

    Cancelling leaves no timer behind.
    """
    try:
        if seconds <= 0:
            # A constant: no generator is made. benchmarks/scheduling: a third of a task switch.
            return _ONE_TURN
        if seconds > 0:
            return _sleep(seconds)
    except TypeError:
        raise TypeError(f"cannot sleep for {seconds!r}: seconds are a number") from None
    raise ValueError(f"cannot sleep for {seconds!r} seconds")


@coroutine
def _sleep(seconds: float) -> Gen[None]:
    task = current_task()
    timer = task._context.eventloop.call_later(seconds, task._step)
    task._block(timer.cancel)
    # A traceback of the cancellation holds this frame, and the task would hold the traceback.
    del task
    yield


@coroutine
def block_r(file: FileDescriptor) -> Gen[None]:
    """Wait until a file may be readable, has failed, or was hung up.

    Args:
        file: A descriptor, or an object with ``fileno()``. For a `socket.socket` the kernel
            registration is kept for the next wait; for anything else it ends with the wait, so
            that a number may be closed and used again at will.

    Raises:
        BusyError: Another task waits for the same; it is unharmed.
        OSError: The file cannot be watched.
    """
    watch = _watch_for(file)
    try:
        watch.block_r()
        yield
    finally:
        _release(watch)


@coroutine
def block_w(file: FileDescriptor) -> Gen[None]:
    """Wait until a file may be writable, has failed, or was hung up.

    Args:
        file: As for `block_r`.

    Raises:
        BusyError: Another task waits for the same; it is unharmed.
        OSError: The file cannot be watched.
    """
    watch = _watch_for(file)
    try:
        watch.block_w()
        yield
    finally:
        _release(watch)


def _watch_for(file: FileDescriptor) -> Watch:
    """Return the Watch for a file, the one in use if there is one."""
    fd = file if isinstance(file, int) else _number_of(file)
    check_number(fd)
    watch = current_context().watches.get(fd)
    if watch is not None:
        if watch.serves(file):
            watch.share()
            return watch
        if _was_closed(watch, fd):
            watch.forget()
        elif not watch.idle():
            return watch
    watch = Watch(fd)
    # A socket object stands for one open file as long as it lives, a number does not.
    if isinstance(file, socket.socket):
        watch.owner = weakref.ref(file)
    else:
        watch.temporary = True
    return watch


def _number_of(file: HasFileno) -> int:
    try:
        fd = file.fileno()
    except AttributeError:
        raise TypeError(
            f"a file descriptor must be an integer or have fileno(), got {file!r}"
        ) from None
    if fd < 0:
        raise ClosedError(f"cannot wait for {file!r}: it was closed")
    return fd


def _was_closed(watch: Watch, fd: int) -> bool:
    """Return whether the socket that the Watch was made for was closed, or has gone, since."""
    if watch.owner is None:
        return False
    owner = cast("socket.socket | None", watch.owner())
    return owner is None or owner.fileno() != fd


def _release(watch: Watch) -> None:
    if watch.temporary and watch.idle():
        watch.forget()


COROUTINE_FLAGS: Final = CO_COROUTINE | CO_ITERABLE_COROUTINE


@coroutine
def call_in_thread(
    func: Callable[[*Ts], T], *args: *Ts, executor: Executor | None = None
) -> Gen[T]:
    """Run a function in a thread, or wherever an executor runs it, and wait for its result.

    Args:
        func: What to call.
        *args: Its arguments.
        executor: Any `concurrent.futures.Executor`; default: the context's thread runner.

    Returns:
        What the function returned.

    Raises:
        TypeError: ``func`` cannot be called, or is a coroutine function, whose call would run
            nothing.
        BaseException: Whatever the function raised.

    In the context's own threads the function sees the caller's `contextvars`, and may use
    `call_from_thread`.

    A cancelled wait takes the call back if it has not begun. One that runs cannot be stopped:
    its result is dropped, and a failure of it is logged.
    """
    if not callable(func):
        raise TypeError(f"a thread needs a function, got {func!r}: was it called already?")
    code = getattr(untracked(func), "__code__", None)
    if code is not None and code.co_flags & COROUTINE_FLAGS:
        raise TypeError(f"a thread needs a plain function, got the coroutine function {func!r}")
    task = current_task()
    waiter = _Caller(func, task)
    context = task._context
    call = partial(func, *args)
    if executor is None and context.threads_are_ours:
        # Threads see the caller's context variables; other executors could not pickle them.
        variables = copy_context()
        variables.run(HOME.set, context)
        call = partial(variables.run, call)
    future: Future[T] = context.threadrunner.submit(call, executor=executor, on_done=waiter.ended)
    task._block(partial(waiter.undo, future))
    try:
        yield
        return future.result()
    finally:
        # A traceback holds this frame: neither who failed nor who waited may hang from it.
        del future, task


@final
class _Caller:
    """The task that waits for a function in a thread, as long as it does."""

    __slots__ = ("_func", "_task")

    def __init__(self, func: Callable[..., object], task: Task[Any]) -> None:
        self._func = func
        self._task: Task[Any] | None = task

    def ended(self, future: Future[Any]) -> None:
        task, self._task = self._task, None
        if task is not None:
            task._step()
            del task, future  # as at the end of Task._step
        elif not future.cancelled() and (error := future.exception()) is not None:
            logger().error("a cancelled call of %r failed", self._func, exc_info=error)

    def _waited_for(self, _: object) -> str:
        """Say what is waited for, for people."""
        return f"{function_name(self._func)} in a thread"

    def undo(self, future: Future[Any]) -> None:
        self._task = None
        future.cancel()
