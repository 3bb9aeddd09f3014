"""Time that passes only when a loop waits, and a pollster that waits by moving it."""

from collections import deque
from collections.abc import Iterable

from tulip_poll import Handle, Pollster
from tulip_poll._typing import override


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self, now: float = 1000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


class ScriptedPollster(Pollster):
    """Returns the handles of the descriptors that a script says are ready, poll after poll.

    It notes the timeouts it is given, and never really waits: with nothing ready it moves the
    clock instead. Waiting without a limit for nothing at all is a failed test.
    """

    def __init__(self, clock: Clock, script: Iterable[set[int]] = ()) -> None:
        super().__init__()
        self.clock = clock
        self.script = deque(script)
        self.timeouts: list[float | None] = []

    @override
    def poll(self, timeout: float | None = None) -> list[Handle]:
        self.timeouts.append(timeout)
        numbers = self.script.popleft() if self.script else set()
        self.pollable()
        ready: list[Handle] = [self._readers[number] for number in sorted(numbers)]
        if not ready:
            assert timeout is not None, "the loop would wait for ever"
            self.clock.now += max(timeout, 0)
        return ready

    @override
    def close(self) -> None:
        self._forget_all()

    @override
    def _attach(self, fd: int, direction: int, /) -> None:
        """Accept every number."""

    @override
    def _detach(self, fd: int, direction: int, /) -> None:
        """Accept every number."""
