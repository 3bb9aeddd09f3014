"""Running a main coroutine, or everything that was started, to the end."""

from typing import Any, TypeVar, overload

from tulip_sched._context import Context, current_context
from tulip_sched._coroutine import AnyCoroutine
from tulip_sched._errors import DeadlockError
from tulip_sched._failures import take_failures
from tulip_sched._task import Task, create_task

T = TypeVar("T")


@overload
def run(main: AnyCoroutine[T]) -> T: ...
@overload
def run() -> None: ...
def run(main: AnyCoroutine[T] | None = None) -> T | None:
    """Run a coroutine as this thread's main task, until it ends.

    Args:
        main: The coroutine; without one, run until every task that was started is done.

    Returns:
        What ``main`` returned.

    Raises:
        RuntimeError: The thread is already running tasks.
        DeadlockError: Tasks are left, and every one of them waits for another.
        ExceptionGroup: Tasks failed that nobody waited for. If ``main`` failed as well, its
            exception comes out and the others are noted on it.
        BaseException: Whatever ``main`` raised.

    Tasks that are left when ``main`` ends are cancelled, and their end is waited for; so is the
    end of functions that still run in threads. The loop is closed, unless it was put into the
    context by the caller.
    """
    context = current_context()
    if context.running:
        raise RuntimeError("run() was called inside a run of the same thread")
    context.running = True
    try:
        return _run_to_the_end(context, main)
    finally:
        context.running = False
        context.close()


def _run_to_the_end(context: Context, main: AnyCoroutine[T] | None) -> T | None:
    task = None if main is None else create_task(main, "main")
    try:
        try:
            _drive(context, task)
        finally:
            _cancel_leftovers(context)
        result = None if task is None else task.result()
    except BaseException as error:
        for failure in take_failures(context):
            if failure is not error:
                error.add_note(f"besides, a task failed that nobody waited for: {failure!r}")
        raise
    failures = take_failures(context)
    if failures:
        raise BaseExceptionGroup("tasks failed that nobody waited for", failures)
    return result


def _drive(context: Context, main: Task[Any] | None) -> None:
    """Run the loop until the main task, or every task, is done."""
    loop = context.eventloop
    if main is not None:
        main.add_done_callback(lambda _: loop.stop())
    loop.run()
    if main is not None and main.done():
        return
    waiting = [main] if main is not None else list(context.tasks)
    if waiting:
        raise DeadlockError(
            "nothing is left that could resume these tasks:\n"
            + "\n".join(f"  {task!r}" for task in context.tasks)
        )


def _cancel_leftovers(context: Context) -> None:
    """Cancel what is left and wait for its end; clean-up may start more tasks."""
    loop = context.eventloop
    while context.tasks:
        for task in list(context.tasks):
            task.cancel()
        oldest = next(iter(context.tasks))
        oldest.add_done_callback(lambda _: loop.stop())
        loop.run()
        if not oldest.done():
            raise DeadlockError(f"task {oldest.name!r} waits, in its clean-up, for nothing")
