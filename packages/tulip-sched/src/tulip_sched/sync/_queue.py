"""The queue, first in, first out; other orders are subclasses with another storage.

The rules that hold here:

1. Getters wait only while there is no item, putters only while there is no room. So an item for
   a getter goes to it directly, past the storage, and room that a get makes is filled at once
   with the item of the first putter.
2. An item is *accepted* when it is stored or handed to a getter, and counts as unfinished from
   then on. The item of a putter that waits is not accepted: a cancelled put has put nothing.
"""

from collections import deque
from collections.abc import Callable, Sized
from threading import get_ident
from typing import Any, Generic, Self, TypeAlias, TypeVar, cast

from tulip_sched._context import current_task
from tulip_sched._coroutine import Gen, coroutine
from tulip_sched._typing import override
from tulip_sched.sync._errors import QueueEmpty, QueueFull, QueueShutDown, check_count
from tulip_sched.sync._line import Line
from tulip_sched.sync._one_thread import OneThread

T = TypeVar("T")

Storage: TypeAlias = tuple[Sized, Callable[[T], object], Callable[[], T]]
"""What holds items, how to put one in, and how to take the next one out."""


class Queue(OneThread, Generic[T]):
    """Hands items from tasks that put to tasks that get; first in, first out.

    Args:
        maxsize: How many items it holds before a put has to wait; 0 or less for no limit.

    Raises:
        TypeError: ``maxsize`` is no integer.

    ``async for item in queue:`` gets items until the queue is shut down and empty.
    """

    __slots__ = (
        "__weakref__",
        "_getters",
        "_items",
        "_joiners",
        "_maxsize",
        "_pull",
        "_push",
        "_putters",
        "_shut",
        "_unfinished",
    )

    def __init__(self, maxsize: int = 0) -> None:
        super().__init__()
        kind = type(self).__name__
        check_count(f"a {kind} holds", maxsize)
        self._maxsize = maxsize
        self._items, self._push, self._pull = self._storage()
        self._getters: Line[Any] = Line(f"{kind}.get")
        self._putters: Line[T] = Line(f"{kind}.put")
        self._joiners: Line[None] = Line(f"{kind}.join")
        self._unfinished = 0
        self._shut = False

    @property
    def maxsize(self) -> int:
        """How many items it holds at most; 0 or less for no limit."""
        return self._maxsize

    def qsize(self) -> int:
        """Return how many items it holds."""
        return len(self._items)

    def empty(self) -> bool:
        """Return whether it holds no item."""
        return not self._items

    def full(self) -> bool:
        """Return whether it holds as many items as it can."""
        return 0 < self._maxsize <= len(self._items)

    @coroutine
    def put(self, item: T) -> Gen[None]:
        """Wait for room and put an item; do not suspend if there is room.

        Raises:
            QueueShutDown: The queue was shut down, before or while this waited.
            WrongThreadError: Called in another thread than that of its tasks.

        A cancelled put has put nothing.
        """
        if not self._accepted(item):
            self._putters.join(current_task(), item)
            yield

    def put_nowait(self, item: T) -> None:
        """Put an item if there is room.

        Raises:
            QueueFull: There is none.
            QueueShutDown: The queue was shut down.
            WrongThreadError: Called in another thread than that of its tasks.
        """
        if not self._accepted(item):
            raise QueueFull(f"{self!r} has no room")

    @coroutine
    def get(self) -> Gen[T]:
        """Wait for an item and take it; do not suspend if there is one.

        Raises:
            QueueShutDown: The queue was shut down, before or while this waited, and is empty.
            WrongThreadError: Called in another thread than that of its tasks.

        A cancelled get has taken nothing. An item that was handed to a task is the task's, even
        if it is cancelled before it runs again.
        """
        if get_ident() != self._thread:
            self._enter()
        if self._items:
            return self._taken()
        if self._shut:
            raise self._is_shut()
        place = self._getters.join(current_task(), None)
        yield
        return cast("T", place.gift)

    def get_nowait(self) -> T:
        """Take an item if there is one.

        Raises:
            QueueEmpty: There is none.
            QueueShutDown: There is none, and the queue was shut down.
            WrongThreadError: Called in another thread than that of its tasks.
        """
        if get_ident() != self._thread:
            self._enter()
        if self._items:
            return self._taken()
        raise self._is_shut() if self._shut else QueueEmpty(f"{self!r} has no item")

    def task_done(self) -> None:
        """Say that one item that was taken has been dealt with; see `join`.

        Raises:
            ValueError: It was called more often than items were put.
            WrongThreadError: Called in another thread than that of its tasks.
        """
        if get_ident() != self._thread:
            self._enter()
        if not self._unfinished:
            raise ValueError(f"task_done() was called more often than items were put: {self!r}")
        self._finish(1)

    @coroutine
    def join(self) -> Gen[None]:
        """Wait until `task_done` was called for every item; do not suspend if it was.

        Raises:
            WrongThreadError: Called in another thread than that of its tasks.
        """
        if get_ident() != self._thread:
            self._enter()
        if self._unfinished:
            self._joiners.join(current_task(), None)
            yield

    def shutdown(self, immediate: bool = False) -> None:
        """Take no more items; the end of the queue for those who get.

        Args:
            immediate: Throw away the items it holds; they count as dealt with.

        A put that waits raises `QueueShutDown`, and so does every later one. Items can still be
        taken; once there are none, a get raises `QueueShutDown`, also one that waits.

        Raises:
            WrongThreadError: Called in another thread than that of its tasks.

        Source: Python 3.13, ``queue.Queue.shutdown``.
        """
        if get_ident() != self._thread:
            self._enter()
        self._shut = True
        if immediate:
            dropped = len(self._items)
            self._items, self._push, self._pull = self._storage()
            self._finish(min(dropped, self._unfinished))
        self._putters.refuse_all(self._is_shut)
        self._getters.refuse_all(self._is_shut)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> T:
        try:
            return await self.get()
        except QueueShutDown:
            raise StopAsyncIteration from None

    def _storage(self) -> Storage[T]:
        """Return an empty storage; what decides the order of the items."""
        items: deque[T] = deque()
        return items, items.append, items.popleft

    def _accepted(self, item: T) -> bool:
        """Hand the item to a getter or store it; return whether there was room."""
        if get_ident() != self._thread:
            self._enter()
        if self._shut:
            raise self._is_shut()
        if self._getters:
            self._getters.serve(item)
        elif 0 < self._maxsize <= len(self._items):
            return False
        else:
            self._push(item)
        self._unfinished += 1
        return True

    def _taken(self) -> T:
        """Take the next item, and let the first putter fill the room."""
        item = self._pull()
        if self._putters:
            self._admit_putter()
        return item

    def _admit_putter(self) -> None:
        while self._putters:
            place = self._putters.first()
            try:
                self._push(place.gift)
            except Exception as error:  # noqa: BLE001 - a PriorityQueue cannot compare it, perhaps
                place.task._throw(error)  # and the room is the next one's
            else:
                self._unfinished += 1
                place.task._wake()
                return

    def _finish(self, count: int) -> None:
        self._unfinished -= count
        if not self._unfinished:
            self._joiners.serve_all(None)

    def _is_shut(self) -> QueueShutDown:
        return QueueShutDown(f"{self!r} was shut down")

    @override
    def __repr__(self) -> str:
        limit = f" of {self._maxsize}" if self._maxsize > 0 else ""
        return (
            f"<{type(self).__name__} at {id(self):#x}, {len(self._items)}{limit} items, "
            f"{len(self._getters)} getters, {len(self._putters)} putters>"
        )
