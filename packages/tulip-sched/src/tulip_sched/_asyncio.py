"""The guest: tulip tasks inside a running asyncio program, in one thread.

The tulip loop is hosted: asyncio watches its descriptor, which is readable exactly when there is
work, and turns it then, or when its next timer is due. asyncio itself is imported only by the
functions here, at their first use, so that nobody else pays for it.

The rules that hold here:

1. What crosses over is waited for to its end, in both directions: a cancelled wait cancels the
   other side and goes on when that has cleaned up. But what a tulip task awaits directly, without
   `wait_asyncio`, is only cancelled: there is no frame of ours in which the wait could go on.
2. A cancellation that was meant for the other side alone arrives here as `TaskCancelledError`,
   an ordinary error.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, nullcontext
from typing import TYPE_CHECKING, Any, TypeVar, final

from tulip_poll import EventLoop
from tulip_sched._async_generators import closing_dropped_generators, some_left
from tulip_sched._context import Context, current_context, current_task
from tulip_sched._coroutine import AnyCoroutine, Gen, coroutine
from tulip_sched._debug import DEBUG, debugging
from tulip_sched._errors import Cancelled, TaskCancelledError
from tulip_sched._failures import raise_failures
from tulip_sched._scopes import shield
from tulip_sched._task import Task, create_task

if TYPE_CHECKING:
    import asyncio

T = TypeVar("T")


async def run_in_asyncio(main: AnyCoroutine[T]) -> T:
    """Run a tulip coroutine as a task, and wait for it in asyncio code.

    Args:
        main: A coroutine of tulip's; what it starts goes on beside it, as long as some
            `run_in_asyncio` or `hosted_by_asyncio` is under way in this thread.

    Returns:
        What ``main`` returned.

    Raises:
        TaskCancelledError: The tulip task was cancelled, and not by asyncio.
        BaseException: Whatever ``main`` raised.

    Cancelling the asyncio task cancels the tulip task and waits for its end.
    """
    import asyncio

    async with hosted_by_asyncio():
        task = create_task(main)
        ended = _asyncio_event_of(task)
        try:
            await ended.wait()
        except asyncio.CancelledError:
            task.cancel()
            await _wait_in_spite_of_cancellation(ended)
            if not task.cancelled() and task.exception() is not None:
                return task.result()
            raise
        return task.result()


@asynccontextmanager
async def hosted_by_asyncio() -> AsyncIterator[None]:
    """Keep this thread's tulip loop running inside asyncio for the length of the block.

    Inside, asyncio code may start tasks (``create_task``) and use `run_in_asyncio`, and tulip
    tasks may wait for asyncio's awaitables, with `wait_asyncio` or directly; a direct wait that is
    cancelled cancels what it waits for, too, but does not wait for its end. Blocks may nest and
    overlap. When the last one ends, tasks that are left are cancelled and waited for; if one of
    them waits itself for the end of asyncio code in which this block is, and has cancelled it, they
    end later, and what would have been raised is the failure of an asyncio task of its own.

    Raises:
        RuntimeError: A run is under way in this thread, or no asyncio loop is.
        ExceptionGroup: Tasks failed that nobody waited for.
    """
    import asyncio

    context = current_context()
    host = _hosts.get(id(context))
    if host is None:
        host = _hosts[id(context)] = _Host(context)
    host.users += 1
    cancelled = False
    try:
        yield
    except asyncio.CancelledError:
        cancelled = True
        raise
    finally:
        host.users -= 1
        if host.is_unused():
            await host.end(cancelled)


@coroutine
def wait_asyncio(awaitable: Awaitable[T]) -> Gen[T]:
    """Wait in a tulip task for something of asyncio's, which runs as an asyncio task.

    Args:
        awaitable: A coroutine, task or future of the asyncio loop that hosts this run.

    Returns:
        Its result.

    Raises:
        RuntimeError: No asyncio loop hosts this run.
        TaskCancelledError: The asyncio task was cancelled, and not by this wait.
        BaseException: Whatever it raised.

    Cancelling the wait cancels the asyncio task and waits for its end.
    """
    import asyncio

    task = current_task()
    host = _hosts.get(id(task._context))
    if host is None:
        if hasattr(awaitable, "close"):
            awaitable.close()
        raise RuntimeError(
            f"task {task.name!r} cannot wait for {awaitable!r}: no asyncio loop hosts this run "
            "(in asyncio code: await run_in_asyncio(main()))"
        )
    future = asyncio.ensure_future(awaitable)
    try:
        if not future.done():
            _block_on(task, future, lambda: None)
            yield
    except Cancelled:
        future.cancel()
        host.cancelled_waits += 1
        try:
            with shield():
                while not future.done():
                    _block_on(task, future, lambda: None)
                    yield
        finally:
            host.cancelled_waits -= 1
        error = None if future.cancelled() else future.exception()
        if error is not None and not isinstance(error, asyncio.CancelledError):  # a gathering's
            raise error from None
        raise
    try:
        return future.result()
    except asyncio.CancelledError as error:
        raise TaskCancelledError(f"asyncio cancelled {future!r}") from error


def _block_on(
    task: Task[Any], future: asyncio.Future[Any], on_cancel: Callable[[], object]
) -> None:
    """Block the running task until a future of asyncio's is done."""

    def wake(_: object) -> None:
        task._wake()

    def undo() -> None:
        future.remove_done_callback(wake)
        on_cancel()

    future.add_done_callback(wake)
    task._block(undo)


