"""Tasks: each drives one stack of coroutines.

The rules that hold here:

1. ``_undo`` tells the state of a task: a function of somebody's while it is *blocked*, `WOKEN`
   once it has been put into the loop's queue again, ``None`` while it runs and at first. So a
   wake-up that comes late, or twice, or before the task has yielded, is told from one that counts.
2. Whoever blocks a task names the function that undoes the suspension. Cancelling calls that
   function first, so the event that was waited for can no longer resume the task.
3. Callbacks of the loop (readiness, timers) call ``_step`` and resume the task at once; a task
   that wakes another one calls ``unblock``, which puts it in the queue. So a message costs no
   extra round of the loop, and one task never runs inside another.
"""

import itertools
from collections.abc import Callable, Generator
from contextvars import copy_context
from functools import partial
from typing import Any, Final, Generic, TypeVar, cast, final
from weakref import ref

from tulip_poll import Handle, WrongThreadError
from tulip_sched._context import Context, current_context, current_task
from tulip_sched._coroutine import AnyCoroutine, Gen, coroutine
from tulip_sched._errors import Cancelled, SuspendError, TaskCancelledError
from tulip_sched._failures import logger, note_failure
from tulip_sched._scopes import CancelScope, is_cancelled
from tulip_sched._suspension import coroutine_stack, describe_undo, explain_yield
from tulip_sched._typing import override

T = TypeVar("T")

TURN: Final[Any] = object()
"""Yielded by a coroutine that stays runnable and only lets the others run first."""


def WOKEN() -> None:  # noqa: N802 - a constant that is called like the undo function it replaces
    """Stand in for the undo function of a task that is in the queue and blocked no more."""


NOT_STARTED: Final = Handle(WOKEN)

_numbers = itertools.count(1)


