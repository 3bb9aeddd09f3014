"""Ctrl-C: the first one cancels the main task, the second one is immediate."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from tulip_sched._task import Task


class Interrupt:
    """Whether a Ctrl-C arrived, and whether a second one did."""

    def __init__(self) -> None:
        self.arrived = False
        self.immediate = False


@contextmanager
def cancel_on_interrupt(task: Task[Any]) -> Iterator[Interrupt]:
    """Turn the first SIGINT into ``task.cancel()`` while the block runs.

    Where SIGINT is not Python's own to handle (another thread, a handler of the program's own),
    nothing is changed.
    """
    interrupt = Interrupt()
    if (
        threading.current_thread() is not threading.main_thread()
        or signal.getsignal(signal.SIGINT) is not signal.default_int_handler
    ):
        yield interrupt
        return

    def on_interrupt(number: int, frame: FrameType | None) -> None:
        if interrupt.arrived:
            interrupt.immediate = True
            signal.default_int_handler(number, frame)
        interrupt.arrived = True
        # The signal may have come in the middle of anything: the loop does it in its turn.
        task._context.eventloop.call_soon_threadsafe(task.cancel)

    task._context.eventloop.wake_on_signals()  # whichever thread gets it
    signal.signal(signal.SIGINT, on_interrupt)
    try:
        yield interrupt
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
