"""The way from other threads into a run: call a coroutine function there, and wait here.

A function that `call_in_thread` runs knows its run, and calls back with `call_from_thread`. A
thread of the program's own is given a `Portal`.

Cancelling the call in the thread cancels the task; a task that is cancelled in the loop ends the
call with `TaskCancelledError`.
"""

from __future__ import annotations

from contextlib import suppress
from threading import get_ident
from types import TracebackType
from typing import TYPE_CHECKING, Self, TypeVar, TypeVarTuple, final

from tulip_poll import ClosedError, EventLoop
from tulip_sched._calls import HOME
from tulip_sched._context import current_task
from tulip_sched._task import Task
from tulip_sched._typing import override

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future

    from tulip_sched._context import Context
    from tulip_sched._coroutine import AnyCoroutine

Ts = TypeVarTuple("Ts")
T = TypeVar("T")


def call_from_thread(func: Callable[[*Ts], AnyCoroutine[T]], *args: *Ts) -> T:
    """Run a coroutine in the loop's thread, and block this other thread until it is done.

    For functions that `call_in_thread` runs in a thread of the run's own; others need a `Portal`.

    Args:
        func: The coroutine function; called, and run as a task, in the loop's thread.
        *args: Its arguments.

    Returns:
        What the coroutine returned.

    Raises:
        RuntimeError: Called in the loop's own thread, which it would block for ever, or in one
            that `call_in_thread` did not start.
        ClosedError: No run is under way there, or it ended before the answer.
        TaskCancelledError: The task was cancelled.
        BaseException: Whatever the coroutine raised.
    """
    return _start(_home(), func, args, get_ident()).result()


def start_from_thread(func: Callable[[*Ts], AnyCoroutine[T]], *args: *Ts) -> Future[T]:
    """Do as `call_from_thread` does, without waiting.

    Returns:
        A future; cancelling it cancels the task, whose failure makes the run fail from then on.
    """
    return _start(_home(), func, args)


def _home() -> Context:
    context = HOME.get(None)
    if context is None:
        raise RuntimeError(
            "this thread was not started by call_in_thread: give it a Portal, opened in a task "
            "of the run that is to be called"
        )
    return context


@final
class Portal:
    """The way into a run for threads that the program started itself.

    A task of the run opens it::

        with Portal() as portal:
            threading.Thread(target=work, args=(portal,)).start()
            ...  # and waits for what the thread will bring

    While it is open, the run goes on waiting: a task that only a call from a thread can resume
    is no deadlock. When the block is left, further calls are refused; those that were begun go
    on.
    """

    __slots__ = ("_context", "_open")

    def __init__(self) -> None:
        self._context: Context | None = None
        self._open = False

    def call(self, func: Callable[[*Ts], AnyCoroutine[T]], *args: *Ts) -> T:
        """Run a coroutine in the loop's thread, and block this other thread until it is done.

        Args:
            func: The coroutine function; called, and run as a task, in the loop's thread.
            *args: Its arguments.

        Returns:
            What the coroutine returned.

        Raises:
            RuntimeError: Called in the loop's own thread, which it would block for ever.
            ClosedError: The portal is not open (any more), or the run ended before the answer.
            TaskCancelledError: The task was cancelled.
            BaseException: Whatever the coroutine raised.
        """
        return _start(self._context_if_open(), func, args, self).result()

    def start(self, func: Callable[[*Ts], AnyCoroutine[T]], *args: *Ts) -> Future[T]:
        """Do as `call` does, without waiting.

        Returns:
            A future; cancelling it cancels the task, whose failure makes the run fail from then on.
        """
        return _start(self._context_if_open(), func, args)

    def _context_if_open(self) -> Context:
        context = self._context
        if context is None or not self._open:
            raise ClosedError(f"{self!r} cannot take calls")
        return context

    def __enter__(self) -> Self:
        if self._context is not None:
            raise RuntimeError(f"{self!r} was used before: each portal serves one with block")
        self._context = current_task()._context
        self._context.eventloop.hold()
        self._open = True
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self._context is not None
        self._context.eventloop.release()
        self._open = False

    @override
    def __repr__(self) -> str:
        state = "not opened" if self._context is None else "open" if self._open else "closed"
        return f"<Portal at {id(self):#x}, {state}>"


def _start(
    context: Context,
    func: Callable[[*Ts], AnyCoroutine[T]],
    args: tuple[*Ts],
    holder: object = None,
) -> Future[T]:
    from concurrent.futures import Future  # late: with the logging that it brings, it costs 6 ms

    call: Future[T] = Future()
    loop = context.calls.add(call, holder)
    loop.call_soon_threadsafe(_launch, loop, call, func, args)
    return call


def _launch(
    loop: EventLoop,
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
        with suppress(InvalidStateError):  # cancelled meanwhile
            call.set_exception(error)
        return

    def answer(task: Task[T]) -> None:
        error = task._exception
        # The thread may cancel the call at this very moment; then nobody wants the answer, and a
        # failure is reported as that of any task which nobody waited for.
        with suppress(InvalidStateError):
            if error is None:
                call.set_result(task.result())
            else:
                call.set_exception(error)
                task.exception()

    def cancelled(call: Future[T]) -> None:
        if call.cancelled():
            with suppress(ClosedError):
                loop.call_soon_threadsafe(task.cancel)

    task.add_done_callback(answer)
    call.add_done_callback(cancelled)
