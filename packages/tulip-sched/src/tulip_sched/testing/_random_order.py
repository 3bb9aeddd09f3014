"""An order of tasks that a seed decides."""

from collections import deque
from random import Random
from typing import final

from tulip_poll import QueueEntry
from tulip_sched._scopes import CancelScope
from tulip_sched._task import Task
from tulip_sched._typing import override
from tulip_sched._watch import Watch


@final
class RandomOrder:
    """Runs the tasks that are runnable in a random order, and lets some of them wait a while.

    For ``EventLoop(arrange=RandomOrder(seed))``. Two runs of the same program with the same seed
    take the same order, as long as the program itself does the same: no threads, no sets of
    objects whose order differs from run to run.

    Args:
        seed: Decides everything.

    What is kept: callbacks that are no turns of tasks, such as those of ``call_soon``, run in
    their order and are not held back. What is not: that a task made runnable first runs first,
    that equal deadlines wake tasks in the order they were set, and that ``sleep(0)`` lets *every*
    other task run. A correct program needs none of these.
    """

    __slots__ = ("_random", "seed")

    def __init__(self, seed: int) -> None:
        self.seed: int = seed
        self._random = Random(seed)  # noqa: S311 - repeatable, and nobody's secret

    def __call__(self, queue: deque[QueueEntry]) -> int:
        """Put the queue into this round's order; return how many of it run now."""
        # Meanwhile the garbage collector may run, and what it finalizes may put more at the end.
        given = list(queue)
        count = len(given)
        if count < 2:
            return count
        kept = iter([handle for handle in given if not _may_move(handle)])
        order: list[QueueEntry] = []
        fewest = 1
        for position, handle in enumerate(self._random.sample(given, count), 1):
            if _may_move(handle):
                order.append(handle)
            else:
                order.append(next(kept))
                fewest = position
        for position, handle in enumerate(order):
            queue[position] = handle
        # Half of the rounds run everything, so that a long queue is not worked off one by one.
        return count if self._random.random() < 0.5 else self._random.randint(fewest, count)

    @override
    def __repr__(self) -> str:
        return f"RandomOrder({self.seed})"


def _may_move(handle: QueueEntry) -> bool:
    """Return whether a handle is the turn of a task, or an event that makes it one's turn."""
    return isinstance(handle.receiver, Task | Watch | CancelScope)
