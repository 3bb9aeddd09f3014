"""The check that a primitive is used by one thread only."""

from threading import current_thread, get_ident

from tulip_poll import WrongThreadError
from tulip_sched._context import current_context


class OneThread:
    """What belongs to the thread of the first task that uses it.

    Until then every thread may use it, so a queue can be filled before the thread that empties
    it is started.

    Each operation compares ``_thread`` with its own thread and, where they differ, calls
    ``_enter``. Only one comparison, as the operation itself takes hardly longer. Without it, an
    item put by another thread would lie there until something else woke the loop.
    """

    __slots__ = ("_thread", "_thread_name")

    def __init__(self) -> None:
        self._thread: int | None = None
        self._thread_name = ""

    def _enter(self) -> None:
        """Refuse another thread, or bind to the thread of the task that runs."""
        if self._thread is not None:
            raise WrongThreadError(
                f"{self!r} belongs to thread {self._thread_name!r} and was used by "
                f"{current_thread().name!r}; from there, hand the call over with the event "
                "loop's call_soon_threadsafe()"
            )
        if current_context().current_task is not None:
            self._thread = get_ident()
            self._thread_name = current_thread().name
