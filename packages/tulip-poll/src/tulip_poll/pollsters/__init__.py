"""One pollster for each kernel facility, and the choice between them.

Every class can be imported everywhere; making one that the platform lacks raises
``NotImplementedError``. Every file has the same parts: what is used of the facility, as a
protocol (so that each is type-checked for its own platform); a function that opens it; the
class.
"""

import select

from tulip_poll._pollster import Pollster
from tulip_poll.pollsters._epoll import EpollPollster
from tulip_poll.pollsters._kqueue import KqueuePollster
from tulip_poll.pollsters._poll import PollPollster
from tulip_poll.pollsters._select import SelectPollster

__all__ = [
    "EpollPollster",
    "KqueuePollster",
    "PollPollster",
    "SelectPollster",
    "default_pollster",
]


def default_pollster() -> Pollster:
    """Return a new pollster of the best kind that this platform has.

    That is epoll, else kqueue, both of which cost nothing for a descriptor that is not
    ready; else poll, which has no limit on numbers; else select.
    """
    if hasattr(select, "epoll"):
        return EpollPollster()
    if hasattr(select, "kqueue"):
        return KqueuePollster()
    if hasattr(select, "poll"):
        return PollPollster()
    return SelectPollster()
