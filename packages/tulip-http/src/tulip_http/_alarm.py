"""Deadlines for one wait after the other, without a timer for each.

A request has several deadlines: so long to send, so long from byte to byte, so long in all. Setting
and cancelling a timer for each costs more than parsing the answer. Here a connection owns one
timer, which is only ever too early: moving the deadline further away is a store of a number, and
the timer, when it fires, goes by what it finds. In the steady state it fires once per timeout,
not once per request.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from threading import get_ident
from typing import Final, Protocol, final

from tulip_net import ClosedError

NEVER: Final = math.inf
"""A deadline that is none."""


class Timer(Protocol):
    """A callback that will be called."""

    def cancel(self) -> None:
        """Do not call it."""
        ...


class Clock(Protocol):
    """What is used of an event loop; times are seconds on its clock."""

    def time(self) -> float:
        """Return the time."""
        ...

    def call_at(self, when: float, callback: Callable[[], object], /) -> Timer:
        """Call ``callback`` at that time."""
        ...


class Loop(Clock, Protocol):
    """The same event loop, as other threads see it."""

    @property
    def thread(self) -> int | None:
        """The thread that runs it, by `threading.get_ident`."""
        ...

    def call_soon_threadsafe(self, callback: Callable[[], object], /) -> object:
        """Call ``callback`` in that thread."""
        ...


def call_in_loop(loop: Loop, callback: Callable[[], object]) -> None:
    """Call ``callback`` now if this is the loop's thread, else soon, in that thread.

    For whatever the garbage collector may begin, which runs in any thread.
    """
    if loop.thread in {None, get_ident()}:
        callback()
        return
    try:
        loop.call_soon_threadsafe(callback)
    except ClosedError:
        callback()


@final
class Alarm:
    """Calls a function when its time is up.

    Args:
        loop: Whose clock and timers are used.
        callback: What to call. `close` lets go of it.

    Attributes:
        deadline: When to call, or `NEVER`. To store one no sooner than `fires_at` is as good as
            `set`, and costs no call.
        fires_at: When the timer will go by it.
    """

    __slots__ = ("_callback", "_loop", "_timer", "deadline", "fires_at")

    def __init__(self, loop: Clock, callback: Callable[[], object]) -> None:
        self._loop = loop
        self._callback: Callable[[], object] | None = callback
        self.deadline = NEVER
        self._timer: Timer | None = None
        self.fires_at = NEVER

    def set(self, deadline: float) -> None:
        """Call at ``deadline`` on the loop's clock, instead of when was set before."""
        self.deadline = deadline
        if deadline < self.fires_at:
            self._arm(deadline)

    def advance(self, deadline: float) -> None:
        """Call at ``deadline`` if that is sooner than what was set."""
        if deadline < self.deadline:
            self.set(deadline)

    def clear(self) -> None:
        """Do not call. The timer stays: the next request will most likely use it."""
        self.deadline = NEVER

    def close(self) -> None:
        """Never call again, and take the timer out of the loop."""
        self._callback = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _arm(self, when: float) -> None:
        if self._callback is None:
            return  # closed
        if self._timer is not None:
            self._timer.cancel()
        self.fires_at = when
        self._timer = self._loop.call_at(when, self._fire)

    def _fire(self) -> None:
        self._timer = None
        self.fires_at = NEVER
        if self.deadline <= self._loop.time():
            if self._callback is not None:
                self._callback()
        elif self.deadline < NEVER:
            self._arm(self.deadline)
