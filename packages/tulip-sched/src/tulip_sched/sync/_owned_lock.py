"""What `Lock` and `RLock` have in common: a task that owns it, and a line behind that task.

The rules that hold here:

1. A lock is free, then nobody is in its line; or it has an owner. To release it with a line is
   to hand it to the first in line: nobody finds it free in between.
2. The owner is compared with the task that runs, in the thread that calls; so a call from
   another thread, or from a plain callback, is never taken for the owner's.
"""

from typing import TYPE_CHECKING, Any

from tulip_poll import WrongThreadError
from tulip_sched import _context
from tulip_sched._context import current_task
from tulip_sched._coroutine import Gen, coroutine
from tulip_sched._task import Task
from tulip_sched._typing import override
from tulip_sched.sync._errors import WouldBlockError
from tulip_sched.sync._holding import Holdable
from tulip_sched.sync._line import Line


class OwnedLock(Holdable):
    """A lock with an owner; what its owner gets who acquires it again is the subclass's."""

    __slots__ = ("__weakref__", "_count", "_line", "_owner")

    def __init__(self) -> None:
        self._owner: Task[Any] | None = None
        # How often the owner has to release it. A place in the line brings the number along
        # that will hold when it is served: 1, but for one that waits for a condition.
        self._count = 0
        self._line: Line[int] = Line(f"{type(self).__name__}.acquire")

    @override
    @coroutine
    def acquire(self) -> Gen[None]:
        """Wait until the lock is free and own it; at once, and without suspending, if it is.

        Raises:
            RuntimeError: No task is running; or the owner has ended and can never release it;
                or, for a `Lock`, the task that runs is the owner.
            WrongThreadError: The owner is a task of another thread.

        A cancelled wait leaves the line. A task to which the lock was handed owns it, even if
        it is cancelled before it runs again.
        """
        task = _context._provider().current_task
        if self._owner is None and task is not None:
            self._owner = task
            self._count = 1
        elif not self._taken(current_task()):
            self._line.join(current_task(), 1)
            try:
                yield
            except GeneratorExit:  # a run that is given up closes its tasks wherever they are
                if self._owner is task:
                    self._pass_on()
                raise

    if not TYPE_CHECKING:  # one call less than through Holdable, which has the type
        __aenter__ = acquire

    def acquire_nowait(self) -> None:
        """Own the lock if that is possible at once.

        Raises:
            WouldBlockError: Another task owns it.
            RuntimeError: As for `acquire`.
            WrongThreadError: As for `acquire`.
        """
        if not self._taken(current_task()):
            raise WouldBlockError(f"{self!r} is not free")

    @override
    def release(self) -> None:
        """Free the lock, or hand it to the task that has waited longest.

        Raises:
            RuntimeError: The task that runs is not the owner.
        """
        if self._owner is None or self._owner is not _context._provider().current_task:
            raise self._not_yours("released")
        if self._count > 1:
            self._count -= 1
        elif self._line:
            self._pass_on()
        else:
            self._owner = None

    def locked(self) -> bool:
        """Return whether a task owns the lock."""
        return self._owner is not None

    def _taken(self, task: Task[Any]) -> bool:
        """Let a task own the lock if it may; return whether it does now."""
        owner = self._owner
        if owner is None:
            self._owner = task
            self._count = 1
        elif owner is task:
            self._acquired_again()
        elif owner.done():
            raise RuntimeError(f"{self!r} is lost: its owner ended without releasing it")
        elif owner._context is not task._context:
            raise WrongThreadError(f"{self!r} is held in another thread or another run")
        else:
            return False
        return True

    def _acquired_again(self) -> None:
        """Let the owner acquire the lock once more, or refuse."""
        raise NotImplementedError

    def _pass_on(self) -> None:
        """Hand the lock to the first in line, or free it; whatever the count was."""
        if not self._line:
            self._owner = None
            return
        place = self._line.first()
        self._owner = place.task
        self._count = place.gift
        place.task._wake()

    def _not_yours(self, done: str) -> RuntimeError:
        task = _context._provider().current_task
        who = "code outside of any task" if task is None else f"task {task.name!r}"
        return RuntimeError(f"{self!r} was {done} by {who}, which does not hold it")

    @override
    def __repr__(self) -> str:
        kind = type(self).__name__
        if self._owner is None:
            return f"<{kind} at {id(self):#x}, free>"
        return (
            f"<{kind} at {id(self):#x}, held by task {self._owner.name!r}, "
            f"{len(self._line)} waiting>"
        )
