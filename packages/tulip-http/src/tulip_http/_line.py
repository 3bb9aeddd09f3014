"""The line before a pool: who waits for a connection to where, in the order of arrival.

Constant time whatever the number of those who wait: there is a queue for each origin, and only
their heads are compared. One alarm serves them all.
"""

from __future__ import annotations

import itertools
from collections import OrderedDict
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, final

from tulip_http._alarm import Alarm, Clock

if TYPE_CHECKING:
    from tulip_http._connection import Connection
    from tulip_http._url import Origin
    from tulip_net import Task

_arrivals = itertools.count()


@final
class Waiter:
    """Someone who waits for a connection, or for room to open one.

    Attributes:
        connection: What was granted; None: room.
        late: It was the time that ended the wait.
    """

    __slots__ = ("arrival", "connection", "ends", "late", "origin", "task")

    def __init__(self, origin: Origin, task: Task[Any], ends: float) -> None:
        self.origin = origin
        self.task = task
        self.ends = ends
        self.arrival = next(_arrivals)
        self.connection: Connection | None = None
        self.late = False


@final
class Line:
    """Those who wait."""

    __slots__ = ("_alarm", "_loop", "_queues")

    def __init__(self, loop: Clock) -> None:
        self._loop = loop
        self._alarm = Alarm(loop, self._send_home)
        self._queues: dict[Origin, OrderedDict[Waiter, None]] = {}

    def __bool__(self) -> bool:
        """Whether anybody waits."""
        return bool(self._queues)

    def __len__(self) -> int:
        """Return how many wait."""
        return sum(map(len, self._queues.values()))

    def join(self, waiter: Waiter) -> None:
        """Let somebody wait."""
        self._queues.setdefault(waiter.origin, OrderedDict())[waiter] = None
        self._alarm.advance(waiter.ends)

    def leave(self, waiter: Waiter) -> None:
        """Let somebody go; one who is not there has gone before."""
        queue = self._queues.get(waiter.origin)
        if queue is not None:
            queue.pop(waiter, None)
            if not queue:
                del self._queues[waiter.origin]

    def first(self, may: Callable[[Origin], bool]) -> Waiter | None:
        """Return who has waited longest, of those whose origin may be served."""
        heads = [next(iter(queue)) for where, queue in self._queues.items() if may(where)]
        return min(heads, key=lambda waiter: waiter.arrival, default=None)

    def grant(self, waiter: Waiter, connection: Connection | None) -> None:
        """End a wait: with a connection, or with room for one."""
        self.leave(waiter)
        waiter.connection = connection
        waiter.task.unblock()

    def grant_all(self) -> None:
        """End every wait with nothing."""
        for waiter in self._all():
            self.grant(waiter, None)

    def close(self) -> None:
        """Take the alarm out of the loop."""
        self._alarm.close()

    def _all(self) -> list[Waiter]:
        return [waiter for queue in self._queues.values() for waiter in queue]

    def _send_home(self) -> None:
        """Wake those whose time is up."""
        now = self._loop.time()
        self._alarm.clear()
        for waiter in self._all():
            if waiter.ends <= now:
                waiter.late = True
                self.grant(waiter, None)
            else:
                self._alarm.advance(waiter.ends)
