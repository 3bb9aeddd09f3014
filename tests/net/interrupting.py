"""Operations that are cancelled now and then: at once, after some turns, by a timeout."""

import random
from collections.abc import Awaitable
from typing import TypeVar

from tulip_net import Coroutine, create_task, move_on_after, sleep

T = TypeVar("T")


async def interrupted(luck: random.Random, coro: Coroutine[T]) -> list[T]:
    """Run an operation; return its result alone in a list, which is empty if it was cancelled."""
    match luck.randrange(6):
        case 0 | 1:
            return [await coro]
        case 2:
            return await _in_time(coro, luck.choice([0, 0.001, 0.003]))
        case 3:
            return await _cancelled_after(coro, 0)
        case _:
            return await _cancelled_after(coro, luck.choice([1, 1, 1, 2, 3, 5]))


async def _in_time(coro: Awaitable[T], seconds: float) -> list[T]:
    with move_on_after(seconds):
        return [await coro]
    return []


async def _cancelled_after(coro: Coroutine[T], turns: int) -> list[T]:
    task = create_task(coro)
    for _ in range(turns):
        await sleep(0)
    task.cancel()
    await task.wait()
    return [] if task.cancelled() else [task.result()]
