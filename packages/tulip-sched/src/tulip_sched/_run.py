"""Running a main coroutine, or everything that was started, to the end."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any, TypeVar, overload

from tulip_poll import ClosedError
from tulip_sched._async_generators import closing_dropped_generators, some_left
from tulip_sched._context import Context, begin_run
from tulip_sched._coroutine import AnyCoroutine
from tulip_sched._debug import DEBUG, check_unspent, debugging
from tulip_sched._errors import DeadlockError
from tulip_sched._failures import logger, raise_failures, tell_failures
from tulip_sched._interrupt import cancel_on_interrupt
from tulip_sched._introspect import deadlock
from tulip_sched._task import Task, create_task

T = TypeVar("T")


@overload
def run(main: AnyCoroutine[T], *, debug: bool = DEBUG) -> T: ...
@overload
def run(*, debug: bool = DEBUG) -> None: ...
def run(main: AnyCoroutine[T] | None = None, *, debug: bool = DEBUG) -> T | None:
    """Run a coroutine as this thread's main task, until it ends.

    Args:
        main: The coroutine; without one, run until every task that was started is done.
        debug: Report what holds up the loop for a tenth of a second or more, and the line that
            called a bare ``async def`` which was never awaited. Default: whether ``TULIP_DEBUG``
            is set in the environment, or Python's development mode is on (``-X dev``). Only
            these two, as they work when functions are defined, also have coroutines reported
            that are generators and were never driven.

    Returns:
        What ``main`` returned.

    Raises:
        RuntimeError: The thread is already running tasks; or ``main`` was run before; or somebody
            stopped the loop, which ended the run before its tasks.
        DeadlockError: Tasks are left, and every one of them waits for another. Not while a
            signal has a handler of the program's, or a `Portal` is open.
        ExceptionGroup: Tasks failed that nobody waited for. If ``main`` failed as well, its
            exception comes out and the others are noted on it.
        BaseException: Whatever ``main`` raised.

    Tasks that are left when ``main`` ends are cancelled, and their end is waited for; then async
    generators that are left half-way are closed, likewise under cancellation. The end of functions
    that still run in threads is waited for as well. The loop is closed, unless it was put into
    the context by the caller.

    In the main thread, the first Ctrl-C cancels ``main``, so that clean-up runs; when that has
    ended, `KeyboardInterrupt` is raised. A second one raises it at once, without clean-up.

    A process that is forked inside a run is in no run, and can run a coroutine of its own. If it
    goes on in the parent's instead, its next wait ends it; when it comes back out of there, nothing
    of the parent's is cancelled or cleaned up.
    """
    context = begin_run()
    if context is None:
        raise RuntimeError(
            "run() was called inside a run of the same thread: drive the coroutine there"
        )
    try:
        context.calls.open(context.eventloop)
        with (
            debugging(context.eventloop) if debug else nullcontext(),
            closing_dropped_generators(context),
        ):
            if main is not None:
                return _run_main(context, main)
            _run_all(context)
            return None
    except BaseException as error:
        if not context.left_behind:
            tell_failures(context, error)
        raise
    finally:
        if not context.left_behind:
            _end(context)


def _end(context: Context) -> None:
    context.running = False
    if context.tasks:
        # Their clean-up did not end. The next run must not find them.
        context.abandon()
    context.close()


def _run_main(context: Context, main: AnyCoroutine[T]) -> T:
    try:
        check_unspent(main)
        task = create_task(main, "main")
    except BaseException:
        _cancel_leftovers(context)
        raise
    with cancel_on_interrupt(task) as interrupt:
        try:
            ended = _run_until_done(context, task)
            if not task.done():
                raise deadlock(context) if ended else _stopped(context)
        finally:
            if interrupt.immediate and not context.left_behind:
                context.abandon()
            else:
                _cancel_leftovers(context)
    if interrupt.arrived and task.cancelled():
        raise KeyboardInterrupt
    result = task.result()
    raise_failures(context)
    return result


def _run_all(context: Context) -> None:
    try:
        ended = _run_loop(context)
        if context.tasks:
            raise deadlock(context) if ended else _stopped(context)
    finally:
        _cancel_leftovers(context)
    raise_failures(context)


def _run_loop(context: Context) -> bool:
    """Run the loop until nothing is left that could resume a task, or until it is stopped.

    Returns:
        Whether nothing was left.
    """
    loop = context.eventloop
    ended = loop.run()
    while ended and context.tasks and loop.stats().signals > len(context.dumps):
        # A signal's handler may be what a task waits for: an event that it sets, for example.
        ended = loop.run_once() and loop.run()
    return ended


def _run_until_done(context: Context, task: Task[Any]) -> bool:
    """Run the loop as `_run_loop` does, and stop it when the task is done."""
    loop = context.eventloop

    def stop(_: object) -> None:
        if not context.left_behind:
            loop.stop()

    task.add_done_callback(stop)
    try:
        return _run_loop(context)
    except ClosedError:
        # In a forked process the loop goes no further; its copy of the task may have ended.
        if not (context.left_behind and task.done()):
            raise
        return False
    finally:
        # A task that is given up ends when the loop, which may be the caller's, does not run.
        task.remove_done_callback(stop)


def _stopped(context: Context) -> RuntimeError:
    names = ", ".join(repr(task.name) for task in context.tasks)
    return RuntimeError(
        f"the event loop was stopped while tasks were left: {names} "
        "(inside run(), end the main coroutine instead of calling stop())"
    )


def _cancel_leftovers(context: Context) -> None:
    """Cancel what is left and wait for its end; clean-up may start more tasks."""
    if context.left_behind:  # it is the parent's
        return
    raised: list[Exception] = []
    while some_left(context):
        for task in list(context.tasks):
            task.cancel()
        oldest = next(iter(context.tasks))
        try:
            ended = _run_until_done(context, oldest)
        except Exception as error:  # noqa: BLE001 - a callback's; the clean-up goes on
            raised.append(error)
        else:
            if ended and not oldest.done():
                raise DeadlockError(f"task {oldest.name!r} waits, in its clean-up, for nothing")
    for later in raised[1:]:
        logger().error("a callback failed during the clean-up of a run", exc_info=later)
    if raised:
        raise raised[0]
