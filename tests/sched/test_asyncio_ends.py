"""The end of the last block that hosts tulip in asyncio, while others come, go, or cancel it."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from tulip_sched import (
    Event,
    Task,
    create_task,
    current_context,
    hosted_by_asyncio,
    run_in_asyncio,
    shield,
    sleep,
    wait_asyncio,
)


class Ending:
    """A block that is being left, while a task of it takes its time to clean up."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()
        self.may_end = Event()
        self.task: Task[None] | None = None

    async def block(self) -> None:
        async with hosted_by_asyncio():
            self.task = create_task(self._slow_to_end())
            await asyncio.sleep(0)

    async def _slow_to_end(self) -> None:
        try:
            await Event().wait()
        finally:
            self.begun.set()
            with shield():
                await self.may_end.wait()

    async def end(self) -> None:
        self.may_end.set()
        await sleep(0)


def test_who_comes_while_the_last_tasks_end_is_not_cancelled() -> None:
    async def newcomer(ending: Ending) -> int:
        await ending.end()
        assert ending.task is not None
        await ending.task.wait()
        await sleep(0.001)
        return 42

    async def main() -> None:
        ending = Ending()
        block = asyncio.create_task(ending.block())
        await ending.begun.wait()
        assert await run_in_asyncio(newcomer(ending)) == 42
        await block
        assert not current_context().running

    asyncio.run(main())


def test_who_comes_and_goes_while_the_last_tasks_end_leaves_one_end() -> None:
    async def main() -> None:
        ending = Ending()
        block = asyncio.create_task(ending.block())
        await ending.begun.wait()
        other = asyncio.create_task(run_in_asyncio(sleep(0)))
        await asyncio.sleep(0.002)
        ending.may_end.set()
        await asyncio.gather(block, other)
        assert not current_context().running

    asyncio.run(main())


def test_a_cancellation_while_the_last_tasks_end_comes_out_after_it() -> None:
    async def main() -> None:
        ending = Ending()
        block = asyncio.create_task(ending.block())
        await ending.begun.wait()
        block.cancel()
        await asyncio.sleep(0.001)
        assert not block.done()
        await run_in_asyncio(ending.end())
        with pytest.raises(asyncio.CancelledError):
            await block
        assert not current_context().running

    asyncio.run(main())


@pytest.mark.parametrize("at_once", [False, True])
@pytest.mark.parametrize("way", [asyncio.ensure_future, asyncio.gather])
def test_the_last_block_is_one_that_a_task_to_be_ended_waits_for(
    way: Callable[[Awaitable[None]], Awaitable[None]], at_once: bool
) -> None:
    """The task waits for the end of the block's asyncio task, which cannot wait for the task's."""
    seen: list[str] = []

    async def inner() -> None:
        await run_in_asyncio(sleep(1000 if at_once else 0.002))

    async def waits() -> None:
        try:
            await wait_asyncio(way(inner()))
        finally:
            with shield():
                await sleep(0.001)
            seen.append("cleaned up")

    async def main() -> None:
        async with hosted_by_asyncio():
            task = create_task(waits())
            await asyncio.sleep(0.001)
        if at_once:
            task.cancel()
        while current_context().running:
            await asyncio.sleep(0.001)
        assert seen == ["cleaned up"]
        assert task.cancelled()

    asyncio.run(asyncio.wait_for(main(), 5))
