"""The queue that gives the newest item first."""

from typing import TypeVar, final

from tulip_sched._typing import override
from tulip_sched.sync._queue import Queue, Storage

T = TypeVar("T")


@final
class LifoQueue(Queue[T]):
    """A `Queue` that gives the newest item first.

    Args:
        maxsize: How many items it holds before a put has to wait; 0 or less for no limit.
    """

    __slots__ = ()

    @override
    def _storage(self) -> Storage[T]:
        items: list[T] = []
        return items, items.append, items.pop
