"""The lock that its owner may acquire again."""

from typing import final

from tulip_sched._typing import override
from tulip_sched.sync._owned_lock import OwnedLock


@final
class RLock(OwnedLock):
    """Lets one task in at a time, as often as that task likes; first come, first served.

    It is free again when it was released as often as it was acquired.

    ``async with lock:``, or in generators ``with (yield from lock.holding()):``.
    """

    __slots__ = ()

    @override
    def _acquired_again(self) -> None:
        self._count += 1
