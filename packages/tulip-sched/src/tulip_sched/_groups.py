"""Task groups: tasks that end before the block that started them does."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import Any, Self, TypeVar, cast, final, overload

from tulip_sched._context import Context, current_task
from tulip_sched._coroutine import AnyCoroutine, Coroutine, Gen, coroutine
from tulip_sched._errors import Cancelled
from tulip_sched._scopes import CancelScope, GroupScope, nobody_waits
from tulip_sched._stepping import Stepper
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
    """

    __slots__ = ("_context", "_cut_short", "_errors", "_scope", "_waiter")

    def __init__(self) -> None:
        self._scope = GroupScope()
        # Of the task that opened the group, as long as it is open.
        self._context: Context | None = None
        self._errors: list[BaseException] = []
        self._waiter: Task[Any] | None = None
        self._cut_short = False

    @property
    def scope(self) -> CancelScope:
        """Cancels the block and all its tasks."""
        return self._scope

    def start_soon(self, coro: AnyCoroutine[object], name: str | None = None) -> None:
        """Start a task in this group; any task may call this as long as the block is open.

        Raises:
            RuntimeError: The block is not open (any more).
        """
        Task(coro, name)._launch(self._context, self._scope)

    def create_task(self, coro: AnyCoroutine[T], name: str | None = None) -> Task[T]:
        """Start a task in this group and return it, for its result.

        Raises:
            RuntimeError: The block is not open (any more).
        """
        task = Task(coro, name)
        task._launch(self._context, self._scope)
        return task

    def adopt(self, task: Task[Any]) -> None:
        """Start a task that was made, but not started, elsewhere.

        Raises:
            RuntimeError: The block is not open, or the task was started before.
        """
        task._launch(self._context, self._scope)

    @overload
    def run(self, body: Callable[[TaskGroup], AnyCoroutine[T]]) -> Coroutine[T]: ...
    @overload
    def run(self, body: Callable[[TaskGroup], None]) -> Coroutine[None]: ...
    @coroutine
    def run(self, body: Callable[[TaskGroup], AnyCoroutine[T] | None]) -> Gen[T | None]:
        """Run ``body(group)`` in this task, wait for the group, and return the body's result.

        Args:
            body: A coroutine function, or a plain function that only starts tasks.

        Raises:
            RuntimeError: The group was used before.
            ExceptionGroup: The body or a task failed; see the class.

        Cancelling cancels the tasks, and waits for their ends.
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
        self._scope.__enter__()
        self._scope.ended = self._ended
        self._context = current_task()._context

    @coroutine
    def _leave(self, error: BaseException | None) -> Gen[bool]:
        """Wait for the tasks, then raise what failed; return whether ``error`` is dealt with."""
        if error is not None:
            self._scope.cancel()
            if not isinstance(error, Cancelled | GeneratorExit):
                self._errors.append(error)
        if isinstance(error, GeneratorExit):
            # The coroutine is being closed and cannot wait: its tasks, and whatever they fail
            # with, are left to the run.
            self._scope.ended = nobody_waits
        else:
            # Shielded: an outer cancellation reaches the tasks themselves, and their end, not it,
            # ends this wait.
            with CancelScope(shield=True):
                while self._scope.members:
                    self._waiter = current_task()
                    self._waiter._block(self._stop_waiting)
                    yield
        self._context = None
        errors, self._errors = self._errors, []
        if errors:
            try:
                self._close_scope(None)
            except RuntimeError as misused:  # left out of order: told besides, not instead
                errors.append(misused)
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
        return self._scope.__exit__(kind, error, None)

    def _waited_for(self, _: object) -> str:
        """Say what is waited for, for people."""
        return f"the tasks of its group, {len(self._scope.members)}"

    def _ended(self, task: Stepper[Any]) -> None:
        if task._exception is not None:
            self._note_end(cast("Task[Any]", task))
        if self._waiter is not None and not self._scope.members:
            waiter, self._waiter = self._waiter, None
            waiter._wake()

    def _note_end(self, task: Task[Any]) -> None:
        error = task.exception()
        if task.cancelled():
            self._cut_short = True
        elif error is not None:
            self._errors.append(error)
            self._scope.cancel()

    def _stop_waiting(self) -> None:
        self._waiter = None


@coroutine
def _stop_here() -> Gen[None]:
    """Suspend, so that the pending cancellation is raised here."""
    current_task()._block(lambda: None)
    yield
