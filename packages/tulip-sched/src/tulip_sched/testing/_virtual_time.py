"""A context whose time passes only when its tasks wait."""

from collections.abc import Iterator
from contextlib import contextmanager

from tulip_poll import EventLoop
from tulip_sched._context import Context
from tulip_sched.testing._clock import JumpingPollster, VirtualClock
from tulip_sched.testing._leaks import checked
from tulip_sched.testing._random_order import RandomOrder


@contextmanager
def virtual_time(
    clock: VirtualClock | None = None, *, seed: int | None = None, patience: float = 0.0
) -> Iterator[Context]:
    """Let what runs inside this ``with`` block, in this thread, wait without taking time.

    Args:
        clock: Shows the time. Default: a new one, from 0; ``context.eventloop.time()`` reads it.
        seed: Chooses the order in which tasks run, the same for the same seed; see `RandomOrder`.
            ``None`` for the usual order.
        patience: Real seconds to wait for a descriptor before time jumps. 0, unless an answer
            comes from another process: while that one computes, nothing here is ready.

    Returns:
        For ``as``: the thread's context, whose loop jumps to its next deadline whenever nothing
        is ready. Real descriptors are served before any jump, and functions in threads
        (`call_in_thread`) are waited for: meanwhile time stands still, unless they wait for a
        task themselves (`call_from_thread`); so it does while a `Portal` is open.

    Raises:
        LeakError: At the end of the block: something was left behind. Not if the block fails.

    ``run(main())`` inside the block uses this context; other threads keep theirs.
    """
    clock = VirtualClock() if clock is None else clock
    pollster = JumpingPollster(clock, patience)
    arrange = None if seed is None else RandomOrder(seed)
    pollster.context = Context(EventLoop(pollster, clock, arrange=arrange))
    with checked(pollster.context) as context:
        yield context