@final
class _Host:
    """One tulip loop inside one asyncio loop."""

    def __init__(self, context: Context) -> None:
        import asyncio

        if context.running:
            raise RuntimeError("a tulip run is already under way in this thread")
        self.users = 0
        # How many tasks wait for the end of something of asyncio's that they have cancelled.
        self.cancelled_waits = 0
        self._apart: asyncio.Task[None] | None = None
        self._asyncio = asyncio.get_running_loop()
        self._context = context
        self._timer: asyncio.TimerHandle | None = None
        self._asyncio.add_reader(context.eventloop.fileno(), self._turn)
        self._debugging = debugging(context.eventloop) if DEBUG else nullcontext()
        self._debugging.__enter__()
        context.running = True
        context.calls.open(context.eventloop)
        context.foreign = self._adopt

    def _turn(self) -> None:
        """Run one round of the tulip loop, and have asyncio wake it for its next timer."""
        loop = self._context.eventloop
        try:
            # Generators that asyncio's own tasks begin are asyncio's to close.
            with closing_dropped_generators(self._context):
                loop.run_once(0)
        finally:
            # Whatever a callback raised goes on to asyncio, and the loop goes on too.
            self._set_timer(loop)

    def _set_timer(self, loop: EventLoop) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        deadline = loop.next_deadline()
        if deadline is not None:
            delay = max(0.0, deadline - loop.time())
            self._timer = self._asyncio.call_later(delay, self._turn)

    def _adopt(self, task: Task[Any], yielded: object) -> bool:
        """Block a task on the asyncio future that it awaited directly."""
        if yielded is None:
            # asyncio.sleep(0) is a bare yield; so under a host it cannot be an error of ours.
            task._block(self._context.eventloop.call_soon(task._wake).cancel)
            return True
        if getattr(yielded, "_asyncio_future_blocking", None) is None:
            return False
        future: asyncio.Future[Any] = yielded  # type: ignore[assignment]
        future._asyncio_future_blocking = False
        _block_on(task, future, future.cancel)
        return True

    def is_unused(self) -> bool:
        """Return whether nobody needs it any more, and it was not closed."""
        return self.users == 0 and _hosts.get(id(self._context)) is self

    async def end(self, cancelled: bool, *, apart: bool = False) -> None:
        """Cancel the tasks that are left, wait for their ends, close, and raise what was lost.

        Whoever comes meanwhile takes over, with all tasks that are left by then.

        Args:
            cancelled: asyncio has cancelled whoever calls this.
            apart: This is an asyncio task of its own, which nobody waits for.

        Raises:
            CancelledError: asyncio's; it came meanwhile, and was put off until the end.
        """
        import asyncio

        put_off = handed_over = False
        try:
            while self.is_unused() and some_left(self._context):
                if cancelled and self.cancelled_waits and not apart:
                    # One of these tasks may wait for the end of this very asyncio task.
                    handed_over = True
                    self._apart = asyncio.ensure_future(self.end(False, apart=True))
                    break
                for task in list(self._context.tasks):
                    task.cancel()
                oldest = next(iter(self._context.tasks))
                try:
                    await _asyncio_event_of(oldest).wait()
                except asyncio.CancelledError:
                    put_off = cancelled = True
            if self.is_unused() and not handed_over:
                raise_failures(self._context)
            if put_off:
                raise asyncio.CancelledError
        finally:
            # Somebody may have come while the last tasks ended, and even gone again.
            if self.is_unused() and not handed_over:
                del _hosts[id(self._context)]
                self._close()

    def _close(self) -> None:
        """Take the tulip loop out of asyncio and close it."""
        self._asyncio.remove_reader(self._context.eventloop.fileno())
        if self._timer is not None:
            self._timer.cancel()
        self._context.foreign = None
        self._debugging.__exit__(None, None, None)
        self._context.running = False
        self._context.close()


_hosts: dict[int, _Host] = {}
"""By the identity of the context, which the host keeps alive."""


def _asyncio_event_of(task: Task[Any]) -> asyncio.Event:
    """Return an asyncio event that is set when a tulip task is done."""
    import asyncio

    ended = asyncio.Event()
    task.add_done_callback(lambda _: ended.set())
    return ended


async def _wait_in_spite_of_cancellation(ended: asyncio.Event) -> None:
    """Wait for an end that is already ordered; further cancellations cannot hasten it."""
    import asyncio

    while not ended.is_set():
        try:
            await ended.wait()
        except asyncio.CancelledError:
            continue
