"""The semaphore."""

from threading import get_ident
from typing import TYPE_CHECKING

from tulip_sched._context import current_task
from tulip_sched._coroutine import Gen, coroutine
from tulip_sched._typing import override
from tulip_sched.sync._errors import WouldBlockError, check_count
from tulip_sched.sync._holding import Holdable
from tulip_sched.sync._line import Line
from tulip_sched.sync._one_thread import OneThread


class Semaphore(OneThread, Holdable):
    """A number of permits: each acquire takes one, each release gives one back.

    Args:
        value: How many permits there are at first, at least 0.

    Any task may release, also one that never acquired: see `BoundedSemaphore`.

    ``async with semaphore:``, or in generators ``with (yield from semaphore.holding()):``.

    Raises:
        TypeError: ``value`` is no integer.
        ValueError: ``value`` is negative.
    """

    __slots__ = ("__weakref__", "_line", "_value")

    def __init__(self, value: int = 1) -> None:
        super().__init__()
        check_count(f"a {type(self).__name__} starts with", value)
        if value < 0:
            raise ValueError(f"a {type(self).__name__} starts with at least 0, got {value}")
        # Whenever the line is not empty, this is 0.
        self._value = value
        self._line: Line[bool] = Line(f"{type(self).__name__}.acquire")

    @property
    def value(self) -> int:
        """How many permits are there to be taken."""
        return self._value

    def locked(self) -> bool:
        """Return whether an acquire would have to wait."""
        return self._value == 0

    @override
    @coroutine
    def acquire(self) -> Gen[None]:
        """Wait for a permit and take it; do not suspend if there is one.

        Raises:
            WrongThreadError: Called in another thread than that of its tasks.

        A cancelled wait leaves the line. A permit that was handed to a task is the task's, even
        if it is cancelled before it runs again.
        """
        if get_ident() != self._thread:
            self._enter()
        if self._value:
            self._value -= 1
        else:
            place = self._line.join(current_task(), False)
            try:
                yield
            except GeneratorExit:  # a run that is given up closes its tasks wherever they are
                if place.gift:
                    self.release()
                raise

    if not TYPE_CHECKING:  # one call less than through Holdable, which has the type
        __aenter__ = acquire

    def acquire_nowait(self) -> None:
        """Take a permit if there is one.

        Raises:
            WouldBlockError: There is none.
            WrongThreadError: Called in another thread than that of its tasks.
        """
        if get_ident() != self._thread:
            self._enter()
        if not self._value:
            raise WouldBlockError(f"{self!r} has no permit left")
        self._value -= 1

    @override
    def release(self) -> None:
        """Give a permit back, or hand it to the task that has waited longest.

        Raises:
            WrongThreadError: Called in another thread than that of its tasks.
        """
        if get_ident() != self._thread:
            self._enter()
        if self._line:
            self._line.serve(True)
        else:
            self._value += 1

    @override
    def __repr__(self) -> str:
        kind = type(self).__name__
        return f"<{kind} at {id(self):#x}, value {self._value}, {len(self._line)} waiting>"
