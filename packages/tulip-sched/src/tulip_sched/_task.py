"""Tasks: coroutines that run beside each other, and what became of them."""

from collections.abc import Callable, Generator
from functools import partial
from typing import Any, Generic, TypeVar, cast, final
from weakref import ref

from tulip_poll import WrongThreadError
from tulip_sched._context import current_context, current_task
from tulip_sched._coroutine import AnyCoroutine, Gen, coroutine
from tulip_sched._errors import Cancelled, TaskCancelledError
from tulip_sched._failures import logger, note_failure
from tulip_sched._scopes import check_timeout, is_cancelled
from tulip_sched._stepping import WOKEN, Stepper
from tulip_sched._typing import override

T = TypeVar("T")


@final
class Task(Stepper, Generic[T]):
    """A coroutine that runs beside the others, until it returns or raises.

    Args:
        coro: What to run: the result of calling a coroutine function (not the function).
        name: For people; default ``task-N``.
        timeout: Seconds from `start` after which the task is cancelled and fails with
            `TimeoutError`; ``None`` for no limit.

    A task is awaitable: ``yield from task`` and ``await task`` wait for its end, give its result
    or raise its exception. Each task runs in a copy of the `contextvars` context in which it was
    made. A task that fails, and that nobody waits for, is reported once and makes `run` fail.

    Raises:
        TypeError: ``coro`` is not a coroutine.
        ValueError: ``timeout`` is negative or not a number.
    """

    __slots__ = (
        "__weakref__",
        "_callbacks",
        "_cancelled",
        "_exception",
        "_starter",
        "_timeout",
        "_traceback",
    )

    def __init__(
        self, coro: AnyCoroutine[T], name: str | None = None, *, timeout: float | None = None
    ) -> None:
        if timeout is not None:
            check_timeout(timeout)
        super().__init__(coro, name)
        self._timeout = timeout
        self._exception: BaseException | None = None
        self._callbacks: list[Callable[[Task[T]], object]] = []
        self._cancelled = False
        self._starter: ref[Task[Any]] | None = None

    def start(self) -> None:
        """Make the task runnable; it first runs in the loop's next round.

        Raises:
            RuntimeError: The task was started before.
        """
        if self._started or self._done:
            raise self._refused_start()
        context = self._context = current_context()
        self._started = True
        self._call = self._step
        loop = context.eventloop
        self._again = loop.schedule_here
        self._clock = loop.time
        if self._timeout is not None:
            self._root_scope().deadline = loop.time() + self._timeout
        if self._base is not None:
            self._cancel_pending = is_cancelled(self._base)
        starter = context.current_task
        self._starter = None if starter is None else ref(starter)
        context.tasks[self] = None
        loop.schedule(self)

    def cancel(self) -> None:
        """Order the task to stop: every suspension in it raises `Cancelled` from now on.

        Returns at once; `wait` for the end. A task that was not started ends without running; a
        task that is done stays as it is.
        """
        if self._done:
            return
        if not self._started:
            self._coro.close()
            self._context = current_context()
            self._cancelled = True
            self._finish(TaskCancelledError(f"task {self.name!r} was cancelled before its start"))
            return
        self._context.check_thread()
        self._root_scope().cancel()

    def done(self) -> bool:
        """Return whether the task has returned, raised, or been cancelled."""
        return self._done

    def cancelled(self) -> bool:
        """Return whether the task ended by being cancelled."""
        return self._cancelled

    def result(self) -> T:
        """Return what the coroutine returned.

        Raises:
            RuntimeError: The task is not done.
            TaskCancelledError: The task was cancelled.
            TimeoutError: The task ran out of its time.
            BaseException: Whatever the coroutine raised.
        """
        exception = self.exception()
        if exception is None:
            return cast("T", self._result)
        try:
            # From the coroutine's own traceback on, or it would grow with each call.
            raise exception.with_traceback(self._traceback)
        finally:
            # The traceback holds this frame, which must not hold what the exception hangs from.
            del self, exception

    def exception(self) -> BaseException | None:
        """Return what the task failed with, or ``None`` if it returned.

        Asking counts as taking note of the failure.

        Raises:
            RuntimeError: The task is not done.
        """
        if not self._done:
            raise RuntimeError(f"task {self.name!r} is not done")
        if self._exception is not None:
            self._context.failures.pop(id(self), None)
        return self._exception

    def add_done_callback(self, callback: Callable[["Task[T]"], object]) -> None:
        """Call ``callback(task)`` when the task is done; soon, if it already is.

        An exception out of the callback goes to the event loop's exception handler.
        """
        self._check_thread()
        if self._done:
            self._context.eventloop.call_soon(callback, self)
        else:
            self._callbacks.append(callback)

    def remove_done_callback(self, callback: Callable[["Task[T]"], object]) -> bool:
        """Take back one `add_done_callback`; return whether it was there."""
        self._check_thread()
        try:
            self._callbacks.remove(callback)
        except ValueError:
            return False
        return True

    @coroutine
    def wait(self) -> Gen[None]:
        """Wait until the task is done, whatever its end.

        Raises:
            RuntimeError: The task waits for itself, or was never started.

        Cancelling the wait leaves the task running.
        """
        if not self._done:
            self._block_until_done()
            yield
        self.exception()

    def __iter__(self) -> Generator[None, None, T]:
        """Wait for the end and return the result, or raise the exception."""
        if not self._done:
            self._block_until_done()
            yield
        try:
            return self.result()
        finally:
            del self  # as in result()

    __await__ = __iter__

    @override
    def __repr__(self) -> str:
        if not self._done:
            state = "runnable" if self._undo is None or self._undo is WOKEN else "blocked"
            state = state if self._started else "not started"
        elif self._exception is None:
            state = "returned"
        else:
            state = "cancelled" if self.cancelled() else f"failed: {self._exception!r}"
        return f"<Task {self.name!r} {state}>"

    def _block_until_done(self) -> None:
        waiter = current_task()
        self._refuse_waiter(waiter)
        wake = waiter._woken_by
        self._callbacks.append(wake)
        waiter._block(partial(self._callbacks.remove, wake))

    def _woken_by(self, _: "Task[Any]") -> None:
        self._wake()

    def _refuse_waiter(self, waiter: "Task[Any]") -> None:
        if waiter is self:
            raise RuntimeError(f"task {self.name!r} cannot wait for itself")
        if not self._started:
            raise RuntimeError(f"task {self.name!r} was never started: call its start() first")
        if waiter._context is not self._context:
            raise WrongThreadError(
                f"task {self.name!r} belongs to another run than {waiter.name!r}, which waits "
                "for it (a thread reaches into another's run through a Portal)"
            )

    def _break_off(self) -> None:
        """End at once, without waiting for the clean-up, in a run that is given up."""
        self._context.current_task = self
        undo, self._undo = self._undo, None
        try:
            if undo is not None:
                undo()
            self._coro.close()
        except BaseException as error:  # noqa: BLE001 - nobody else is left to tell
            logger.error("task %r did not let itself be closed", self.name, exc_info=error)
        finally:
            self._context.current_task = None
        self._cancelled = True
        self._finish(TaskCancelledError(f"task {self.name!r} was given up by its run"))

    @override
    def _finish(self, exc: BaseException | None) -> None:
        self._done = True
        if self._scope is not self._base and self._scope is not self._root and exc is None:
            exc = RuntimeError(f"task {self.name!r} ended inside {self._scope!r}")
        if exc is not None:
            exc = self._note_end(exc)
        context = self._context
        context.tasks.pop(self, None)
        if self._scope is not None:
            self._leave_scopes()
        # What is no longer needed goes now: a result may be kept for long after the stack.
        del self._coro, self._send, self._run
        self.retire()
        callbacks = self._callbacks
        if callbacks:
            self._callbacks = []
            for callback in callbacks:
                try:
                    callback(self)
                except BaseException as error:  # noqa: BLE001 - handed on to the loop
                    context.eventloop.call_soon(_reraise, error)

    def _note_end(self, exc: BaseException) -> BaseException:
        """Keep what the task ended by, and have it reported unless somebody asks."""
        if isinstance(exc, Cancelled):
            exc = self._translate(exc)
        self._exception = exc
        self._traceback = exc.__traceback__
        if not self._cancelled:
            # Even if somebody waits: whoever does may be cancelled and never look.
            note_failure(self._context, self, exc)
        return exc

    def _translate(self, exc: Cancelled) -> BaseException:
        """Say what a cancelled task says to those who ask for its result."""
        ended: BaseException
        if not is_cancelled(self._root or self._base):
            ended = RuntimeError(
                f"task {self.name!r} was ended by the cancellation of a scope that it had left "
                "or that it never entered (was one opened in a generator that yields values to "
                "its caller?)"
            )
        elif self._timeout is not None and self._root is not None and self._root._expired:
            ended = TimeoutError(f"task {self.name!r} timed out after {self._timeout:g} seconds")
        else:
            ended = TaskCancelledError(f"task {self.name!r} was cancelled")
            self._cancelled = True
        ended.__cause__ = exc
        return ended


def create_task(
    coro: AnyCoroutine[T], name: str | None = None, *, timeout: float | None = None
) -> Task[T]:
    """Make a `Task` and start it; the arguments are those of `Task`."""
    task = Task(coro, name, timeout=timeout)
    task.start()
    return task


def _reraise(error: BaseException) -> None:
    raise error
