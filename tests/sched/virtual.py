"""Time that passes only when the loop waits, over descriptors that are real."""

import select
from collections import deque
from collections.abc import Callable

from tulip_poll import Handle, Pollster, QueueEntry
from tulip_sched import Context, EventLoop

# How long a loop without a timer may really wait, in milliseconds: for a thread, never for long.
PATIENCE = 5000


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self, now: float = 1000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


class VirtualPollster(Pollster):
    """Looks at real descriptors, and moves a clock instead of waiting.

    Attributes:
        kernel_calls: How often a registration was made, changed or removed.
    """

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self.clock = clock
        self.kernel_calls = 0
        self._kernel = select.poll()

    def poll(self, timeout: float | None = None) -> list[Handle]:  # type: ignore[explicit-override]
        self.pollable()
        events = self._kernel.poll(0)
        if not events and timeout is None:
            events = self._kernel.poll(PATIENCE)
            assert events, "the loop would wait for ever"
        elif not events and timeout is not None and timeout > 0:
            assert timeout < 1e9, "the loop would wait for ever"
            self.clock.now += timeout
        ready: list[Handle] = []
        for fd, mask in events:
            if mask & ~select.POLLOUT and fd in self._readers:
                ready.append(self._readers[fd])
            if mask & ~select.POLLIN and fd in self._writers:
                ready.append(self._writers[fd])
        return ready

    def close(self) -> None:  # type: ignore[explicit-override]
        self._forget_all()

    def _attach(self, fd: int, direction: int, /) -> None:  # type: ignore[explicit-override]
        self._change(fd, self._interest(fd) | direction)

    def _detach(self, fd: int, direction: int, /) -> None:  # type: ignore[explicit-override]
        self._change(fd, self._interest(fd))

    def _change(self, fd: int, wanted: int) -> None:
        self.kernel_calls += 1
        events = (select.POLLIN if wanted & 1 else 0) | (select.POLLOUT if wanted & 2 else 0)
        if events:
            self._kernel.register(fd, events)
        else:
            self._kernel.unregister(fd)


class Virtual:
    """A context whose time passes only when its loop waits.

    Args:
        arrange: As of `EventLoop`.
    """

    def __init__(self, arrange: Callable[[deque[QueueEntry]], int] | None = None) -> None:
        self.clock = Clock()
        self.pollster = VirtualPollster(self.clock)
        self.loop = EventLoop(self.pollster, self.clock, arrange=arrange)
        self.context = Context(self.loop)

    @property
    def now(self) -> float:
        """Seconds since the test began."""
        return self.clock.now - 1000.0

    @property
    def rounds(self) -> int:
        """How many rounds the loop has made."""
        return self.loop.stats().rounds

    def left(self) -> str:
        """Say what is registered with the loop, parked readiness aside; empty for nothing."""
        stats = self.loop.stats()
        waited_for = stats.readers + stats.writers - stats.parked
        counts = {
            "descriptors": waited_for,
            "timers": stats.timers,
            "callbacks": stats.queued,
            "threads": stats.held,
            "tasks": len(self.context.tasks),
        }
        return ", ".join(f"{count} {what}" for what, count in counts.items() if count)
