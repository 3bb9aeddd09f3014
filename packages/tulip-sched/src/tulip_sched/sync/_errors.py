"""The errors of synchronization.

`WouldBlockError` is the family of what a ``<op>_nowait`` raises instead of waiting. The queue's
errors have the names that users of asyncio know.
"""

from typing import final


class WouldBlockError(Exception):
    """The twin of this operation would have to wait."""


@final
class QueueFull(WouldBlockError):  # noqa: N818 - the name that asyncio gave it
    """There is no room for the item."""


@final
class QueueEmpty(WouldBlockError):  # noqa: N818 - the name that asyncio gave it
    """There is no item to take."""


@final
class QueueShutDown(Exception):  # noqa: N818 - the name that asyncio gave it
    """The queue was shut down: it takes no items, and has none left to give."""


@final
class BrokenBarrierError(Exception):
    """The barrier was aborted, or was reset while the task waited at it."""


def check_count(what: str, value: object) -> None:
    """Refuse a number of permits, items or tasks that is no integer.

    With a fraction a counter would pass by 0 and never stop anybody.

    Raises:
        TypeError: ``value`` is no integer.
    """
    if not isinstance(value, int):
        raise TypeError(f"{what} an integer number, got {value!r}")
