"""The calls from other threads that a run owes an answer.

A call is a `concurrent.futures.Future`. No call outlives the run: when the run ends, calls that
were not served fail with `ClosedError`, and new ones are refused, before the run waits for its
threads. Otherwise a thread that waits for the loop and a loop that waits for the thread would
wait for ever.

A thread may cancel its call at any moment, so whoever answers one is ready to find it cancelled.
"""

from contextlib import suppress
from contextvars import ContextVar
from threading import Lock, get_ident
from typing import TYPE_CHECKING, Any, Final, final

from tulip_poll import ClosedError, EventLoop

if TYPE_CHECKING:
    from concurrent.futures import Future

    from tulip_sched._context import Context


HOME: Final["ContextVar[Context]"] = ContextVar("tulip_home")
"""Set in the threads of `call_in_thread`: the context they were called from."""


@final
class Calls:
    """Where other threads leave their calls; open while a run is under way."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._owed: set[Future[Any]] = set()
        self._blocking: dict[Future[Any], object] = {}
        self._loop: EventLoop | None = None
        self._thread: int | None = None

    def open(self, loop: EventLoop) -> None:
        """Accept calls from now on, for this loop and the thread that calls this."""
        self._thread = get_ident()
        self._loop = loop

    def close(self) -> None:
        """Refuse calls from now on, and fail those that were not answered."""
        with self._lock:
            self._loop = self._thread = None
            owed, self._owed = self._owed, set()
        if not owed:
            return
        from concurrent.futures import InvalidStateError

        for call in owed:
            with suppress(InvalidStateError):
                call.set_exception(ClosedError("the run ended before it answered this call"))

    def leave(self) -> None:
        """Have calls refused in a forked process, by the loop; another thread may have the lock."""
        self._lock = Lock()
        self._thread = None

    def blocked(self) -> int:
        """Return how many of those that hold the loop wait for it themselves."""
        with self._lock:
            return len(set(self._blocking.values()))

    def add(self, call: "Future[Any]", holder: object = None) -> EventLoop:
        """Owe an answer to a call, until the call is done.

        Args:
            call: What is to be answered.
            holder: Who holds the loop and does nothing until the answer; ``None``: nobody.

        Returns:
            The loop of the run, which will have been closed if the run has ended since.

        Raises:
            RuntimeError: This is the thread that would have to answer.
            ClosedError: The run is over, or has not begun.
        """
        if self._thread == get_ident():
            raise RuntimeError("this is the loop's own thread: drive the coroutine instead")
        with self._lock:
            loop = self._loop
            if loop is None:
                raise ClosedError("no run is under way in the thread that was called")
            self._owed.add(call)
            if holder is not None:
                self._blocking[call] = holder
        call.add_done_callback(self._answered)
        return loop

    def _answered(self, call: "Future[Any]") -> None:
        with self._lock:
            self._owed.discard(call)
            self._blocking.pop(call, None)
