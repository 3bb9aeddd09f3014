"""Synchronization between tasks of one thread: locks, events, counters, queues.

The rules that hold for all of them:

- First come, first served. What becomes free is handed to the task that has waited longest, at
  the moment when it becomes free: a task that comes later cannot overtake.
- Free when uncontended: an operation that need not wait does not suspend, so no other task runs
  in between. What is called and never driven does nothing.
- A wait that is cancelled leaves the line, wherever in it the task stood. What was handed to a
  task before the cancellation is its own, and is never lost.
- They belong to one thread, as a task does; use from another thread raises `WrongThreadError`
  and changes nothing. They belong to no event loop: one may outlive a run and serve the next.

What is acquired is released by ``async with lock:``, and in generators by
``with (yield from lock.holding()):``.

Reading order: ``_errors``, ``_line`` (who waits, and how it is woken), ``_one_thread``,
``_holding`` (the two with blocks), ``_owned_lock``, ``_lock``, ``_rlock``, ``_condition``,
``_event``, ``_semaphore``, ``_bounded_semaphore``, ``_barrier``, ``_queue``,
``_priority_queue``, ``_lifo_queue``.
"""

from tulip_sched.sync._barrier import Barrier
from tulip_sched.sync._bounded_semaphore import BoundedSemaphore
from tulip_sched.sync._condition import Condition
from tulip_sched.sync._errors import (
    BrokenBarrierError,
    QueueEmpty,
    QueueFull,
    QueueShutDown,
    WouldBlockError,
)
from tulip_sched.sync._event import Event
from tulip_sched.sync._lifo_queue import LifoQueue
from tulip_sched.sync._lock import Lock
from tulip_sched.sync._priority_queue import PriorityQueue
from tulip_sched.sync._queue import Queue
from tulip_sched.sync._rlock import RLock
from tulip_sched.sync._semaphore import Semaphore

__all__ = [
    "Barrier",
    "BoundedSemaphore",
    "BrokenBarrierError",
    "Condition",
    "Event",
    "LifoQueue",
    "Lock",
    "PriorityQueue",
    "Queue",
    "QueueEmpty",
    "QueueFull",
    "QueueShutDown",
    "RLock",
    "Semaphore",
    "WouldBlockError",
]
