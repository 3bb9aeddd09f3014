"""Tasks: coroutines that run beside each other, and what became of them."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from functools import partial
from threading import get_ident
from typing import Any, TypeVar, final
from weakref import ref

from tulip_poll import EventLoop, WrongThreadError
from tulip_sched._context import Context, current_context, current_task
from tulip_sched._coroutine import AnyCoroutine, Gen, coroutine
from tulip_sched._errors import Cancelled, TaskCancelledError
from tulip_sched._failures import logger, note_failure
from tulip_sched._scopes import GroupScope, is_cancelled
from tulip_sched._stepping import WOKEN, Stepper
from tulip_sched._typing import override

T = TypeVar("T")


@final
class Task(Stepper[T]):
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

    __slots__ = ("__weakref__",)

    def start(self) -> None:
        """Make the task runnable; it first runs in the loop's next round.

        Raises:
            RuntimeError: The task was started before.
        """
        self._launch(current_context(), None)

    def _launch(self, context: Context | None, base: GroupScope | None) -> None:
        """Start, in the scope of a group if one is given; no context: that group is not open."""
        if self._done is not None or context is None:
            raise self._refused_start()
        loop = context.loop or context.eventloop
        if get_ident() == loop.thread:
            loop.schedule_here(self)
        else:
            self._schedule(loop, base)
        self._done = False
        self._loop = loop
        self._context = context
        context.tasks[self] = None
        if base is not None:
            self._scope = self._base = base
            base.members[self] = None
            self._cancel_pending = base.cancel_called or (
                base._parent is not None and is_cancelled(base._parent)
            )
        else:
            starter = context.current_task
            self._starter = None if starter is None else ref(starter)
        if self._timeout is not None:
            self._root_scope().deadline = loop.time() + self._timeout

    def _schedule(self, loop: EventLoop, base: GroupScope | None) -> None:
        try:
            loop.schedule(self)
        except WrongThreadError as error:
            if base is None:
                raise
            self.cancel()
            raise WrongThreadError(
                f"task {self.name!r} cannot be started in the group of another run"
            ) from error

    def _refused_start(self) -> RuntimeError:
        if hasattr(self, "_loop"):  # which a start has set
            return RuntimeError(f"task {self.name!r} was already started")
        if self._done:
            return RuntimeError(f"task {self.name!r} is done: it cannot be started")
        self.cancel()
        return RuntimeError(f"task {self.name!r} cannot start: the block of its group is not open")

    def cancel(self) -> None:
        """Order the task to stop: every suspension in it raises `Cancelled` from now on.

        Returns at once; `wait` for the end. A task that was not started ends without running; a
        task that is done stays as it is.
        """
        if self._done:
            return
        if self._done is None:
            self._coro.close()
            self._context = current_context()
            self._cancelled = True
            self._finish(TaskCancelledError(f"task {self.name!r} was cancelled before its start"))
            return
        self._context.check_thread()
        self._root_scope().cancel()

    def done(self) -> bool:
        """Return whether the task has returned, raised, or been cancelled."""
        return self._done is True

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
            return self._result
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

    def add_done_callback(self, callback: Callable[[Task[T]], object]) -> None:
        """Call ``callback(task)`` when the task is done; soon, if it already is.

        An exception out of the callback goes to the event loop's exception handler.
        """
        self._check_thread()
        if self._done:
            self._context.eventloop.call_soon(callback, self)
        else:
            if self._callbacks is None:
                self._callbacks = []
            self._callbacks.append(callback)

    def remove_done_callback(self, callback: Callable[[Task[T]], object]) -> bool:
        """Take back one `add_done_callback`; return whether it was there."""
        self._check_thread()
        if self._callbacks is None or callback not in self._callbacks:
            return False
        self._callbacks.remove(callback)
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
        if self._exception is None:
            return self._result
        try:
            return self.result()
        finally:
            del self  # as in result()

    __await__ = __iter__

    @override
    def __repr__(self) -> str:
        if not self._done:
            state = "runnable" if self._undo is None or self._undo is WOKEN else "blocked"
            state = state if self._done is False else "not started"
        elif self._exception is None:
            state = "returned"
        else:
            state = "cancelled" if self.cancelled() else f"failed: {self._exception!r}"
        return f"<Task {self.name!r} {state}>"

    def _block_until_done(self) -> None:
        # As current_task() says, for the price of a look at the thread.
        waiter = self._context.current_task if self._done is False else None
        if waiter is None or waiter is self or get_ident() != self._loop.thread:
            raise self._refusal_of(current_task())
        if self._joiner is None and not self._more_joiners:
            self._joiner = waiter
            waiter._block(self._forget_joiner)
            return
        if self._more_joiners is None:
            self._more_joiners = {}
        self._more_joiners[waiter] = None
        waiter._block(partial(self._forget_another, waiter))

    def _forget_joiner(self) -> None:
        self._joiner = None

    def _forget_another(self, waiter: Stepper[Any]) -> None:
        if self._more_joiners is not None:
            del self._more_joiners[waiter]

    def _waited_for(self, _: object) -> str:
        """Say what is waited for, for people."""
        return f"task {self.name!r}"

    def _parent(self) -> Stepper[Any] | None:
        """Return the task in whose group this one runs, else the one that started it."""
        if self._base is not None:
            return self._base._task
        return None if self._starter is None else self._starter()

    def _refuse_waiter(self, waiter: Task[Any]) -> None:
        if waiter is self or self._done is None or waiter._context is not self._context:
            raise self._refusal_of(waiter)

    def _refusal_of(self, waiter: Task[Any]) -> RuntimeError:
        if waiter is self:
            return RuntimeError(f"task {self.name!r} cannot wait for itself")
        if self._done is None:
            return RuntimeError(f"task {self.name!r} was never started: call its start() first")
        return WrongThreadError(
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
            logger().error("task %r did not let itself be closed", self.name, exc_info=error)
        finally:
            self._context.current_task = None
        self._cancelled = True
        self._retire()
        self._finish(TaskCancelledError(f"task {self.name!r} was given up by its run"))

    @override
    def _finish(self, exc: BaseException | None) -> None:
        self._done = True
        if self._reads is not None:
            self._reads._undo_r()
        base = self._base
        if exc is not None or self._scope is not base:
            exc = self._note_end(exc)
        self._context.tasks.pop(self, None)
        # What is no longer needed goes now: a result may be kept for long after the stack. (A `del`
        # of the three would take 2 % of spawning and joining; benchmarks/scheduling.)
        self._coro = self._send = self._run = None  # type: ignore[assignment]  # nobody calls them
        if base is not None:
            self._scope = self._base = None
            members = base.members
            del members[self]
            if exc is not None or not members:
                base.ended(self)
        if self._callbacks is not None:
            self._call_back(self._callbacks)
        if self._joiner is not None:
            self._resume((self._joiner,))
            self._joiner = None
        if self._more_joiners is not None:
            self._resume(self._more_joiners)
            self._more_joiners = None

    def _call_back(self, callbacks: list[Callable[[Any], object]]) -> None:
        self._callbacks = None
        for callback in callbacks:
            try:
                callback(self)
            except BaseException as error:  # noqa: BLE001 - handed on to the loop
                self._context.eventloop.call_soon(_reraise, error)

    def _resume(self, joiners: Iterable[Stepper[Any]]) -> None:
        """Make those runnable that waited for the end."""
        for waiter in joiners:
            self._loop.schedule_here(waiter)
            waiter._undo = WOKEN

    def _note_end(self, exc: BaseException | None) -> BaseException | None:
        """Keep what the task ended by, have it reported unless somebody asks, and leave scopes."""
        scope = self._scope
        if exc is None and scope is not self._base and scope is not self._root:
            exc = RuntimeError(f"task {self.name!r} ended inside {scope!r}")
        if isinstance(exc, Cancelled):
            exc = self._translate(exc)
        self._end_scopes()
        if exc is not None:
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
    # Without the keyword a tenth of making a task is saved.
    task = Task(coro, name) if timeout is None else Task(coro, name, timeout=timeout)
    task._launch(current_context(), None)
    return task


def _reraise(error: BaseException) -> None:
    raise error
