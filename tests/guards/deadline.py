"""A deadline for every test: what hangs fails with the stack of every thread; the suite goes on.

A signal raises in the main thread wherever it waits, because Python's own waits run signal handlers
(PEP 475). It repeats, as the first exception may meet an ``except BaseException``. Code that no
signal can interrupt is left to pytest's ``faulthandler_timeout``, which ends the run.
"""

import signal
import sys
import threading
import traceback
from collections.abc import Generator
from types import FrameType

import pytest

USUAL_SECONDS = 20.0
SLOW_SECONDS = 300.0
REPEAT_SECONDS = 2.0


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Run the test, its fixtures included, under an alarm."""
    if (
        not hasattr(signal, "setitimer")
        or threading.current_thread() is not threading.main_thread()
    ):
        return (yield)
    limit = deadline_of(item)

    def on_alarm(_signum: int, _frame: FrameType | None) -> None:
        pytest.fail(f"still running after {limit:g} s\n{stacks_of_other_threads()}")

    previous = signal.signal(signal.SIGALRM, on_alarm)
    signal.setitimer(signal.ITIMER_REAL, limit, REPEAT_SECONDS)
    try:
        return (yield)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)


def deadline_of(item: pytest.Item) -> float:
    """Return the seconds that a test may take, with its setup and teardown."""
    marker = item.get_closest_marker("timeout")
    if marker is not None:
        return float(marker.args[0])
    return SLOW_SECONDS if item.get_closest_marker("slow") else USUAL_SECONDS


def stacks_of_other_threads() -> str:
    """Return what every thread but this one is doing; the traceback shows this one."""
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    return "\n".join(
        f"thread {names.get(ident, ident)}:\n{''.join(traceback.format_stack(frame))}"
        for ident, frame in sys._current_frames().items()
        if ident != threading.get_ident()
    )
