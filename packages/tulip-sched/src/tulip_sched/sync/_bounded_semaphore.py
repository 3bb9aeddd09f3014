"""The semaphore that notices a release too many."""

from typing import final

from tulip_sched._typing import override
from tulip_sched.sync._semaphore import Semaphore


@final
class BoundedSemaphore(Semaphore):
    """A `Semaphore` that never has more permits than at first.

    Args:
        value: How many permits there are, at least 0.

    Raises:
        ValueError: ``value`` is negative.
    """

    __slots__ = ("_bound",)

    def __init__(self, value: int = 1) -> None:
        super().__init__(value)
        self._bound = value

    @override
    def release(self) -> None:
        """Give a permit back, or hand it to the task that has waited longest.

        Raises:
            ValueError: No permit is taken.
            WrongThreadError: Called in another thread than that of its tasks.
        """
        if self._value >= self._bound:
            raise ValueError(f"{self!r} was released more often than it was acquired")
        super().release()
