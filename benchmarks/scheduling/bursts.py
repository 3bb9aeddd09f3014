"""Calls into a loop from another thread, in bursts: the same for all competitors."""

import threading
from collections.abc import Callable

from benchmarks.harness.meter import Meter

BURST = 100


def nothing() -> None:
    """Be called."""


def bursts(meter: Meter, call_soon_threadsafe: Callable[[Callable[[], object]], object]) -> None:
    """Call into the loop, and wait after each burst until its last call has arrived."""
    arrived = threading.Event()
    for count in meter:
        for _ in range(count // BURST):
            for _ in range(BURST - 1):
                call_soon_threadsafe(nothing)
            call_soon_threadsafe(arrived.set)
            arrived.wait()
            arrived.clear()
