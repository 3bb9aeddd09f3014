"""One task at a time does a thing; others wait until it is done."""

from __future__ import annotations

from collections import deque
from typing import Any, final

from tulip_sched import Gen, Task, block, coroutine, current_task

__all__ = ["Turns"]


@final
class Turns:
    """Who is at it, and who waits.

    Attributes:
        taken: Somebody is at it. Set it, and in the end clear it and call `wake`.
        waiting: Those who wait.
    """

    __slots__ = ("taken", "waiting")

    def __init__(self) -> None:
        self.taken: bool = False
        self.waiting: deque[Task[Any]] | None = None  # hardly ever anybody

    @coroutine
    def wait(self) -> Gen[None]:
        """Wait until it is done."""
        task = current_task()
        waiting = self.waiting = self.waiting or deque()
        waiting.append(task)
        block(lambda: waiting.remove(task))
        yield

    def wake(self) -> None:
        """Let the others look again."""
        while self.waiting:
            self.waiting.popleft().unblock()
