"""trio. A task lives in a nursery, so the way to start one and join it is a nursery for it."""

from collections.abc import Awaitable, Callable

import trio
import trio.testing

from benchmarks.harness.meter import Meter
from benchmarks.scheduling.bursts import bursts


def run(case: Callable[[Meter], Awaitable[None]], meter: Meter) -> None:
    """Run a case."""
    trio.run(case, meter)


async def switch(meter: Meter) -> None:
    """Take turns among 100 tasks."""

    async def turns(count: int) -> None:
        for _ in range(count):
            await trio.sleep(0)

    for count in meter:
        async with trio.open_nursery() as nursery:
            for _ in range(100):
                nursery.start_soon(turns, count // 100)


async def spawn_one(meter: Meter) -> None:
    """Start a task and wait for it, one at a time."""
    for count in meter:
        for _ in range(count):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(nothing)


async def spawn_many(meter: Meter) -> None:
    """Start tasks in a nursery, 100 at a time."""
    for count in meter:
        for _ in range(count // 100):
            async with trio.open_nursery() as nursery:
                for _ in range(100):
                    nursery.start_soon(nothing)


async def timeout(meter: Meter) -> None:
    """Enter and leave a timeout."""
    for count in meter:
        for _ in range(count):
            with trio.fail_after(10):
                pass


async def threadsafe(meter: Meter) -> None:
    """Call into the loop from another thread."""
    await trio.to_thread.run_sync(bursts, meter, trio.lowlevel.current_trio_token().run_sync_soon)


async def lock(meter: Meter) -> None:
    """Take and give back a lock that nobody else wants."""
    mutex = trio.Lock()
    for count in meter:
        for _ in range(count):
            await mutex.acquire()
            mutex.release()


async def queue(meter: Meter) -> None:
    """Put an item into a channel and take it out."""
    put, get = trio.open_memory_channel[int](10)
    for count in meter:
        for item in range(count):
            await put.send(item)
            await get.receive()


async def park(meter: Meter) -> None:
    """Start tasks that wait for an event, and keep them."""
    event = trio.Event()
    async with trio.open_nursery() as nursery:
        for count in meter:
            for _ in range(count):
                nursery.start_soon(event.wait)
            await trio.testing.wait_all_tasks_blocked()
        event.set()


async def nothing() -> None:
    """Do nothing, as a coroutine."""
