"""Until when a connection may wait for what; one alarm for all of it.

When the time is up the connection's transport is closed, which wakes whoever waits on it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, final

from tulip_http._alarm import Alarm, Clock
from tulip_http._errors import ClientClosed
from tulip_http._failures import timeout_error
from tulip_http._pace import Pace
from tulip_http._timeouts import DEFAULT_TIMEOUT

if TYPE_CHECKING:
    from tulip_http._errors import HTTPError
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
        awaited: Somebody waits for the answer to a request that is on its way; False while the
            caller has its head and does something else.
        reading: It is the answer that is awaited, no longer the request that is sent.
        expired: The time was up, or it is another process's.
        alarm: Closes the transport; its deadline is `NEVER` while nobody waits.
        paced: The body must come at some speed: `come` is to be told what has come.
    """

    __slots__ = (
        "_callback",
        "_least",
        "_left",
        "_loop",
        "_pace",
        "_slow_seconds",
        "_timeout",
        "_writing",
        "alarm",
        "awaited",
        "ends",
        "expired",
        "paced",
        "reading",
    )

    def __init__(self, loop: Clock, limits: Limits, callback: Callable[[], object]) -> None:
        self._loop = loop
        self._callback: Callable[[], object] | None = callback
        self.alarm = Alarm(loop, self._expire)
        self._timeout = DEFAULT_TIMEOUT  # until `begin` brings another
        self._least, self._slow_seconds = limits.min_speed, limits.slow_seconds
        self._pace: Pace | None = None
        self.paced: bool = self._least is not None
        self.ends = math.inf
        self.reading = self.expired = self._left = False
        self.awaited = True
        self._writing = False  # a piece of a request, in a task

    def begin(self, timeout: Timeout, ends: float, now: float) -> None:
        """Begin a call, whose request is sent now."""
        self._timeout = timeout
        self._pace = None
        self.ends = ends
        self.reading = False
        seconds = timeout.write
        if seconds is not None and now + seconds < ends:
            ends = now + seconds
        self.alarm.set(ends)

    def begin_call(self) -> float:
        """Begin a call that reads on in a body; return when it is to end at the latest."""
        total = self._timeout.total
        self.ends = math.inf if total is None else self._loop.time() + total
        return self.ends

    def write(self) -> None:
        """From now on it is another piece of the request that takes long."""
        if not self.expired:  # a task that was stopped takes one more step
            self._writing = True
            self.begin(self._timeout, self.ends, self._loop.time())

    def pause(self) -> None:
        """From now on it is the program that takes long, to make the next piece of the request."""
        self._writing = False
        self.alarm.set(self.ends)

    def written(self) -> None:
        """All of the request has gone out: from now on it is the answer that takes long."""
        self._writing = False
        if self.expired:
            return
        if self.awaited:
            self.read()
        else:
            self.alarm.clear()

    def wait_beside(self, ends: float | None) -> float:
        """Wait for a piece of the answer while the request is on its way, which has its own limits.

        Args:
            ends: As for `read_body`, and so is what is returned.
        """
        ends = self.begin_call() if ends is None else ends
        self.ends = ends
        self.awaited = True
        self.alarm.advance(ends)
        return ends

    def lend(self) -> None:
        """Let the caller take their time, also while the request is still on its way."""
        self.ends = math.inf
        self.awaited = False
        self.alarm.clear()
        if self._writing:
            self.write()

    def read(self) -> float:
        """From now on it is the next piece of the answer; return the time."""
        self.reading = True
        now, until, seconds = self._loop.time(), self.ends, self._timeout.read
        if seconds is not None and now + seconds < until:
            until = now + seconds
        alarm = self.alarm
        alarm.deadline = until
        if until < alarm.fires_at:
            alarm.set(until)
        return now

    def read_body(self, ends: float | None) -> float:
        """From now on it is the next piece of a body, which may have to come at some speed.

        Written out flat, as every piece comes by here.

        Args:
            ends: When the call is to end at the latest; None for one that begins now.

        Returns:
            The same, for the pieces that follow in this call.
        """
        timeout, now = self._timeout, self._loop.time()
        if ends is None:
            ends = math.inf if timeout.total is None else now + timeout.total
        self.ends = until = ends
        self.reading = True
        seconds = timeout.read
        if seconds is not None and now + seconds < until:
            until = now + seconds
        if self._least is not None:
            if self._pace is None:
                self._pace = Pace(self._least, self._slow_seconds)
            until = min(until, self._pace.wait(now))
        alarm = self.alarm
        alarm.deadline = until
        if until < alarm.fires_at:
            alarm.set(until)
        return ends

    def come(self, size: int) -> None:
        """Count bytes of a body."""
        if self._pace is not None:
            self._pace.come(size, self._loop.time())

    def limit(self, seconds: float) -> None:
        """Give what is left, for which nobody waits, so much time."""
        self.alarm.set(self._loop.time() + seconds)

    def close(self) -> None:
        """Nobody will wait again."""
        self.alarm.close()
        self._callback = None

    def leave(self) -> None:
        """Do as `close` does in a forked process; whoever waits is told of that."""
        self.close()
        self.expired = self._left = True

    def error(self, what: str) -> HTTPError:
        """Return the error for a time that was up."""
        if self._left:
            return ClientClosed(f"{what}: the answer is the parent's, who forked this process")
        now = self._loop.time()
        slow = self._pace if self._pace is not None and self._pace.over(now) else None
        return timeout_error(
            what, self._timeout, reading=self.reading, in_all=now >= self.ends, slow=slow
        )

    def _expire(self) -> None:
        self.expired = True
        if self._callback is not None:
            self._callback()