@final
class Task(Generic[T]):
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
        "_again",
        "_base",
        "_callbacks",
        "_cancel_pending",
        "_cancelled",
        "_clock",
        "_context",
        "_coro",
        "_done",
        "_error",
        "_exception",
        "_handle",
        "_name",
        "_result",
        "_root",
        "_run",
        "_scope",
        "_send",
        "_since",
        "_starter",
        "_timeout",
        "_traceback",
        "_undo",
    )

    def __init__(
        self, coro: AnyCoroutine[T], name: str | None = None, *, timeout: float | None = None
    ) -> None:
        if timeout is not None and not timeout >= 0:
            raise ValueError(f"a timeout must be at least 0 seconds, got {timeout!r}")
        try:
            self._send = coro.send  # type: ignore[union-attr]  # refused below if missing
        except AttributeError:
            coro = _driven(coro)
            self._send = coro.send
        self._coro: Any = coro
        self._name = name
        self._timeout = timeout
        self._run = copy_context().run
        self._handle: Handle = NOT_STARTED
        self._context: Context = None  # type: ignore[assignment]  # until start()
        self._scope: CancelScope | None = None
        self._base: CancelScope | None = None
        self._root: CancelScope | None = None
        self._undo: Callable[[], object] | None = None
        self._error: BaseException | None = None
        self._exception: BaseException | None = None
        self._callbacks: list[Callable[[Task[T]], object]] = []
        self._cancel_pending = False
        self._cancelled = False
        self._done = False
        self._starter: ref[Task[Any]] | None = None

    # -- for everyone ------------------------------------------------------------------------

    @property
    def name(self) -> str:
        """The name given, or ``task-N``."""
        if self._name is None:
            self._name = f"task-{next(_numbers)}"
        return self._name

    def start(self) -> None:
        """Make the task runnable; it first runs in the loop's next round.

        Raises:
            RuntimeError: The task was started before.
        """
        if self._handle is not NOT_STARTED or self._done:
            raise self._refused_start()
        context = self._context = current_context()
        self._handle = handle = Handle(self._step)
        loop = context.eventloop
        self._again = loop.schedule_here
        self._clock = loop.time
        if self._timeout is not None:
            self._root_scope().deadline = loop.time() + self._timeout
        if self._base is not None:
            self._update_cancellation()
        starter = context.current_task
        self._starter = None if starter is None else ref(starter)
        context.tasks[self] = None
        loop.schedule(handle)

    def cancel(self) -> None:
        """Order the task to stop: every suspension in it raises `Cancelled` from now on.

        Returns at once; `wait` for the end. A task that was not started ends without running; a
        task that is done stays as it is.
        """
        if self._done:
            return
        if self._handle is NOT_STARTED:
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
            state = state if self._handle is not NOT_STARTED else "not started"
        elif self._exception is None:
            state = "returned"
        else:
            state = "cancelled" if self.cancelled() else f"failed: {self._exception!r}"
        return f"<Task {self.name!r} {state}>"

    def callback_source(self) -> str:
        """Say what the task is and where it is suspended, for reports of slow callbacks."""
        stack = [] if self._done else list(coroutine_stack(self._coro))
        where = f" suspended at {stack[-1].filename}:{stack[-1].lineno}" if stack else ""
        return f"task {self.name!r}{where}"

    # -- for whoever suspends and resumes tasks ----------------------------------------------

    def unblock(self) -> None:
        """Make the task runnable, if it is blocked; else do nothing.

        For the one who was asked to wake the task up: the undo function is not called.

        Raises:
            WrongThreadError: Called from another thread than the loop's.
        """
        if self._undo is not None and self._undo is not WOKEN:
            self._context.eventloop.schedule(self._handle)
            self._undo = WOKEN
        else:
            self._check_thread()

    def _block(self, undo: Callable[[], object]) -> None:
        """Suspend the running task at its next bare ``yield``."""
        if self._undo is not None:
            undo()
            raise SuspendError(
                f"task {self.name!r} is already blocked by {describe_undo(self._undo)}: "
                "a yield is missing after it"
            )
        self._undo = undo
        self._since = self._clock()
        if self._cancel_pending:
            self._interrupt()

    def _throw(self, error: BaseException) -> None:
        """Resume the blocked task with an error, in the loop's next round."""
        self._context.eventloop.schedule(self._handle)
        self._undo = WOKEN
        self._error = error

    def _step(self) -> None:
        """Run the coroutine until it suspends or ends. The one place that resumes a task.

        This is the hot path of every switch (benchmarks/: scheduling). Measured there: the
        unchecked ``_again`` instead of ``loop.schedule`` saves a tenth of a switch.
        """
        context = self._context
        context.current_task = self
        self._undo = None
        yielded: Any
        error: BaseException | None
        try:
            if self._error is None:
                yielded = self._run(self._send, None)
            else:
                error, self._error = self._error, None
                yielded = self._run(self._coro.throw, error)
        except StopIteration as stop:
            context.current_task = None
            self._result = stop.value
            self._finish(self._forgotten_yield())
            error = None
            del self  # as below
        except BaseException as exc:  # noqa: BLE001 - a task keeps whatever ended it
            context.current_task = None
            self._fail(exc)
            # Since Python 3.12 a frame that has ended keeps its caller's frame, this one: what
            # the exception hangs from must not be in it (nor in the callers of this method).
            error = None
            del self
        else:
            context.current_task = None
            if yielded is TURN and self._undo is None:
                if self._cancel_pending:
                    self._error = self._order_to_stop()
                self._again(self._handle)
            elif yielded is not None or self._undo is None:
                self._refuse(yielded)

    def _refuse(self, yielded: object) -> None:
        """Raise in the task: it suspended in a way that nothing would resume."""
        context = self._context
        if self._undo is None and context.foreign is not None:
            context.current_task = self
            taken = context.foreign(self, yielded)
            context.current_task = None
            if taken:
                return
        undo, self._undo = self._undo, None
        if undo is not None:
            undo()
        error = SuspendError(explain_yield(self.name, yielded, undo))
        if undo is WOKEN:
            self._error = error
            self._undo = WOKEN
        else:
            self._throw(error)

    def _forgotten_yield(self) -> SuspendError | None:
        undo, self._undo = self._undo, None
        if undo is None:
            return None
        undo()
        return SuspendError(
            f"task {self.name!r} returned while blocked by {describe_undo(undo)}: "
            "a yield is missing after it"
        )

    def _block_until_done(self) -> None:
        waiter = current_task()
        self._refuse_waiter(waiter)
        wake = waiter._woken_by
        self._callbacks.append(wake)
        waiter._block(partial(self._callbacks.remove, wake))

    def _check_thread(self) -> None:
        """Refuse a call from another thread than that of the run, before anything is changed."""
        if self._handle is not NOT_STARTED and not self._done:
            self._context.check_thread()

    def _refused_start(self) -> RuntimeError:
        if self._handle is NOT_STARTED:
            return RuntimeError(f"task {self.name!r} is done: it cannot be started")
        return RuntimeError(f"task {self.name!r} was already started")

    def _refuse_waiter(self, waiter: "Task[Any]") -> None:
        if waiter is self:
            raise RuntimeError(f"task {self.name!r} cannot wait for itself")
        if self._handle is NOT_STARTED:
            raise RuntimeError(f"task {self.name!r} was never started: call its start() first")
        if waiter._context is not self._context:
            raise WrongThreadError(
                f"task {self.name!r} belongs to another run than {waiter.name!r}, which waits "
                "for it (call_from_thread() reaches into a run from another thread)"
            )

    def _woken_by(self, _: "Task[Any]") -> None:
        self.unblock()

    # -- the end -----------------------------------------------------------------------------

    def _fail(self, exc: BaseException) -> None:
        undo, self._undo = self._undo, None
        if undo is not None:
            undo()
        # Our own frame says nothing to the reader of the traceback, and would be a cycle.
        if exc.__traceback__ is not None:
            exc.__traceback__ = exc.__traceback__.tb_next
        self._finish(exc)
        if isinstance(exc, (KeyboardInterrupt, SystemExit)):
            raise exc

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

    def _finish(self, exc: BaseException | None) -> None:
        self._done = True
        if self._scope is not self._base and self._scope is not self._root and exc is None:
            exc = RuntimeError(f"task {self.name!r} ended inside {self._scope!r}")
        if isinstance(exc, Cancelled):
            exc = self._translate(exc)
        self._exception = exc
        context = self._context
        context.tasks.pop(self, None)
        self._leave_scopes()
        # What is no longer needed goes now: a result may be kept for long after the stack.
        self._root = None
        # It may be in the queue still.
        self._handle.cancel()
        del self._coro, self._send, self._run
        if exc is not None:
            self._traceback = exc.__traceback__
        if exc is not None and not self._cancelled:
            # Even if somebody waits: whoever does may be cancelled and never look.
            note_failure(context, self, exc)
        callbacks = self._callbacks
        if callbacks:
            self._callbacks = []
            for callback in callbacks:
                try:
                    callback(self)
                except BaseException as error:  # noqa: BLE001 - handed on to the loop
                    context.eventloop.call_soon(_reraise, error)

    def _leave_scopes(self) -> None:
        """Disarm the scopes that are still open: the root, and any that was left suspended."""
        scope, base = self._scope, self._base
        while scope is not None and scope is not base:
            outer = scope._parent
            scope._end()
            scope = outer
        if base is not None and base._members is not None:
            base._members.pop(self, None)
        self._scope = self._base = None

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

    # -- cancellation ------------------------------------------------------------------------

    def _join_scope(self, scope: CancelScope) -> None:
        """Before the start: continue the chain of scopes with the scope of a group."""
        if self._handle is not NOT_STARTED or self._done:
            raise self._refused_start()
        self._scope = self._base = scope
        assert scope._members is not None
        scope._members[self] = None

    def _root_scope(self) -> CancelScope:
        """Return the task's own scope, outside of all it entered; made when first needed."""
        if self._root is None:
            root = self._root = CancelScope()
            root._begin(self, self._base)
            if self._scope is self._base:
                self._scope = root
            else:
                scope = cast("CancelScope", self._scope)
                while scope._parent is not self._base:
                    scope = cast("CancelScope", scope._parent)
                scope._parent = root
        return self._root

    def _update_cancellation(self) -> None:
        """Work out the level again (rule 3 of the scopes)."""
        self._cancel_pending = is_cancelled(self._scope)
        undo = self._undo
        if self._cancel_pending and undo is not None and undo is not WOKEN:
            self._interrupt()

    def _propagate_cancellation(self) -> None:
        """Work out the level of this task and of the tasks in its groups."""
        scope = self._scope
        self._update_cancellation()
        while scope is not None and scope is not self._base:
            for member in list(scope._members or ()):
                member._propagate_cancellation()
            scope = scope._parent

    def _interrupt(self) -> None:
        """Undo the suspension and resume with `Cancelled`."""
        undo = cast("Callable[[], object]", self._undo)
        error: BaseException
        try:
            undo()
        except BaseException as failure:  # noqa: BLE001 - it is the task's, whoever cancels it
            error = failure
        else:
            error = self._order_to_stop()
        self._throw(error)

    def _order_to_stop(self) -> Cancelled:
        return Cancelled(f"task {self.name!r} was told to stop")


def create_task(
    coro: AnyCoroutine[T], name: str | None = None, *, timeout: float | None = None
) -> Task[T]:
    """Make a `Task` and start it; the arguments are those of `Task`."""
    task = Task(coro, name, timeout=timeout)
    task.start()
    return task


def _driven(coro: Any) -> Generator[None, None, Any]:
    """Wrap an awaitable that is not a generator, such as another task or ``sleep(0)``."""
    if not hasattr(coro, "__await__"):
        hint = ": did you forget to call it?" if callable(coro) else ""
        raise TypeError(f"a task needs a coroutine, got {coro!r}{hint}")

    @coroutine
    def drive() -> Gen[Any]:
        return (yield from coro.__await__())

    return iter(drive())


def _reraise(error: BaseException) -> None:
    raise error
