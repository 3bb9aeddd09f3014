"""A clock that stands still until it is moved, and the pollster that moves it."""

import math
from typing import final

from tulip_poll import EventLoop, Handle, PollsterWrapper, default_pollster
from tulip_sched._context import Context
from tulip_sched._typing import override


@final
class VirtualClock:
    """A clock for an event loop: seconds that pass only when somebody says so.

    Args:
        now: What it shows at first.

    Calling it tells the time, as `time.monotonic` does.
    """

    __slots__ = ("_now",)

    def __init__(self, now: float = 0.0) -> None:
        self._now = now

    def __call__(self) -> float:
        return self._now

    @property
    def now(self) -> float:
        """Seconds, from an arbitrary beginning."""
        return self._now

    def advance(self, seconds: float) -> None:
        """Let time pass: as if the code that runs had taken this long.

        Args:
            seconds: At least 0; time does not go back.

        Raises:
            ValueError: ``seconds`` is negative, infinite or not a number.
        """
        try:
            forward = 0 <= seconds < math.inf
        except TypeError:
            raise TypeError(f"a clock advances by a number of seconds, got {seconds!r}") from None
        if not forward:
            raise ValueError(f"a clock can advance by 0 seconds or more, got {seconds!r}")
        self._now += seconds

    @override
    def __repr__(self) -> str:
        return f"<VirtualClock {self._now:g} s>"


@final
class JumpingPollster(PollsterWrapper):
    """Serves real descriptors, and moves a clock where others wait.

    Args:
        clock: What it moves.
        patience: Real seconds to wait for a descriptor before time jumps.

    Attributes:
        context: That of the loop which polls; to be set once it is made.
    """

    def __init__(self, clock: VirtualClock, patience: float) -> None:
        super().__init__(default_pollster())
        self._clock = clock
        self._patience = patience
        self.context: Context | None = None

    @override
    def poll(self, timeout: float | None = None) -> list[Handle]:
        """Return what is ready; with nothing ready, jump ahead instead of waiting.

        Where a wait has no end, or a thread is at work for the loop, the wait is real: no jump
        could bring what is waited for. A thread that waits itself for a task is not at work.
        """
        ready = self._inner.poll(0)
        if ready or (timeout is not None and timeout <= 0):
            return ready
        context = self.context
        if context is None or timeout is None or timeout == math.inf:
            return self._inner.poll(None)
        loop = context.eventloop
        if loop.stats().held > context.calls.blocked():
            return self._inner.poll(None)
        if self._patience and self._inner.pollable():
            ready = self._inner.poll(self._patience)
        if not ready:
            self._jump(loop, timeout)
        return ready

    def _jump(self, loop: EventLoop, timeout: float) -> None:
        now, deadline = self._clock.now, loop.next_deadline()
        if deadline is None or timeout < deadline - now:
            self._clock.advance(timeout)
        else:
            # To the deadline itself: adding the difference may end just before it, by rounding.
            self._clock._now = max(now, deadline)
