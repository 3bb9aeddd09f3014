"""anyio, on asyncio, its default. A task lives in a task group, as in trio."""

from collections.abc import Awaitable, Callable

import anyio
import anyio.from_thread
import anyio.to_thread

from benchmarks.harness.meter import Meter
from benchmarks.scheduling.bursts import bursts


def run(case: Callable[[Meter], Awaitable[None]], meter: Meter) -> None:
    """Run a case."""
    anyio.run(case, meter)


async def switch(meter: Meter) -> None:
    """Take turns among 100 tasks."""

    async def turns(count: int) -> None:
        for _ in range(count):
            await anyio.sleep(0)

    for count in meter:
        async with anyio.create_task_group() as group:
            for _ in range(100):
                group.start_soon(turns, count // 100)


async def spawn_one(meter: Meter) -> None:
    """Start a task and wait for it, one at a time."""
    for count in meter:
        for _ in range(count):
            async with anyio.create_task_group() as group:
                group.start_soon(nothing)


async def spawn_many(meter: Meter) -> None:
    """Start tasks in a group, 100 at a time."""
    for count in meter:
        for _ in range(count // 100):
            async with anyio.create_task_group() as group:
                for _ in range(100):
                    group.start_soon(nothing)


async def timeout(meter: Meter) -> None:
    """Enter and leave a timeout."""
    for count in meter:
        for _ in range(count):
            with anyio.fail_after(10):
                pass


async def threadsafe(meter: Meter) -> None:
    """Call into the loop from another thread: the portal is what anyio offers for it."""
    async with anyio.from_thread.BlockingPortal() as portal:
        await anyio.to_thread.run_sync(bursts, meter, portal.start_task_soon)


async def lock(meter: Meter) -> None:
    """Take and give back a lock that nobody else wants."""
    mutex = anyio.Lock(fast_acquire=True)  # its documentation: "improves performance"
    for count in meter:
        for _ in range(count):
            await mutex.acquire()
            mutex.release()


async def queue(meter: Meter) -> None:
    """Put an item into a stream of objects and take it out."""
    put, get = anyio.create_memory_object_stream[int](10)
    with put, get:
        for count in meter:
            for item in range(count):
                await put.send(item)
                await get.receive()


async def park(meter: Meter) -> None:
    """Start tasks that wait for an event, and keep them."""
    event = anyio.Event()
    async with anyio.create_task_group() as group:
        for count in meter:
            for _ in range(count):
                group.start_soon(event.wait)
            await anyio.wait_all_tasks_blocked()
        event.set()


async def nothing() -> None:
    """Do nothing, as a coroutine."""
