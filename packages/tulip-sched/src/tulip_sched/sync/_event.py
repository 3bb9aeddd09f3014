"""The event."""

from threading import get_ident
from typing import Literal, final

from tulip_sched._context import current_task
from tulip_sched._coroutine import Gen, coroutine
from tulip_sched._typing import override
from tulip_sched.sync._line import Line
from tulip_sched.sync._one_thread import OneThread


@final
class Event(OneThread):
    """A flag that tasks can wait for; at first it is not set."""

    __slots__ = ("__weakref__", "_line", "_set")

    def __init__(self) -> None:
        super().__init__()
        self._set = False
        self._line: Line[None] = Line("Event.wait")

    def is_set(self) -> bool:
        """Return whether the flag is set."""
        return self._set

    def set(self) -> None:
        """Set the flag and resume every task that waits for it, in the order they came.

        Raises:
            WrongThreadError: Called in another thread than that of its tasks.
        """
        if get_ident() != self._thread:
            self._enter()
        self._set = True
        self._line.serve_all(None)

    def clear(self) -> None:
        """Take the flag back. A task that was waiting when it was set is resumed all the same.

        Raises:
            WrongThreadError: Called in another thread than that of its tasks.
        """
        if get_ident() != self._thread:
            self._enter()
        self._set = False

    @coroutine
    def wait(self) -> Gen[Literal[True]]:
        """Wait until the flag is set; do not suspend if it is.

        Returns:
            True.

        Raises:
            WrongThreadError: Called in another thread than that of its tasks.
        """
        if get_ident() != self._thread:
            self._enter()
        if not self._set:
            self._line.join(current_task(), None)
            yield
        return True

    @override
    def __repr__(self) -> str:
        state = "set" if self._set else f"not set, {len(self._line)} waiting"
        return f"<Event at {id(self):#x}, {state}>"
