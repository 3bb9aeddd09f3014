"""asyncio."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from benchmarks.harness.meter import Meter
from benchmarks.scheduling.bursts import bursts


def run(case: Callable[[Meter], Coroutine[Any, Any, None]], meter: Meter) -> None:
    """Run a case."""
    asyncio.run(case(meter))


async def switch(meter: Meter) -> None:
    """Take turns among 100 tasks."""

    async def turns(count: int) -> None:
        for _ in range(count):
            await asyncio.sleep(0)

    for count in meter:
        async with asyncio.TaskGroup() as group:
            for _ in range(100):
                group.create_task(turns(count // 100))


async def spawn_one(meter: Meter) -> None:
    """Start a task and wait for it, one at a time."""
    for count in meter:
        for _ in range(count):
            await asyncio.create_task(nothing())


async def spawn_many(meter: Meter) -> None:
    """Start tasks in a group, 100 at a time."""
    for count in meter:
        for _ in range(count // 100):
            async with asyncio.TaskGroup() as group:
                for _ in range(100):
                    group.create_task(nothing())


async def timeout(meter: Meter) -> None:
    """Enter and leave a timeout."""
    for count in meter:
        for _ in range(count):
            async with asyncio.timeout(10):
                pass


async def threadsafe(meter: Meter) -> None:
    """Call into the loop from another thread."""
    await asyncio.to_thread(bursts, meter, asyncio.get_running_loop().call_soon_threadsafe)


async def lock(meter: Meter) -> None:
    """Take and give back a lock that nobody else wants."""
    mutex = asyncio.Lock()
    for count in meter:
        for _ in range(count):
            await mutex.acquire()
            mutex.release()


async def queue(meter: Meter) -> None:
    """Put an item into a queue and take it out."""
    items: asyncio.Queue[int] = asyncio.Queue(10)
    for count in meter:
        for item in range(count):
            await items.put(item)
            await items.get()


async def park(meter: Meter) -> None:
    """Start tasks that wait for an event, and keep them."""
    event = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        for count in meter:
            for _ in range(count):
                group.create_task(event.wait())
            await asyncio.sleep(0)
        event.set()


async def nothing() -> None:
    """Do nothing, as a coroutine."""
