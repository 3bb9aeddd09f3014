"""The way from other threads into a run: call a coroutine function there, and wait here.

Cancelling the call in the thread cancels the task; a task that is cancelled in the loop ends the
call with `TaskCancelledError`.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar, TypeVarTuple

from tulip_poll import ClosedError
from tulip_sched._portal import home
from tulip_sched._task import Task

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future

    from tulip_sched._context import Context
    from tulip_sched._coroutine import AnyCoroutine

Ts = TypeVarTuple("Ts")
T = TypeVar("T")


def call_from_thread(
    func: Callable[[*Ts], AnyCoroutine[T]], *args: *Ts, context: Context | None = None
) -> T:
    """Run a coroutine in the loop's thread, and block this other thread until it is done.

    Args:
        func: The coroutine function; called, and run as a task, in the loop's thread.
        *args: Its arguments.
        context: The context of the run. Not needed in a function that `call_in_thread` runs
            in a thread of the run's own.

    Returns:
        What the coroutine returned.

    Raises:
        RuntimeError: Called in the loop's own thread, which it would block for ever, or it is
            not known which run to call.
        ClosedError: No run is under way there, or it ended before the answer.
        TaskCancelledError: The task was cancelled.
        BaseException: Whatever the coroutine raised.
    """
    return start_from_thread(func, *args, context=context).result()


def start_from_thread(
    func: Callable[[*Ts], AnyCoroutine[T]], *args: *Ts, context: Context | None = None
) -> Future[T]:
    """Do as `call_from_thread` does, without waiting.

    Returns:
        A future; cancelling it cancels the task.
    """
    from concurrent.futures import Future  # late: with the logging that it brings, it costs 6 ms

    context = context or home.get(None)
    if context is None:
        raise RuntimeError(
            "this thread was not started by call_in_thread: say which run to call, "
            "with context=current_context() taken in a task of it"
        )
    call: Future[T] = Future()
    context.portal.add(call)
    context.eventloop.call_soon_threadsafe(_launch, context, call, func, args)
    return call


def _launch(
    context: Context,
    call: Future[T],
    func: Callable[[*Ts], AnyCoroutine[T]],
    args: tuple[*Ts],
) -> None:
    """Start the task of a call; runs in the loop."""
    from concurrent.futures import InvalidStateError

    if call.done():
        return
    try:
        task = Task(func(*args))
        task.start()
    except Exception as error:  # noqa: BLE001 - it belongs to the thread that called
        call.set_exception(error)
        return

    def answer(task: Task[T]) -> None:
        error = task.exception()
        # The thread may cancel the call at this very moment; then nobody wants the answer.
        with suppress(InvalidStateError):
            if error is None:
                call.set_result(task.result())
            else:
                call.set_exception(error)

    def cancelled(call: Future[T]) -> None:
        if call.cancelled():
            with suppress(ClosedError):
                context.eventloop.call_soon_threadsafe(task.cancel)

    task.add_done_callback(answer)
    call.add_done_callback(cancelled)
