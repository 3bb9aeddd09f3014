"""The context: which event loop, thread runner and task this thread is running.

One public way to read it, `current_context`, and one to put another provider in its place,
`set_context_provider`. Nothing else in the stack keeps per-thread state.
"""

import os
import threading
from collections import deque
from collections.abc import AsyncGenerator, Callable
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Final, final
from weakref import WeakSet

from tulip_poll import EventLoop, Leftovers, ThreadRunner
from tulip_sched._calls import HOME, Calls

if TYPE_CHECKING:
    from tulip_sched._failures import Failure
    from tulip_sched._task import Task
    from tulip_sched._watch import Watch


@final
class Context:
    """What one thread's tasks share.

    Args:
        eventloop: The loop that drives the tasks. Default: a new one, made when first needed
            and closed by `close`.
        threadrunner: Runs functions in threads for `call_in_thread`. Default: likewise.

    Attributes:
        current_task: The task that is running at this moment, or ``None`` in a plain callback.
        running: A run is under way.
        left_behind: This process was forked inside of the run, which goes on in its parent.
        foreign: Takes over a task that yielded something of another scheduler, which hosts
            this run; returns whether it did.
        tasks: The tasks that were started and are not done, in the order of their start.
        async_generators: Those that were begun in this run and are not gone.
        dropped_generators: Those that are gone and have yet to be closed.
        dumps: The signals at which only the tree of tasks is printed.
        calls: Those from other threads.
        failures: The failures that nobody asked for yet; see ``_failures``.
        lost_failures: How many of this run's were logged, as nobody can ask for them any more.
        watches: The descriptors that tasks wait on, by number.
        leftovers: What was registered with the last loop when `close` closed it.
        loop: `eventloop`, if there is one already; else ``None``.
        threads: `threadrunner`, likewise.
    """

    __slots__ = (
        "__weakref__",
        "_given",
        "async_generators",
        "calls",
        "current_task",
        "dropped_generators",
        "dumps",
        "failures",
        "foreign",
        "left_behind",
        "leftovers",
        "loop",
        "lost_failures",
        "running",
        "tasks",
        "threads",
        "watches",
    )

    def __init__(
        self, eventloop: EventLoop | None = None, threadrunner: ThreadRunner | None = None
    ) -> None:
        self.current_task: Task[Any] | None = None
        self.running: bool = False
        self.left_behind: bool = False
        self.foreign: Callable[[Task[Any], object], bool] | None = None
        self.async_generators: WeakSet[AsyncGenerator[Any, Any]] = WeakSet()
        self.dropped_generators: deque[AsyncGenerator[Any, Any]] = deque()
        self.dumps: set[int] = set()
        self.calls: Calls = Calls()
        self.tasks: dict[Task[Any], None] = {}
        self.failures: dict[int, Failure] = {}
        self.lost_failures: int = 0
        self.watches: dict[int, Watch] = {}
        self.leftovers: Leftovers = Leftovers()
        self._given = (eventloop, threadrunner)
        self.loop: EventLoop | None = eventloop
        self.threads: ThreadRunner | None = threadrunner

    @property
    def eventloop(self) -> EventLoop:
        """The loop that drives this thread's tasks."""
        if self.loop is None:
            self.loop = EventLoop()
        return self.loop

    @property
    def threadrunner(self) -> ThreadRunner:
        """The runner that `call_in_thread` submits to."""
        if self.threads is None:
            self.threads = ThreadRunner(self.eventloop)
        return self.threads

    @property
    def threads_are_ours(self) -> bool:
        """Whether the thread runner is one that runs functions in threads of this process."""
        return self._given[1] is None

    def check_thread(self) -> None:
        """Refuse a call from another thread than the loop's, if there is a loop.

        Raises:
            WrongThreadError: This is another thread.
        """
        if self.loop is not None:
            self.loop.check_thread()

    def abandon(self) -> None:
        """Forget the tasks that are left, without waiting for them or for their threads."""
        for task in list(self.tasks):
            task._break_off()
        self.tasks.clear()
        self.async_generators.clear()
        self.dropped_generators.clear()
        if self.threads_are_ours and self.threads is not None:
            threads, self.threads = self.threads, None
            threads.shutdown(wait=False)

    def close(self) -> None:
        """Close the loop and the thread runner that this context made itself.

        Waits for functions that still run in threads. The context can be used again: it then
        makes new ones.
        """
        self.calls.close()
        try:
            self._close_threads()
        finally:
            if self._given[0] is None:
                self._close_loop()

    def _close_threads(self) -> None:
        if self.threads_are_ours and self.threads is not None:
            threads, self.threads = self.threads, None
            threads.shutdown()
            # The ends of those functions are in the queue: a failure that is nobody's is logged.
            self.eventloop.run_once(0)

    def _close_loop(self) -> None:
        # Their owners may close them after the run; there is no loop to tell by then.
        for watch in list(self.watches.values()):
            watch.end_of_run()
        self.watches.clear()
        self.dumps.clear()
        loop, self.loop = self.loop, None
        if loop is not None:
            self.leftovers = loop.close()


