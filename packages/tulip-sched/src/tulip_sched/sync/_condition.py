"""The condition: a lock, and a line of tasks that wait for news about what it protects.

A task that is notified moves from the condition's line to the lock's, still blocked, and is
resumed as the lock's owner: to wake it first, only to let it wait for the lock, would cost a
switch for each task and would let others overtake.
"""

from collections.abc import Callable
from typing import Literal, TypeVar, final

from tulip_sched import _context
from tulip_sched._context import current_task
from tulip_sched._coroutine import Coroutine, Gen, coroutine
from tulip_sched._errors import Cancelled
from tulip_sched._scopes import CancelScope
from tulip_sched._typing import override
from tulip_sched.sync._holding import Holdable
from tulip_sched.sync._line import Line
from tulip_sched.sync._lock import Lock
from tulip_sched.sync._rlock import RLock

T = TypeVar("T")


@final
class Condition(Holdable):
    """Lets tasks wait until another task says that something has changed.

    Args:
        lock: What protects that something; several conditions may share one. Default: a `Lock`
            of its own.

    ``async with condition:``, or in generators ``with (yield from condition.holding()):``, and
    inside it `wait_for` or `notify`.
    """

    __slots__ = ("__weakref__", "_line", "_lock")

    def __init__(self, lock: Lock | RLock | None = None) -> None:
        self._lock = Lock() if lock is None else lock
        self._line: Line[int] = Line("Condition.wait")

    @override
    def acquire(self) -> Coroutine[None]:
        """Acquire the lock; see `Lock.acquire`."""
        return self._lock.acquire()

    def acquire_nowait(self) -> None:
        """Acquire the lock if that is possible at once; see `Lock.acquire_nowait`."""
        self._lock.acquire_nowait()

    @override
    def release(self) -> None:
        """Release the lock; see `Lock.release`."""
        self._lock.release()

    def locked(self) -> bool:
        """Return whether a task owns the lock."""
        return self._lock.locked()

    @coroutine
    def wait(self) -> Gen[Literal[True]]:
        """Release the lock, wait to be notified, and acquire the lock again.

        An `RLock` is released as often as it was acquired, and held as often afterwards.

        Returns:
            True. What was waited for may have changed again: see `wait_for`.

        Raises:
            RuntimeError: The task that runs does not hold the lock.

        Cancelling ends the wait once the lock is held again, as the ``with`` block around it
        expects. A task that was notified before it was cancelled returns: the notification is
        not lost, and the cancellation arrives at the next suspension.
        """
        self._check_held("waited on")
        lock = self._lock
        count = lock._count
        place = self._line.join(current_task(), count)
        lock._pass_on()
        try:
            yield
        except Cancelled:
            with CancelScope(shield=True):
                yield from lock.acquire()
            lock._count = count
            if place.line is self._line:
                raise
        return True

    @coroutine
    def wait_for(self, predicate: Callable[[], T]) -> Gen[T]:
        """Wait until a function returns something true; it is called with the lock held.

        Args:
            predicate: Called at once, and again after every notification.

        Returns:
            What the function returned.

        Raises and is cancelled as `wait` is.
        """
        self._check_held("waited on")
        while not (result := predicate()):
            yield from self.wait()
        return result

    def notify(self, count: int = 1) -> None:
        """Let the tasks that have waited longest go on, one after another.

        Args:
            count: How many; fewer if fewer wait.

        Raises:
            RuntimeError: The task that runs does not hold the lock.
            ValueError: ``count`` is negative.
        """
        self._check_held("notified")
        if count < 0:
            raise ValueError(f"cannot notify {count} tasks of {self!r}")
        for _ in range(min(count, len(self._line))):
            place = self._line.first()
            place.line = self._lock._line
            place.line[place] = None

    def notify_all(self) -> None:
        """Let every task that waits go on, one after another.

        Raises:
            RuntimeError: The task that runs does not hold the lock.
        """
        self.notify(len(self._line))

    def _check_held(self, done: str) -> None:
        """Refuse what only the owner of the lock may do."""
        owner = self._lock._owner
        if owner is None or owner is not _context._provider().current_task:
            error = self._lock._not_yours("needed")
            raise RuntimeError(f"{self!r} was {done} without its lock: {error}")

    @override
    def __repr__(self) -> str:
        return f"<Condition at {id(self):#x}, {len(self._line)} waiting>"
