"""The connections of a client: who gets which, who waits, and what is kept for later.

The rules of this file:

- ``_open`` counts what exists or is being opened, per origin and in all, and never exceeds the
  limits. Whoever raises the count lowers it again, also when cancelled.
- First come, first served: among those whom a freed place can serve, the one who has waited
  longest gets it. It is handed over, not put up for grabs, so nobody can overtake.
- While somebody waits for an origin, that origin has no idle connection.
- Nothing here depends on the number of waiters: see `_line`.
- Idle connections are taken youngest first, as the youngest is the least likely to be closed by the
  server, and given up oldest first. ``_idle`` has them by origin, ``_resting`` in the order in
  which they became idle. An origin without a connection is in neither: a crawler sees thousands.
"""

from __future__ import annotations

import math
import weakref
from collections import OrderedDict, deque
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, final

from tulip_http._alarm import call_in_loop
from tulip_http._connection import Connection
from tulip_http._errors import ClientClosed, ConnectTimeout, PoolTimeout, TotalTimeout
from tulip_http._forked import being_forked, heed_forks
from tulip_http._info import Stats
from tulip_http._line import Line, Waiter
from tulip_http._opening import open_transport
from tulip_net import Gen, block, coroutine, current_task, fail_after

if TYPE_CHECKING:
    from collections.abc import Callable

    from tulip_http._alarm import Loop, Timer
    from tulip_http._errors import TimeoutException
    from tulip_http._limits import Limits
    from tulip_http._opening import Connect, TlsTypes
    from tulip_http._timeouts import Timeout
    from tulip_http._url import Origin


