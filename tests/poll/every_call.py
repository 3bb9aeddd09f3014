"""Every call into an event loop that only its own thread may make, and only before it is closed."""

import os
import signal
import socket
from collections.abc import Callable

from tulip_poll import EventLoop, Handle


def every_call(loop: EventLoop, here: socket.socket) -> dict[str, Callable[[], object]]:
    """Return the calls, by the names of the methods; with a descriptor where one is needed."""
    return {
        "run": loop.run,
        "run_once": loop.run_once,
        "stop": loop.stop,
        "hold": loop.hold,
        "release": loop.release,
        "fileno": loop.fileno,
        "stats": loop.stats,
        "next_deadline": loop.next_deadline,
        "wake_on_signals": loop.wake_on_signals,
        "call_soon": lambda: loop.call_soon(int),
        "schedule": lambda: loop.schedule(Handle(int)),
        "call_later": lambda: loop.call_later(1, int),
        "call_at": lambda: loop.call_at(1, int),
        "add_reader": lambda: loop.add_reader(here, int),
        "add_writer": lambda: loop.add_writer(here, int),
        "remove_reader": lambda: loop.remove_reader(here),
        "remove_writer": lambda: loop.remove_writer(here),
        "forget": lambda: loop.forget(here),
        "add_signal_handler": lambda: loop.add_signal_handler(signal.SIGUSR1, int),
        "remove_signal_handler": lambda: loop.remove_signal_handler(signal.SIGUSR1),
        "watch_child": lambda: loop.watch_child(os.getpid(), lambda code: None),
        "report_slow_callbacks": lambda: loop.report_slow_callbacks(1),
    }


OTHERS = {"call_soon_threadsafe", "check_thread", "close"}
"""Methods that other threads may call, or that may be called after the loop was closed."""