class _PerThread(threading.local):
    """The default provider's memory: one context per thread."""

    def __init__(self) -> None:
        self.context = Context()


_per_thread = _PerThread()

# The same as a function that returns _per_thread.context, without its frame: every wait and every
# task that is started asks.
_thread_context: Callable[[], Context] = partial(getattr, _per_thread, "context")

_provider: Callable[[], Context] = _thread_context


def current_context() -> Context:
    """Return the context of the calling thread.

    Outside of a run this is the context that the next `run` in this thread will use.
    """
    return _provider()


def begin_run() -> Context | None:
    """Return the calling thread's context, marked as running, or ``None`` if it was already."""
    context = current_context()
    if context.running:
        return None
    context.running = True
    return context


# The runs that this process was forked inside of. Kept, so that the clean-up of their tasks, which
# is the parent's to do, is not done here as well.
_left_behind: Final[list[Context]] = []


def _begin_anew() -> None:
    """Be in no run, in a process that was forked inside of one."""
    global _provider  # noqa: PLW0603 - as in `set_context_provider`
    if _per_thread.context.running:
        _leave(_per_thread.context)
        _per_thread.context = Context()
    if _provider is not _thread_context:
        with suppress(Exception):  # it is the program's own
            if (context := _provider()).running:
                _leave(context)
                _provider = _thread_context
    home = HOME.get(None)
    if home is not None:
        home.calls.leave()


def _leave(context: Context) -> None:
    _left_behind.append(context)
    context.left_behind = True
    task, context.current_task = context.current_task, None
    if task is not None and task._reads is not None:
        task._reads._undo_r()  # else it would be taken for the one that runs: see `Watch.block_r`
    context.failures.clear()
    context.calls.leave()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_anew)


def set_context_provider(provider: Callable[[], Context] | None) -> Callable[[], Context]:
    """Let another function decide which context `current_context` returns.

    Args:
        provider: Called at each look-up, in the thread that asks; must be quick. ``None``
            restores the default, one context per thread.

    Returns:
        The provider that was in place, to be restored later.

    Raises:
        TypeError: ``provider`` is no function.
    """
    global _provider  # noqa: PLW0603 - the one place where it changes
    wrong: object = provider
    if wrong is not None and not callable(wrong):
        raise TypeError(f"a context provider is a function without arguments, got {wrong!r}")
    previous = _provider
    _provider = _thread_context if provider is None else provider
    return previous


def current_task() -> "Task[Any]":
    """Return the task that is running.

    Raises:
        RuntimeError: No task is running: this is a plain callback, or no run is under way.
    """
    task = _provider().current_task
    if task is None:
        raise no_task(
            "no tulip task is running in this thread: "
            "call this from a coroutine that run() or a Task drives "
            "(in asyncio code: await run_in_asyncio(...))"
        )
    return task


def no_task(told: str) -> RuntimeError:
    """Return the error for what only a task can do, where there is none.

    Args:
        told: Why, unless it is that the process was forked inside of a run.
    """
    if _left_behind:
        told = (
            "this process was forked inside of a run, which goes on in its parent: run() a "
            "coroutine here, and leave with os._exit()"
        )
    return RuntimeError(told)
