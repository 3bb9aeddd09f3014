"""The queue that gives the smallest item first."""

from functools import partial
from heapq import heappop, heappush
from typing import Any, TypeVar, final

from tulip_sched._typing import override
from tulip_sched.sync._queue import Queue, Storage

T = TypeVar("T")


@final
class PriorityQueue(Queue[T]):
    """A `Queue` that gives the smallest item first; often ``(priority, number, item)``.

    Args:
        maxsize: How many items it holds before a put has to wait; 0 or less for no limit.

    Items must be comparable with ``<``. Equal ones come out in no particular order. If two cannot
    be compared, a put that finds them has put nothing, and a get that does has taken nothing.
    """

    __slots__ = ()

    @override
    def _storage(self) -> Storage[T]:
        items: list[Any] = []
        return items, partial(_push, items), partial(_pull, items)


def _push(items: list[Any], item: object) -> None:
    """Put an item into the heap, or leave the heap as it was."""
    try:
        heappush(items, item)
    except BaseException:
        # It was appended, and has changed places with each one above that it is smaller than, up
        # to the one that it could not be compared with.
        at = len(items) - 1
        below = []
        while items[at] is not item:
            below.append(at)
            at = (at - 1) // 2
        for lower in reversed(below):
            items[at] = items[lower]
            at = lower
        items.pop()
        raise


def _pull(items: list[Any]) -> Any:
    """Take the smallest item out of the heap, or leave the heap as it was."""
    least, last = items[0], items[-1]
    try:
        return heappop(items)
    except BaseException:
        # The last item has taken the place of the first and gone down from there, past those that
        # have moved up for it.
        at = next(place for place, item in enumerate(items) if item is last)
        while at:
            above = (at - 1) // 2
            items[at] = items[above]
            at = above
        items[0] = least
        items.append(last)
        raise
