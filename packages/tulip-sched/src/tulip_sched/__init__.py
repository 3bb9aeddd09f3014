"""Tasks over PEP 380 coroutines: cancellation, waiting, synchronization.

What this layer promises:

- A coroutine is written once and driven by ``yield from`` in a generator or by ``await`` in an
  ``async def``, at the cost of a bare generator.
- A cancelled wait leaves nothing behind: no registration, no timer, no callback.
- Cancellation is a level: a cancelled scope stays cancelled. It is raised in one place, and never
  takes from a task what had already been handed to it.
- No error vanishes: a task that failed and that nobody waited for makes `run` fail.

What it refuses to do: preempt a task, run one task inside another, suspend a task without a
function that undoes the suspension.

From the layer below it re-exports what its users cannot do without: the event loop and the
thread runner (to make a `Context`), the handle that the loop returns, and two errors.

Reading order: ``_coroutine`` (the decorator), ``_flags``, ``_errors``, ``_context`` (per thread),
``_suspension`` (what is said when one goes wrong), ``_scopes`` (cancellation), ``_stepping`` (how a
coroutine is run), ``_task``, ``_failures``, ``_watch`` (readiness), ``_blocking``, ``_calls`` and
``_from_thread`` (from other threads), ``_groups``, ``_waiting``, ``_run``, ``_interrupt``
(Ctrl-C), ``_async_generators``, ``_introspect`` (the tree of tasks), ``_asyncio`` (the guest),
``_debug``, ``sync`` (locks, events, queues), ``testing`` (a clock that jumps, orders that replay,
leaks).
"""

from tulip_poll import ClosedError, EventLoop, Handle, ThreadRunner, WrongThreadError
from tulip_sched._asyncio import hosted_by_asyncio, run_in_asyncio, wait_asyncio
from tulip_sched._blocking import block, block_r, block_w, call_in_thread, sleep, suspend
from tulip_sched._context import Context, current_context, current_task, set_context_provider
from tulip_sched._coroutine import AnyCoroutine, Coroutine, Gen, coroutine
from tulip_sched._errors import (
    BusyError,
    Cancelled,
    DeadlockError,
    SuspendError,
    TaskCancelledError,
)
from tulip_sched._from_thread import Portal, call_from_thread, start_from_thread
from tulip_sched._groups import TaskGroup
from tulip_sched._introspect import (
    TaskInfo,
    dump_tasks,
    dump_tasks_on_signal,
    format_task_tree,
    task_tree,
)
from tulip_sched._run import run
from tulip_sched._scopes import CancelScope, fail_after, move_on_after, shield
from tulip_sched._task import Task, create_task
from tulip_sched._waiting import (
    AsCompleted,
    as_completed,
    map_over,
    par,
    wait_all,
    wait_any,
    wait_for,
    with_timeout,
)
from tulip_sched._watch import Watch
from tulip_sched.sync import (
    Barrier,
    BoundedSemaphore,
    BrokenBarrierError,
    Condition,
    Event,
    LifoQueue,
    Lock,
    PriorityQueue,
    Queue,
    QueueEmpty,
    QueueFull,
    QueueShutDown,
    RLock,
    Semaphore,
    WouldBlockError,
)

__all__ = [
    "AnyCoroutine",
    "AsCompleted",
    "Barrier",
    "BoundedSemaphore",
    "BrokenBarrierError",
    "BusyError",
    "CancelScope",
    "Cancelled",
    "ClosedError",
    "Condition",
    "Context",
    "Coroutine",
    "DeadlockError",
    "Event",
    "EventLoop",
    "Gen",
    "Handle",
    "LifoQueue",
    "Lock",
    "Portal",
    "PriorityQueue",
    "Queue",
    "QueueEmpty",
    "QueueFull",
    "QueueShutDown",
    "RLock",
    "Semaphore",
    "SuspendError",
    "Task",
    "TaskCancelledError",
    "TaskGroup",
    "TaskInfo",
    "ThreadRunner",
    "Watch",
    "WouldBlockError",
    "WrongThreadError",
    "as_completed",
    "block",
    "block_r",
    "block_w",
    "call_from_thread",
    "call_in_thread",
    "coroutine",
    "create_task",
    "current_context",
    "current_task",
    "dump_tasks",
    "dump_tasks_on_signal",
    "fail_after",
    "format_task_tree",
    "hosted_by_asyncio",
    "map_over",
    "move_on_after",
    "par",
    "run",
    "run_in_asyncio",
    "set_context_provider",
    "shield",
    "sleep",
    "start_from_thread",
    "suspend",
    "task_tree",
    "wait_all",
    "wait_any",
    "wait_asyncio",
    "wait_for",
    "with_timeout",
]
