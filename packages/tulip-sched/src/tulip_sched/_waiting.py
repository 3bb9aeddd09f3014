"""Waiting for several tasks: the first N, any, all, one after another as they finish."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from functools import partial
from typing import Any, Self, TypeVar, cast, final, overload
from weakref import ref

from tulip_poll import ClosedError, WrongThreadError
from tulip_sched._context import current_task
from tulip_sched._coroutine import AnyCoroutine, Coroutine, Gen, coroutine
from tulip_sched._errors import BusyError
from tulip_sched._groups import TaskGroup
from tulip_sched._scopes import fail_after
from tulip_sched._task import Task
from tulip_sched._typing import override

T = TypeVar("T")
T1 = TypeVar("T1")
T2 = TypeVar("T2")
T3 = TypeVar("T3")
T4 = TypeVar("T4")


@coroutine
def wait_for(count: int, tasks: Iterable[Task[T]]) -> Gen[set[Task[T]]]:
    """Wait until a number of tasks are done, whatever their end.

    Args:
        count: How many must be done; from 0 to the number of tasks.
        tasks: Started tasks; one that is named twice counts once.

    Returns:
        All tasks that are done, at least ``count`` of them: several may end at once.

    Raises:
        TypeError: Something among them is no `Task`.
        ValueError: There are fewer tasks than ``count``, or ``count`` is negative.
        RuntimeError: A task was never started, or is the one that waits.

    Cancelling the wait leaves the tasks running and no callback on them. Tasks waited for here
    count as waited for: their failures are yours to look at.
    """
    every = _tasks(tasks)
    _check_count(count, len(every))
    waiter = current_task()
    pending = [task for task in every if not task.done()]
    missing = count - (len(every) - len(pending))
    if missing > 0:
        for task in pending:
            task._refuse_waiter(waiter)

        def ended(_: Task[T]) -> None:
            nonlocal missing
            missing -= 1
            if missing == 0:
                waiter._wake()

        def forget() -> None:
            nonlocal missing
            missing = 0
            for task in pending:
                task.remove_done_callback(ended)

        for task in pending:
            task.add_done_callback(ended)
        waiter._block(forget)
        try:
            yield
        finally:
            # A traceback of the cancellation holds this frame.
            del waiter
        forget()
    done = {task for task in every if task.done()}
    for task in done:
        task.exception()
    return done


def _check_count(count: object, most: int) -> None:
    if not isinstance(count, int):
        raise TypeError(f"wait_for() needs a number, and then the tasks, got {count!r}")
    if not 0 <= count <= most:
        raise ValueError(f"cannot wait for {count} of {most} tasks")


def wait_any(tasks: Iterable[Task[T]]) -> Coroutine[set[Task[T]]]:
    """Wait until at least one of the tasks is done; the same as ``wait_for(1, tasks)``."""
    return wait_for(1, tasks)


def wait_all(tasks: Iterable[Task[T]]) -> Coroutine[set[Task[T]]]:
    """Wait until all of the tasks are done; the same as `wait_for` with their number."""
    every = _tasks(tasks)
    return wait_for(len(every), every)


def as_completed(tasks: Iterable[Task[T]]) -> AsCompleted[T]:
    """Give the tasks in the order in which they finish.

    In an ``async def``: ``async for task in as_completed(tasks)``. In a generator: ``for step in
    as_completed(tasks): task = yield from step``, each step driven before the next is taken.

    Args:
        tasks: Started tasks.

    Raises:
        TypeError: Something among them is no `Task`.
        RuntimeError: A task was never started, or is the one that waits.
        BusyError: By a coroutine: another task is driving one already.

    Abandoning the iteration leaves the tasks running and no callback on them.
    """
    return AsCompleted(tasks)


@final
class AsCompleted(Iterator[Coroutine[Task[T]]]):
    """The tasks that are done and not yet handed out, and those still pending; iterate over it."""

    def __init__(self, tasks: Iterable[Task[T]]) -> None:
        self._pending: set[Task[T]] = set()  # for __del__, should the rest fail
        every = _tasks(tasks)
        waiter = current_task()
        self._done = deque(task for task in every if task.done())
        self._pending = {task for task in every if not task.done()}
        self._left = len(every)
        self._waiter: Task[Any] | None = None
        # Weak, so that who abandons the iteration abandons this object: see __del__.
        self._callback = partial(_has_ended, ref(self))
        for task in self._pending:
            task._refuse_waiter(waiter)
        for task in self._pending:
            task.add_done_callback(self._callback)

    @override
    def __next__(self) -> Coroutine[Task[T]]:
        if self._left == 0:
            raise StopIteration
        self._left -= 1
        return self._next_done()

    def __aiter__(self) -> Self:
        return self

    def __anext__(self) -> Coroutine[Task[T]]:
        if self._left == 0:
            raise StopAsyncIteration
        return next(self)

    @coroutine
    def _next_done(self) -> Gen[Task[T]]:
        if self._waiter is not None:
            raise BusyError(f"task {self._waiter.name!r} already waits for the next to finish")
        while not self._done:  # another task may have taken the one whose end woke this
            self._waiter = current_task()
            self._waiter._block(self._stop_waiting)
            yield
        task = self._done.popleft()
        task.exception()
        return task

    def _ended(self, task: Task[T]) -> None:
        self._pending.discard(task)
        self._done.append(task)
        waiter, self._waiter = self._waiter, None
        if waiter is not None:
            waiter._wake()

    def _stop_waiting(self) -> None:
        self._waiter = None
        self._left += 1

    def __del__(self) -> None:
        for task in self._pending:
            try:
                task.remove_done_callback(self._callback)
            except WrongThreadError:  # the garbage collector runs in any thread
                remove = partial(task.remove_done_callback, self._callback)
                with suppress(ClosedError):
                    task._loop.call_soon_threadsafe(remove)


def _has_ended(steps: ref[AsCompleted[Any]], task: Task[Any]) -> None:
    owner = steps()
    if owner is not None:
        owner._ended(task)


def _tasks(tasks: Iterable[Task[T]]) -> list[Task[T]]:
    """Return each task once, in the order given, or say what is none."""
    one: object = tasks
    if isinstance(one, Task):
        raise TypeError(f"an iterable of tasks is needed, got one task: {one!r}")
    if not isinstance(one, Iterable):
        raise TypeError(f"an iterable of tasks is needed, got {one!r}")
    every = list(dict.fromkeys(tasks))
    for task in every:
        if not isinstance(task, Task):
            raise TypeError(f"only tasks can be waited for here, got {task!r}: use create_task()")
    return every


@coroutine
def with_timeout(seconds: float | None, coro: AnyCoroutine[T]) -> Gen[T]:
    """Run a coroutine in this task, but not for longer than this.

    Args:
        seconds: At least 0; ``None`` for no limit.
        coro: A coroutine or a task; a task is only waited for, not cancelled.

    Returns:
        What the coroutine returned, also when it did so in the moment the time ran out.

    Raises:
        TimeoutError: The time ran out; the coroutine got `Cancelled` and cleaned up.
        BaseException: Whatever the coroutine raised.
    """
    if not hasattr(coro, "__await__") and not hasattr(coro, "send"):
        hint = ": did you forget to call it?" if callable(coro) else ""
        raise TypeError(f"with_timeout() needs a coroutine, got {coro!r}{hint}")
    with fail_after(seconds):
        return (yield from cast("Coroutine[T]", coro))


@overload
def par(c1: AnyCoroutine[T1], /) -> Coroutine[tuple[T1]]: ...
@overload
def par(c1: AnyCoroutine[T1], c2: AnyCoroutine[T2], /) -> Coroutine[tuple[T1, T2]]: ...
@overload
def par(
    c1: AnyCoroutine[T1], c2: AnyCoroutine[T2], c3: AnyCoroutine[T3], /
) -> Coroutine[tuple[T1, T2, T3]]: ...
@overload
def par(
    c1: AnyCoroutine[T1], c2: AnyCoroutine[T2], c3: AnyCoroutine[T3], c4: AnyCoroutine[T4], /
) -> Coroutine[tuple[T1, T2, T3, T4]]: ...
@overload
def par(*coros: AnyCoroutine[T]) -> Coroutine[tuple[T, ...]]: ...
@coroutine
def par(*coros: AnyCoroutine[Any]) -> Gen[tuple[Any, ...]]:
    """Run coroutines side by side and return their results, in the order of the arguments.

    Raises:
        ExceptionGroup: One or more failed; the others were cancelled and have ended.

    Cancelling cancels all of them and waits for their ends.
    """
    tasks = [Task(coro) for coro in coros]
    yield from _run_beside_each_other(tasks)
    return tuple(task.result() for task in tasks)


@coroutine
def map_over(func: Callable[..., AnyCoroutine[T]], *iterables: Iterable[Any]) -> Gen[list[T]]:
    """Call a coroutine function for each item, all at once, and return the results in order.

    Args:
        func: Called with one item of each iterable, as `map` does.
        iterables: The shortest one ends it.

    Raises:
        ExceptionGroup: One or more failed; the others were cancelled and have ended.
        BaseException: Whatever ``func`` raised when it was called; then nothing has been run.

    Cancelling cancels all of them and waits for their ends.
    """
    tasks: list[Task[T]] = []
    try:
        for items in zip(*iterables):  # noqa: B905 - as map does
            tasks.append(Task(func(*items)))  # noqa: PERF401 - what is there when one fails counts
    except BaseException:
        for task in tasks:
            task.cancel()  # and so close what would never be driven
        raise
    yield from _run_beside_each_other(tasks)
    return [task.result() for task in tasks]


@coroutine
def _run_beside_each_other(tasks: Iterable[Task[Any]]) -> Gen[None]:
    group = TaskGroup()
    group._enter()
    for task in tasks:
        group.adopt(task)
    yield from group._leave(None)
