"""Pollsters over the kernel's readiness calls, an event loop of callbacks, a bridge to threads.

What this layer promises: readiness is never missed and never delivered to the wrong file;
no callback starves the others, or timers, or I/O; a loop is entered by its own thread only;
nothing is lost between threads. What it refuses to do: it knows no coroutine, no socket
option and no protocol; it runs callbacks.

In reading order: ``_errors``, ``_descriptors`` (what an ``fd`` may be), ``_source`` (where a
callback was written), ``_handle``, ``_timers`` (the queue of deadlines), ``_forked`` (what a forked
process has of all this), ``_pollster`` (the contract), ``pollsters`` (one file for each kernel
facility), ``_wrapper`` (a pollster around another), ``_wakeup`` (the self-pipe), ``_stats`` (what a
loop tells of itself), ``_withheld`` (events of what was forgotten), ``_scheduling`` (the queue, and
who may add to it), ``_iteration`` (the rounds), ``_signals``, ``_children``, ``_eventloop``,
``_threads``.
"""

from tulip_poll._children import Child, ChildProcess
from tulip_poll._descriptors import FileDescriptor, HasFileno
from tulip_poll._errors import ClosedError, WrongThreadError
from tulip_poll._eventloop import EventLoop
from tulip_poll._handle import Handle, QueueEntry, TimerHandle
from tulip_poll._iteration import Arrange, ExceptionHandler, SlowReports
from tulip_poll._pollster import Pollster
from tulip_poll._stats import Leftovers, LoopStats, SlowCallback
from tulip_poll._threads import ThreadRunner
from tulip_poll._wrapper import PollsterWrapper
from tulip_poll.pollsters import (
    EpollPollster,
    KqueuePollster,
    PollPollster,
    SelectPollster,
    default_pollster,
)

__all__ = [
    "Arrange",
    "Child",
    "ChildProcess",
    "ClosedError",
    "EpollPollster",
    "EventLoop",
    "ExceptionHandler",
    "FileDescriptor",
    "Handle",
    "HasFileno",
    "KqueuePollster",
    "Leftovers",
    "LoopStats",
    "PollPollster",
    "Pollster",
    "PollsterWrapper",
    "QueueEntry",
    "SelectPollster",
    "SlowCallback",
    "SlowReports",
    "ThreadRunner",
    "TimerHandle",
    "WrongThreadError",
    "default_pollster",
]