@final
class Pool:
    """Connections to any number of origins, within limits.

    Args:
        limits: How many.
        tls: For https origins.
        connect: Opens connections, where it is not a socket's usual way.

    It belongs to one event loop at a time: once that loop is closed, the next use begins afresh on
    the loop that is current then; and so does a forked process.
    """

    __slots__ = (
        "__weakref__",
        "_closed",
        "_connect_by",
        "_connections",
        "_exchanges",
        "_idle",
        "_idle_seconds",
        "_limits",
        "_line",
        "_loop",
        "_max_age",
        "_max_idle",
        "_open",
        "_opened",
        "_resting",
        "_sweeper",
        "_tls",
        "_total",
    )

    def __init__(self, limits: Limits, tls: TlsTypes, connect: Connect | None = None) -> None:
        self._limits = limits
        self._connect_by = connect
        self._max_age = math.inf if limits.max_age_seconds is None else limits.max_age_seconds
        self._opened = self._exchanges = 0
        self._max_idle = math.inf if limits.max_idle is None else limits.max_idle
        self._idle_seconds = math.inf if limits.idle_seconds is None else limits.idle_seconds
        self._tls = tls
        self._closed = False
        self._begin_afresh()
        heed_forks(self)

    def begin_anew(self) -> None:
        """Forget every connection, in a forked process: they are the parent's."""
        connections = list(self._connections)
        self._stop_timers()
        self._begin_afresh()
        for connection in connections:
            with suppress(Exception):  # of a loop and tasks that have stayed in the parent
                connection.leave()

    def _begin_afresh(self) -> None:
        self._loop: Loop | None = None
        self._connections: set[Connection] = set()
        self._idle: dict[Origin, deque[Connection]] = {}
        self._resting: OrderedDict[Connection, None] = OrderedDict()
        self._open: dict[Origin, int] = {}
        self._total = 0
        self._line: Line | None = None
        self._sweeper: Timer | None = None

    def take(self, origin: Origin, loop: Loop, now: float) -> Connection | None:
        """Return the youngest idle connection, if there is one, without waiting.

        Args:
            origin: Where to.
            loop: The event loop that is running.
            now: Its time.

        Raises:
            ClientClosed: `close` was called.
        """
        if loop is not self._loop:
            self._move_to(loop)
        idle = self._idle.get(origin)
        while idle:
            connection = idle.pop()
            del self._resting[connection]
            kept = now - connection.free_since
            if (
                kept < self._idle_seconds
                and kept < connection.keep_seconds
                and now - connection.opened_at < self._max_age
            ):
                return connection
            self._discard(connection)
        if self._closed:
            raise ClientClosed("the client is closed")
        return None

    @coroutine
    def make_sure(self, connection: Connection) -> Gen[Connection | None]:
        """Return the connection, or another idle one, that is still open; None if there is none.

        Takes one turn of the event loop for each connection looked at.
        """
        candidate: Connection | None = connection
        while candidate is not None:
            try:
                if (yield from candidate.still_open()):
                    return candidate
            except BaseException:
                self._discard(candidate)
                raise
            self._discard(candidate)
            assert self._loop is not None
            candidate = self.take(connection.origin, self._loop, self._loop.time())
        return None

    @coroutine
    def acquire(
        self, origin: Origin, timeout: Timeout, ends: float, *, new: bool = False
    ) -> Gen[Connection]:
        """Open a connection, or wait for one; call `take` first.

        Args:
            origin: Where to.
            timeout: Limits for waiting and for connecting.
            ends: When the call as a whole ends, on the loop's clock.
            new: Close one that is handed over, and open another in its place.

        Raises:
            PoolTimeout, ConnectTimeout, TotalTimeout: It took too long.
            ConnectError: No connection can be made.
            ClientClosed: The client was closed meanwhile.

        Cancelling gives the place to the next one who waits.
        """
        if not self._may_open(origin):
            connection = yield from self._wait(origin, timeout, ends)
            if connection is not None:
                if not new:
                    return connection
                self._connections.discard(connection)
                connection.close()
        else:
            self._count(origin, 1)
        try:
            return (yield from self._connect(origin, timeout, ends))
        except BaseException:
            self._count(origin, -1)
            self._serve_waiters()
            raise

    def give_back(self, connection: Connection) -> None:
        """Take a connection back: hand it to whoever waits, keep it, or count it off if closed."""
        if connection not in self._connections:
            return
        self._exchanges += 1
        age = connection.free_since - connection.opened_at
        if not connection.usable or age >= self._max_age:
            self._discard(connection)
            return
        if not self._line or (waiter := self._next_waiter(connection.origin)) is None:
            self._keep(connection)
        elif waiter.origin == connection.origin:
            self._grant(waiter, connection)
        else:
            self._discard(connection)

    def close(self) -> None:
        """Close every connection, busy ones included, and refuse everything from now on."""
        self._closed = True
        self._drop_all()

    def _drop_all(self) -> None:
        if self._line is not None:
            self._line.grant_all()
        self._stop_timers()
        self._idle.clear()
        self._resting.clear()
        for connection in list(self._connections):
            connection.close()
            self._discard(connection)

    def stats(self) -> Stats:
        """Return how many connections there are, and what they did so far."""
        return Stats(
            connections=self._total,
            idle=len(self._resting),
            waiting=0 if self._line is None else len(self._line),
            opened=self._opened,
            exchanges=self._exchanges,
        )

    def _move_to(self, loop: Loop) -> None:
        if self._loop is not None:
            self._drop_all()
            self._begin_afresh()
        self._loop = loop

    def _may_open(self, origin: Origin) -> bool:
        most, most_here = self._limits.max_connections, self._limits.max_per_host
        if most_here is not None and self._open.get(origin, 0) >= most_here:
            return False
        if most is None or self._total < most:
            return True
        return self._give_up_oldest_idle()

    def _count(self, origin: Origin, change: int) -> None:
        self._total += change
        count = self._open.get(origin, 0) + change
        if count:
            self._open[origin] = count
        else:
            self._open.pop(origin, None)
            self._idle.pop(origin, None)
        if change < 0 and self._line is not None:
            self._line.again(origin)

    def _discard(self, connection: Connection) -> None:
        if connection not in self._connections:
            return
        self._connections.discard(connection)
        connection.close()
        self._count(connection.origin, -1)
        self._serve_waiters()

    def _keep(self, connection: Connection) -> None:
        if len(self._resting) >= self._max_idle and not self._give_up_oldest_idle():
            self._discard(connection)
            return
        idle = self._idle.get(connection.origin)
        if idle is None:
            idle = self._idle[connection.origin] = deque()
        idle.append(connection)
        self._resting[connection] = None
        if self._sweeper is None and self._idle_seconds < math.inf:
            self._sweep_at(connection.free_since + self._idle_seconds)

    def _give_up_oldest_idle(self) -> bool:
        if not self._resting:
            return False
        oldest, _ = self._resting.popitem(last=False)
        self._idle[oldest.origin].popleft()
        self._discard(oldest)
        return True

    def _sweep(self) -> None:
        """Close what has been idle for too long; come back when the next one will have been."""
        self._sweeper = None
        assert self._loop is not None
        now = self._loop.time()
        while self._resting:
            # The same sum to compare as to set the timer by: a difference may be less by rounding,
            # and the timer would be set to now, again and again.
            ends = next(iter(self._resting)).free_since + self._idle_seconds
            if ends > now:
                self._sweep_at(ends)
                return
            self._give_up_oldest_idle()

    def _sweep_at(self, when: float) -> None:
        # The timer must not keep alive the pool of a client that nobody closed.
        pool = weakref.ref(self)

        def sweep() -> None:
            if (still_there := pool()) is not None:
                still_there._sweep()

        assert self._loop is not None
        self._sweeper = self._loop.call_at(when, sweep)

    @coroutine
    def _wait(self, origin: Origin, timeout: Timeout, ends: float) -> Gen[Connection | None]:
        """Return a connection, or None once there is room (already counted) to open one."""
        assert self._loop is not None
        began = self._loop.time()
        seconds, late = self._time_for(timeout.pool, ends, PoolTimeout)
        waiter = Waiter(origin, current_task(), began + seconds)
        if self._line is None:
            self._line = Line(self._loop)
        line = self._line
        line.join(waiter)
        block(lambda: line.leave(waiter))
        yield
        if waiter.late:
            raise late(
                f"no connection to {origin} became free within {seconds:g} s: "
                f"{self._total} are open"
            )
        if self._closed:
            if waiter.room:
                self._count(origin, -1)
            raise ClientClosed(f"the client was closed while waiting for a connection to {origin}")
        connection, waiter.connection = waiter.connection, None
        return connection

    def _next_waiter(self, origin: Origin | None) -> Waiter | None:
        """Return who is served by a connection to ``origin``, or by the room it would leave."""
        most_here = self._limits.max_per_host
        if self._line is None:
            return None
        return self._line.first(
            lambda where: most_here is None or self._open.get(where, 0) < most_here, origin
        )

    def _serve_waiters(self) -> None:
        """Give room that became free to those who wait for it."""
        while not self._closed and (waiter := self._next_waiter(None)) is not None:
            if not self._may_open(waiter.origin):
                return
            self._count(waiter.origin, 1)
            waiter.room = True
            self._grant(waiter, None)

    def _grant(self, waiter: Waiter, connection: Connection | None) -> None:
        assert self._line is not None
        self._line.grant(waiter, connection)

    @coroutine
    def _connect(self, origin: Origin, timeout: Timeout, ends: float) -> Gen[Connection]:
        seconds, late = self._time_for(timeout.connect, ends, ConnectTimeout)
        try:
            with fail_after(seconds):
                transport, info = yield from open_transport(origin, self._tls, self._connect_by)
        except TimeoutError as error:
            raise late(f"connecting to {origin} took longer than {seconds:g} s") from error
        if self._closed:
            transport.close()
            raise ClientClosed(f"the client was closed while connecting to {origin}")
        connection = Connection(origin, transport, info, self._limits)
        self._connections.add(connection)
        self._opened += 1
        return connection

    def _time_for(
        self, seconds: float | None, ends: float, late: type[TimeoutException]
    ) -> tuple[float, Callable[[str], TimeoutException]]:
        """Return how long a phase may take, and the error if it takes longer."""
        assert self._loop is not None
        left = max(0.0, ends - self._loop.time())
        if seconds is None or left < seconds:
            return left, partial(TotalTimeout, phase=late.phase)
        return seconds, late

    def _stop_timers(self) -> None:
        if self._sweeper is not None:
            self._sweeper.cancel()
        if self._line is not None:
            self._line.close()
        self._sweeper = self._line = None

    def __del__(self) -> None:
        """Close what a client that was never closed has left."""
        if being_forked():
            self.begin_anew()
        elif self._loop is not None and (self._sweeper or self._line or self._connections):
            call_in_loop(self._loop, self.close)
