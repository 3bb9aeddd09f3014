"""The barrier."""

from collections.abc import Coroutine as NativeCoroutine
from threading import get_ident
from types import TracebackType
from typing import Any, final

from tulip_sched._context import current_task
from tulip_sched._coroutine import Gen, coroutine
from tulip_sched._typing import override
from tulip_sched.sync._errors import BrokenBarrierError, check_count
from tulip_sched.sync._holding import DONE
from tulip_sched.sync._line import Line
from tulip_sched.sync._one_thread import OneThread


@final
class Barrier(OneThread):
    """Lets tasks go on once a number of them have arrived; then it is there for the next ones.

    Args:
        parties: How many, at least 1.

    ``async with barrier as position:`` waits at the beginning of the block.

    Raises:
        TypeError: ``parties`` is no integer.
        ValueError: ``parties`` is less than 1.
    """

    __slots__ = ("__weakref__", "_broken", "_line", "_parties")

    def __init__(self, parties: int) -> None:
        super().__init__()
        check_count("a Barrier is for", parties)
        if parties < 1:
            raise ValueError(f"a Barrier is for at least 1 task, got {parties}")
        self._parties = parties
        self._broken = False
        self._line: Line[int] = Line("Barrier.wait")

    @property
    def parties(self) -> int:
        """How many tasks it takes."""
        return self._parties

    @property
    def n_waiting(self) -> int:
        """How many tasks wait now."""
        return len(self._line)

    @property
    def broken(self) -> bool:
        """Whether `abort` was called, and no `reset` since."""
        return self._broken

    @coroutine
    def wait(self) -> Gen[int]:
        """Wait until enough tasks have arrived; the last to arrive does not suspend.

        Returns:
            A number from 0 to ``parties - 1``, another one for each of the tasks that go on
            together, in the order in which they came.

        Raises:
            BrokenBarrierError: The barrier is broken, or was aborted or reset meanwhile.
            WrongThreadError: Called in another thread than that of its tasks.

        A task that is cancelled has not arrived: the others wait for one in its place.
        """
        if get_ident() != self._thread:
            self._enter()
        if self._broken:
            raise self._is_broken()
        last = self._parties - 1
        if len(self._line) < last:
            place = self._line.join(current_task(), 0)
            yield
            return place.gift
        for position in range(last):
            self._line.serve(position)
        return last

    def reset(self) -> None:
        """Begin anew: tasks that wait get `BrokenBarrierError`, and the barrier is not broken.

        Raises:
            WrongThreadError: Called in another thread than that of its tasks.
        """
        if get_ident() != self._thread:
            self._enter()
        self._broken = False
        self._line.refuse_all(lambda: BrokenBarrierError(f"{self!r} was reset"))

    def abort(self) -> None:
        """Break it: tasks that wait, and those that come, get `BrokenBarrierError`.

        Raises:
            WrongThreadError: Called in another thread than that of its tasks.
        """
        if get_ident() != self._thread:
            self._enter()
        self._broken = True
        self._line.refuse_all(self._is_broken)

    def _is_broken(self) -> BrokenBarrierError:
        return BrokenBarrierError(f"{self!r} was aborted")

    def __aenter__(self) -> "NativeCoroutine[Any, Any, int]":
        return self.wait()  # type: ignore[return-value]

    def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> "NativeCoroutine[Any, Any, None]":
        return DONE

    @override
    def __repr__(self) -> str:
        state = "broken" if self._broken else f"{len(self._line)} of {self._parties} waiting"
        return f"<Barrier at {id(self):#x}, {state}>"
