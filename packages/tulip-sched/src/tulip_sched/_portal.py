"""The calls from other threads that a run owes an answer.

A call is a `concurrent.futures.Future`. No call outlives the run: when the run ends, calls that
were not served fail with `ClosedError`, and new ones are refused, before the run waits for its
threads. Otherwise a thread that waits for the loop and a loop that waits for the thread would
wait for ever.
"""

from contextvars import ContextVar
from threading import Lock, get_ident
from typing import TYPE_CHECKING, Any, final

from tulip_poll import ClosedError

if TYPE_CHECKING:
    from concurrent.futures import Future

    from tulip_sched._context import Context

home: "ContextVar[Context]" = ContextVar("tulip_home")
"""Set in the threads of `call_in_thread`: the context they were called from."""


@final
class Portal:
    """Where other threads leave their calls; open while a run is under way."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._calls: set[Future[Any]] = set()
        self._thread: int | None = None

    def open(self) -> None:
        """Accept calls from now on, for the thread that calls this."""
        self._thread = get_ident()

    def close(self) -> None:
        """Refuse calls from now on, and fail those that were not answered."""
        with self._lock:
            self._thread = None
            calls, self._calls = self._calls, set()
        for call in calls:
            if not call.done():
                call.set_exception(ClosedError("the run ended before it answered this call"))

    def add(self, call: "Future[Any]") -> None:
        """Owe an answer to a call, until the call is done.

        Raises:
            RuntimeError: This is the thread that would have to answer.
            ClosedError: The run is over, or has not begun.
        """
        if self._thread == get_ident():
            raise RuntimeError("this is the loop's own thread: drive the coroutine instead")
        with self._lock:
            if self._thread is None:
                raise ClosedError("no run is under way in the thread that was called")
            self._calls.add(call)
        call.add_done_callback(self._answered)

    def _answered(self, call: "Future[Any]") -> None:
        with self._lock:
            self._calls.discard(call)
