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

    Items must be comparable with ``<``. Equal ones come out in no particular order.
    """

    __slots__ = ()

    @override
    def _storage(self) -> Storage[T]:
        items: list[Any] = []
        return items, partial(heappush, items), partial(heappop, items)
