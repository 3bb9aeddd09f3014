"""Events of descriptors that were forgotten, while they are in the queue.

`EventLoop.forget` gives the handles of a descriptor back: they are their owner's, who may schedule
them again. The events of this round that are in the queue, under the same handles, are for a file
that is about to be closed, and must not be delivered. To look for them in the queue would take
time for each entry of it: quadratic when ten thousand connections end in one round.

So the handle's call is put aside, and put back when the next round begins: by then the events of
this one have come and gone, and whatever is in the queue was scheduled since.
"""

from collections import deque
from collections.abc import Callable
from itertools import islice
from typing import final

from tulip_poll._handle import Handle, QueueEntry


def _not_in_this_round() -> None:
    """Stand for the call of a handle whose descriptor was forgotten in this round."""


def _not_any_more() -> None:
    """Stand for an event that was left in the queue by a round that did not get to it."""


NOT_ANY_MORE = Handle(_not_any_more)


@final
class Withheld:
    """The handles that are not to be called in this round.

    Attributes:
        calls: Their calls, put aside.
    """

    __slots__ = ("calls",)

    def __init__(self) -> None:
        self.calls: dict[Handle, Callable[[], object]] = {}

    def add(self, handle: Handle) -> None:
        """Put the call of a handle aside. Costs the same however long the queue is."""
        self.calls[handle] = handle._call
        handle._call = _not_in_this_round

    def give_back(self, queue: deque[QueueEntry], old: int) -> None:
        """Put the calls back, those of handles that were cancelled meanwhile excepted.

        Args:
            queue: The loop's queue.
            old: How many entries at its front are events that were there before: an exception,
                or an arranged order, kept their round from getting to them.
        """
        calls = self.calls
        stale = [at for at, entry in enumerate(islice(queue, old)) if entry in calls]
        for position in stale:
            queue[position] = NOT_ANY_MORE
        for handle, call in calls.items():
            if handle._call is _not_in_this_round:
                handle._call = call
        calls.clear()
