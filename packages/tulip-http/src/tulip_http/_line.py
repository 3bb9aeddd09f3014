"""The line before a pool: who waits for a connection to where, in the order of arrival.

Nothing here depends on how many wait, but for the logarithm of a heap:

- There is a queue for each origin, and a heap of their heads by arrival. An origin that may not be
  served, as it has all the connections it may have, is set aside until it may (`again`): so nobody
  looks at it in vain twice.
- One alarm serves all, and a heap of the times at which waits end. Who was served stays in it, is
  skipped, and is left out once that is true of most of it. So with the other heap.
"""

from __future__ import annotations

import itertools
import math
from collections import OrderedDict
from collections.abc import Callable
from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING, Any, Final, final

from tulip_http._alarm import Alarm, Clock

if TYPE_CHECKING:
    from tulip_http._connection import Connection
    from tulip_http._url import Origin
    from tulip_net import Task

_arrivals = itertools.count()
_FEW: Final = 64  # entries that are not worth the rebuilding of a heap


@final
class Waiter:
    """Someone who waits for a connection, or for room to open one.

    Attributes:
        connection: What was granted; None: room, or nothing.
        task: Who; None once they are in the line no more. Some of the books below have them for
            longer, and what became of the task (a response, and its connection) must not be.
        room: There is room for a connection, which is counted already.
        late: It was the time that ended the wait.
        waits: It is in the line.
    """

    __slots__ = ("arrival", "connection", "ends", "late", "origin", "room", "task", "waits")

    def __init__(self, origin: Origin, task: Task[Any], ends: float) -> None:
        self.origin = origin
        self.task: Task[Any] | None = task
        self.ends = ends
        self.arrival = next(_arrivals)
        self.connection: Connection | None = None
        self.late = self.room = self.waits = False


@final
class Line:
    """Those who wait."""

    __slots__ = ("_alarm", "_aside", "_ends", "_heads", "_loop", "_queues", "_size")

    def __init__(self, loop: Clock) -> None:
        self._loop = loop
        self._alarm = Alarm(loop, self._send_home)
        self._queues: dict[Origin, OrderedDict[Waiter, None]] = {}
        self._heads: list[tuple[int, Waiter]] = []
        self._aside: set[Origin] = set()
        self._ends: list[tuple[float, int, Waiter]] = []
        self._size = 0

    def __bool__(self) -> bool:
        """Whether anybody waits."""
        return bool(self._size)

    def __len__(self) -> int:
        """Return how many wait."""
        return self._size

    def join(self, waiter: Waiter) -> None:
        """Let somebody wait."""
        queue = self._queues.get(waiter.origin)
        if queue is None:
            queue = self._queues[waiter.origin] = OrderedDict()
        queue[waiter] = None
        waiter.waits = True
        self._size += 1
        if len(queue) == 1:
            self._push_head(queue)
        if waiter.ends < math.inf:
            if len(self._ends) > 2 * self._size + _FEW:
                self._ends = [entry for entry in self._ends if entry[2].waits]
                heapify(self._ends)
            heappush(self._ends, (waiter.ends, waiter.arrival, waiter))
            self._alarm.advance(waiter.ends)

    def leave(self, waiter: Waiter) -> None:
        """Let somebody go; one who is not there has gone before."""
        if not waiter.waits:
            return
        waiter.waits = False
        waiter.task = None
        self._size -= 1
        origin = waiter.origin
        queue = self._queues[origin]
        was_head = next(iter(queue)) is waiter
        del queue[waiter]
        if not queue:
            del self._queues[origin]
            self._aside.discard(origin)
        elif was_head and origin not in self._aside:
            self._push_head(queue)

    def first(self, may: Callable[[Origin], bool], origin: Origin | None) -> Waiter | None:
        """Return who has waited longest, of those whose origin may be served.

        Args:
            may: Says that of an origin, until `again` is called for it.
            origin: May be served in any case.
        """
        heads = self._heads
        while heads:
            _, waiter = heads[0]
            if waiter.waits and waiter.origin not in self._aside:
                if waiter.origin == origin or may(waiter.origin):
                    break
                self._aside.add(waiter.origin)
            heappop(heads)
        first = heads[0][1] if heads else None
        if origin is None or origin not in self._aside:
            return first
        own = next(iter(self._queues[origin]))
        return own if first is None or own.arrival < first.arrival else first

    def again(self, origin: Origin) -> None:
        """Take note that an origin may be served again, perhaps."""
        if origin in self._aside:
            self._aside.remove(origin)
            self._push_head(self._queues[origin])

    def _push_head(self, queue: OrderedDict[Waiter, None]) -> None:
        if len(self._heads) > 2 * len(self._queues) + _FEW:
            self._heads = [entry for entry in self._heads if entry[1].waits]
            heapify(self._heads)
        head = next(iter(queue))
        heappush(self._heads, (head.arrival, head))

    def grant(self, waiter: Waiter, connection: Connection | None) -> None:
        """End a wait: with a connection, or with room for one."""
        task = waiter.task
        self.leave(waiter)
        waiter.connection = connection
        if task is not None:
            task.unblock()

    def grant_all(self) -> None:
        """End every wait with nothing."""
        for waiter in [waiter for queue in self._queues.values() for waiter in queue]:
            self.grant(waiter, None)

    def close(self) -> None:
        """Take the alarm out of the loop."""
        self._alarm.close()

    def _send_home(self) -> None:
        """Wake those whose time is up."""
        now = self._loop.time()
        self._alarm.clear()
        ends = self._ends
        while ends and (ends[0][0] <= now or not ends[0][2].waits):
            waiter = heappop(ends)[2]
            if waiter.waits:
                waiter.late = True
                self.grant(waiter, None)
        if ends:
            self._alarm.advance(ends[0][0])
