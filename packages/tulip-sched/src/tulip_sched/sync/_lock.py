"""The lock."""

from typing import NoReturn, final

from tulip_sched._context import current_task
from tulip_sched._typing import override
from tulip_sched.sync._owned_lock import OwnedLock


@final
class Lock(OwnedLock):
    """Lets one task in at a time, first come, first served.

    The task that acquired it has to release it, and must not acquire it twice: see `RLock`.

    ``async with lock:``, or in generators ``with (yield from lock.holding()):``.
    """

    __slots__ = ()

    @override
    def _acquired_again(self) -> NoReturn:
        raise RuntimeError(
            f"task {current_task().name!r} would wait for itself: it holds {self!r} already "
            "(an RLock may be acquired twice)"
        )
