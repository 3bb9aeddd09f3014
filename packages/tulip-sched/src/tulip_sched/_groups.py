"""Task groups: tasks that end before the block that started them does."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import Any, Self, TypeVar, cast, final, overload

from tulip_poll import WrongThreadError
from tulip_sched._context import current_context, current_task
from tulip_sched._coroutine import AnyCoroutine, Coroutine, Gen, coroutine
from tulip_sched._errors import Cancelled
from tulip_sched._scopes import CancelScope
from tulip_sched._task import Task

T = TypeVar("T")


@final
class TaskGroup:
    """Runs tasks that all end with the block: the first failure cancels the others.

    In an ``async def``::

        async with TaskGroup() as group:
            group.start_soon(fetch(url))

    In a generator, with a function that gets the group::

        result = yield from TaskGroup().run(body)

    The block is left when every task is done. Failures arrive together, as an `ExceptionGroup`
    (a `BaseExceptionGroup` if one of them is no `Exception`). A task that is cancelled alone is
    no failure.

    Attributes:
        scope: Cancels the block and all its tasks.
    """

    __slots__ = ("_cut_short", "_errors", "_owner", "_tasks", "_waiter", "scope")

    def __init__(self) -> None:
        self.scope: CancelScope = CancelScope()
        self._owner: Task[Any] | None = None
        self._tasks: dict[Task[Any], None] = {}
        self._errors: list[BaseException] = []
        self._waiter: Task[Any] | None = None
        self._cut_short = False

    def start_soon(self, coro: AnyCoroutine[object], name: str | None = None) -> None:
        """Start a task in this group; any task may call this as long as the block is open.

        Raises:
            RuntimeError: The block is not open (any more).
        """
        self.adopt(Task(coro, name))

    def create_task(self, coro: AnyCoroutine[T], name: str | None = None) -> Task[T]:
        """Start a task in this group and return it, for its result.

        Raises:
            RuntimeError: The block is not open (any more).
        """
        task = Task(coro, name)
        self.adopt(task)
        return task

    def adopt(self, task: Task[Any]) -> None:
        """Start a task that was made, but not started, elsewhere.

        Raises:
            RuntimeError: The block is not open, or the task was started before.
        """
        if self._owner is None:
            task.cancel()
            raise RuntimeError(f"the group of task {task.name!r} is not open")
        if current_context() is not self._owner._context:
            task.cancel()
            raise WrongThreadError(
                f"task {task.name!r} cannot be started in the group of another run"
            )
        task._join_scope(self.scope)
        task.start()
        self._tasks[task] = None
        task._callbacks.append(self._ended)

    @overload
    def run(self, body: Callable[[TaskGroup], AnyCoroutine[T]]) -> Coroutine[T]: ...
    @overload
    def run(self, body: Callable[[TaskGroup], None]) -> Coroutine[None]: ...
    @coroutine
    def run(self, body: Callable[[TaskGroup], AnyCoroutine[T] | None]) -> Gen[T | None]:
        """Run ``body(group)`` in this task, wait for the group, and return the body's result.

        Args:
            body: A coroutine function, or a plain function that only starts tasks.
        """
        self._enter()
        try:
            running = body(self)
            result = None if running is None else (yield from cast("Coroutine[T]", running))
        except BaseException as error:
            if (yield from self._leave(error)):
                # Only possible for a scope that was cancelled: then there is no result.
                return None
            raise
        yield from self._leave(None)
        return result

    async def __aenter__(self) -> Self:
        self._enter()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        return await self._leave(exc)

    def _enter(self) -> None:
        self.scope.__enter__()
        self._owner = current_task()
        self.scope._members = {}

    @coroutine
    def _leave(self, error: BaseException | None) -> Gen[bool]:
        """Wait for the tasks, then raise what failed; return whether ``error`` is dealt with."""
        if error is not None:
            self.scope.cancel()
            if isinstance(error, GeneratorExit):
                # The coroutine is being closed and cannot wait: its tasks are left to the run.
                self._owner = None
                return self._close_scope(error)
            if not isinstance(error, Cancelled):
                self._errors.append(error)
        # Shielded: an outer cancellation reaches the tasks themselves, and their end, not it,
        # ends this wait.
        with CancelScope(shield=True):
            while self._tasks:
                self._waiter = current_task()
                self._waiter._block(self._stop_waiting)
                yield
        self._owner = None
        errors, self._errors = self._errors, []
        if errors:
            self._close_scope(None)
            failures = "1 failure" if len(errors) == 1 else f"{len(errors)} failures"
            raise BaseExceptionGroup(f"{failures} in a task group", errors) from None
        swallowed = self._close_scope(error)
        if error is None and self._cut_short and current_task()._cancel_pending:
            # The tasks were cut short from outside: whoever waited for them must not go on.
            # Tasks that ended by themselves in the same moment have ended.
            yield from _stop_here()
        return swallowed

    def _close_scope(self, error: BaseException | None) -> bool:
        kind = None if error is None else type(error)
        return self.scope.__exit__(kind, error, None)

    def _ended(self, task: Task[Any]) -> None:
        del self._tasks[task]
        error = None
        if task.cancelled():
            self._cut_short = True
        else:
            error = task.exception()
        if error is not None:
            self._errors.append(error)
            self.scope.cancel()
        if self._waiter is not None and not self._tasks:
            waiter, self._waiter = self._waiter, None
            waiter._wake()

    def _stop_waiting(self) -> None:
        self._waiter = None


@coroutine
def _stop_here() -> Gen[None]:
    """Suspend, so that the pending cancellation is raised here."""
    current_task()._block(lambda: None)
    yield
