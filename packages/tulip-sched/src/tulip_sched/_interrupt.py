"""Ctrl-C: the first one cancels the main task, the second one is immediate."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from tulip_sched._task import Task


class Interrupt:
    """Python's handler of SIGINT for the length of a run, and what it has seen.

    Attributes:
        arrived: A Ctrl-C arrived.
        immediate: And a second one.
        over: The run has ended. Whoever replaced this handler, the run's loop for example, may put
            it back afterwards: it is as good as Python's own then.
    """

    def __init__(self, task: Task[Any]) -> None:
        self.arrived = False
        self.immediate = False
        self.over = False
        self._task: Task[Any] | None = task

    def __call__(self, number: int, frame: FrameType | None) -> None:
        """Handle the signal, in the main thread."""
        task = self._task
        if task is None:
            signal.default_int_handler(number, frame)  # raises
        if self.arrived:
            self.immediate = True
            signal.default_int_handler(number, frame)
        self.arrived = True
        # The signal may have come in the middle of anything: the loop does it in its turn.
        task._context.eventloop.call_soon_threadsafe(task.cancel)

    def end(self) -> None:
        """Give SIGINT back to Python, unless somebody else has it by now."""
        self.over = True
        self._task = None
        if signal.getsignal(signal.SIGINT) is self:
            signal.signal(signal.SIGINT, signal.default_int_handler)


@contextmanager
def cancel_on_interrupt(task: Task[Any]) -> Iterator[Interrupt]:
    """Turn the first SIGINT into ``task.cancel()`` while the block runs.

    Where SIGINT is not Python's own to handle (another thread, a handler of the program's own),
    nothing is changed.
    """
    interrupt = Interrupt(task)
    if threading.current_thread() is not threading.main_thread() or not _is_pythons_own():
        yield interrupt
        return
    task._context.eventloop.wake_on_signals()  # whichever thread gets it
    signal.signal(signal.SIGINT, interrupt)
    try:
        yield interrupt
    finally:
        interrupt.end()


def _is_pythons_own() -> bool:
    handler = signal.getsignal(signal.SIGINT)
    if isinstance(handler, Interrupt):
        return handler.over
    return handler is signal.default_int_handler


def _begin_anew() -> None:
    """Give SIGINT back to Python in a forked process: the run is the parent's."""
    if isinstance(signal.getsignal(signal.SIGINT), Interrupt):
        signal.signal(signal.SIGINT, signal.default_int_handler)


if hasattr(os, "register_at_fork"):
    # After that of the layer below, which puts back the handlers that its loops have replaced.
    os.register_at_fork(after_in_child=_begin_anew)
