"""Until when a connection may wait for what; one alarm for all of it.

When the time is up the connection's transport is closed, which wakes whoever waits on it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, final

from tulip_http._alarm import Alarm, Clock
from tulip_http._failures import timeout_error
from tulip_http._pace import Pace

if TYPE_CHECKING:
    from tulip_http._errors import TimeoutException
    from tulip_http._limits import Limits
    from tulip_http._timeouts import Timeout


@final
class Deadlines:
    """The deadlines of one exchange after the other.

    Args:
        loop: Whose clock is used.
        limits: Of the speed.
        callback: Called when the time is up.

    Attributes:
        ends: When the call is to end at the latest.
        reading: It is the answer that is awaited, no longer the request that is sent.
        expired: The time was up.
        clear: Nobody waits: the alarm's own, as every request ends with it.
        paced: The body must come at some speed: `come` is to be told what has come.
    """

    __slots__ = (
        "_alarm",
        "_callback",
        "_limits",
        "_loop",
        "_pace",
        "_timeout",
        "clear",
        "ends",
        "expired",
        "paced",
        "reading",
    )

    def __init__(self, loop: Clock, limits: Limits, callback: Callable[[], object]) -> None:
        self._loop = loop
        self._limits = limits
        self._callback: Callable[[], object] | None = callback
        self._alarm = Alarm(loop, self._expire)
        self.clear = self._alarm.clear
        self._timeout: Timeout | None = None
        self._pace: Pace | None = None
        self.paced: bool = limits.min_speed is not None
        self.ends = math.inf
        self.reading = self.expired = False

    def begin(self, timeout: Timeout, ends: float, now: float) -> None:
        """Begin a call, whose request is sent now."""
        self._timeout = timeout
        self._pace = None
        self.ends = ends
        self.reading = False
        seconds = timeout.write
        if seconds is not None and now + seconds < ends:
            ends = now + seconds
        self._alarm.set(ends)

    def call_ends(self) -> float:
        """Return when a call that begins now has to end."""
        assert self._timeout is not None
        total = self._timeout.total
        return math.inf if total is None else self._loop.time() + total

    def write(self) -> None:
        """From now on it is another piece of the request that takes long."""
        assert self._timeout is not None
        self.begin(self._timeout, self.ends, self._loop.time())

    def read(self) -> float:
        """From now on it is the next piece of the answer; return the time."""
        timeout = self._timeout
        assert timeout is not None
        self.reading = True
        now, ends, seconds = self._loop.time(), self.ends, timeout.read
        if seconds is not None and now + seconds < ends:
            ends = now + seconds
        self._alarm.set(ends)
        return now

    def read_body(self) -> None:
        """The same for a body, which may have to come at some speed."""
        now = self.read()
        least = self._limits.min_speed
        if least is None:
            return
        if self._pace is None:
            self._pace = Pace(least, self._limits.slow_seconds)
        self._alarm.advance(self._pace.wait(now))

    def come(self, size: int) -> None:
        """Count bytes of a body."""
        if self._pace is not None:
            self._pace.come(size, self._loop.time())

    def limit(self, seconds: float) -> None:
        """Give what is left, for which nobody waits, so much time."""
        self._alarm.set(self._loop.time() + seconds)

    def close(self) -> None:
        """Nobody will wait again."""
        self._alarm.close()
        self._callback = None

    def error(self, what: str) -> TimeoutException:
        """Return the error for a time that was up."""
        assert self._timeout is not None
        now = self._loop.time()
        slow = self._pace if self._pace is not None and self._pace.over(now) else None
        return timeout_error(
            what, self._timeout, reading=self.reading, in_all=now >= self.ends, slow=slow
        )

    def _expire(self) -> None:
        self.expired = True
        if self._callback is not None:
            self._callback()
