"""What a task can block on: an event of somebody's choice, a descriptor, time, a thread."""

import socket
import sys
import weakref
from collections.abc import Callable
from concurrent.futures import Executor, Future
from contextvars import copy_context
from functools import partial
from typing import Final, TypeVar, TypeVarTuple, cast

from tulip_poll import FileDescriptor
from tulip_sched._context import current_context, current_task
from tulip_sched._coroutine import Coroutine, Gen, coroutine
from tulip_sched._failures import logger
from tulip_sched._portal import home
from tulip_sched._suspension import PlacedUndo
from tulip_sched._task import TURN
from tulip_sched._watch import Watch

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
        SuspendError: The task was blocked before and a ``yield`` is missing; the message names
            the place.
    """
    current_task()._block(PlacedUndo(undo, sys._getframe(1)))


@coroutine
def suspend(undo: Callable[[], object]) -> Gen[None]:
    """Suspend the running task: `block` and its ``yield`` in one, for an ``async def``.

    The same as ``block(undo)`` followed by a bare ``yield``, which an ``async def`` cannot write.
    """
    current_task()._block(undo)
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
        ValueError: ``seconds`` is not a number.

    Cancelling leaves no timer behind.
    """
    if seconds > 0:
        return _sleep(seconds)
    if seconds <= 0:
        # A constant: no generator is made. benchmarks/: a third of a task switch.
        return _ONE_TURN
    raise ValueError(f"cannot sleep for {seconds!r} seconds")


@coroutine
def _sleep(seconds: float) -> Gen[None]:
    task = current_task()
    timer = task._context.eventloop.call_later(seconds, task._step)
    task._block(timer.cancel)
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
    fd = file if isinstance(file, int) else file.fileno()
    watch = current_context().watches.get(fd)
    if watch is not None and (not watch.idle() or watch.serves(file)):
        return watch
    watch = Watch(fd)
    # A socket object stands for one open file as long as it lives, a number does not.
    if isinstance(file, socket.socket):
        watch.owner = weakref.ref(file)
    else:
        watch.temporary = True
    return watch


def _release(watch: Watch) -> None:
    if watch.temporary and watch.idle():
        watch.forget()


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

    In the context's own threads the function sees the caller's `contextvars`, and may use
    `call_from_thread`.

    Raises:
        BaseException: Whatever the function raised.

    A cancelled wait takes the call back if it has not begun. One that runs cannot be stopped:
    its result is dropped, and a failure of it is logged.
    """
    task = current_task()
    waiting = True

    def ended(future: Future[T]) -> None:
        if waiting:
            task._step()
        elif not future.cancelled() and future.exception() is not None:
            logger.error("a cancelled call of %r failed", func, exc_info=future.exception())

    def undo() -> None:
        nonlocal waiting
        waiting = False
        future.cancel()

    context = task._context
    call = partial(func, *args)
    if executor is None and context.threads_are_ours:
        # Threads see the caller's context variables; other executors could not pickle them.
        variables = copy_context()
        variables.run(home.set, context)
        call = partial(variables.run, call)
    future = context.threadrunner.submit(call, executor=executor, on_done=ended)
    task._block(undo)
    yield
    return future.result()
