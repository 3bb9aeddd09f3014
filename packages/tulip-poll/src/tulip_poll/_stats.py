"""What a loop tells of itself: snapshots, frozen, for people to read."""

# Named tuples: making a dataclass takes seven times as long (0.5 ms), and the module `dataclasses`,
# which brings `inspect`, 7 ms more; the whole of this package's import takes some 11.
from typing import NamedTuple, final

from tulip_poll._handle import Handle, QueueEntry, TimerHandle


@final
class LoopStats(NamedTuple):
    """What an event loop has done, and what it has before it.

    Attributes:
        rounds: Iterations so far.
        callbacks: Callbacks called so far, cancelled ones in the queue included.
        readers: Descriptors watched for input.
        writers: Descriptors watched for output.
        parked: How many of these are kept for later, with nobody waiting.
        timers: Deadlines to come.
        queued: Callbacks that run in the next round.
        held: Calls of ``hold`` without their ``release``: work in threads, mostly.
        signals: Signals that have a handler.
    """

    rounds: int
    callbacks: int
    readers: int
    writers: int
    parked: int
    timers: int
    queued: int
    held: int
    signals: int


@final
class Leftovers(NamedTuple):
    """What was still registered when an event loop was closed, and will never be called.

    False when that is nothing.

    Attributes:
        readers: Handles of descriptors watched for input, in no order.
        writers: Handles of descriptors watched for output, in no order.
        timers: Timers, the earliest first.
        callbacks: The queue, in order.
        signals: The numbers of signals that had a handler, in order.
        children: The ids of child processes that were watched, in order.
        held: Calls of ``hold`` without their ``release``.
    """

    readers: tuple[Handle, ...] = ()
    writers: tuple[Handle, ...] = ()
    timers: tuple[TimerHandle, ...] = ()
    callbacks: tuple[QueueEntry, ...] = ()
    signals: tuple[int, ...] = ()
    children: tuple[int, ...] = ()
    held: int = 0

    def __bool__(self) -> bool:
        return self != Leftovers()


@final
class SlowCallback(NamedTuple):
    """A callback that kept the loop from everything else for too long.

    Attributes:
        source: The callback's name, file and line.
        seconds: How long it took, by the loop's clock.
    """

    source: str
    seconds: float


def log_slow_callback(slow: SlowCallback) -> None:
    """Write a warning to the logger ``tulip_poll``."""
    import logging  # late: it costs 5 ms, and few loops ever have something to say

    logger = logging.getLogger("tulip_poll")
    logger.warning("%s took %.3f s, and nothing else could run", slow.source, slow.seconds)
