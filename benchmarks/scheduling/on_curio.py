"""curio."""

from collections.abc import Awaitable, Callable

import curio

from benchmarks.harness.meter import Meter

ABSENT = {"threadsafe": "curio has no call into its kernel that does not wait for the answer"}


def run(case: Callable[[Meter], Awaitable[None]], meter: Meter) -> None:
    """Run a case."""
    curio.run(case, meter)


async def switch(meter: Meter) -> None:
    """Take turns among 100 tasks."""

    async def turns(count: int) -> None:
        for _ in range(count):
            await curio.sleep(0)

    for count in meter:
        async with curio.TaskGroup() as group:
            for _ in range(100):
                await group.spawn(turns, count // 100)


async def spawn_one(meter: Meter) -> None:
    """Start a task and wait for it, one at a time."""
    for count in meter:
        for _ in range(count):
            task = await curio.spawn(nothing)
            await task.join()


async def spawn_many(meter: Meter) -> None:
    """Start tasks in a group, 100 at a time."""
    for count in meter:
        for _ in range(count // 100):
            async with curio.TaskGroup() as group:
                for _ in range(100):
                    await group.spawn(nothing)


async def timeout(meter: Meter) -> None:
    """Enter and leave a timeout."""
    for count in meter:
        for _ in range(count):
            async with curio.timeout_after(10):
                pass


async def lock(meter: Meter) -> None:
    """Take and give back a lock that nobody else wants."""
    mutex = curio.Lock()
    for count in meter:
        for _ in range(count):
            await mutex.acquire()
            await mutex.release()


async def queue(meter: Meter) -> None:
    """Put an item into a queue and take it out."""
    items = curio.Queue(10)
    for count in meter:
        for item in range(count):
            await items.put(item)
            await items.get()


async def park(meter: Meter) -> None:
    """Start tasks that wait for an event, and keep them."""
    event = curio.Event()
    async with curio.TaskGroup() as group:
        for count in meter:
            for _ in range(count):
                await group.spawn(event.wait)
            await curio.sleep(0.1)
        await event.set()


async def nothing() -> None:
    """Do nothing, as a coroutine."""
