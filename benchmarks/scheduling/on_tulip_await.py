"""Tulip, in ``async def``."""

from benchmarks.harness.meter import Meter
from benchmarks.scheduling.bursts import bursts
from benchmarks.scheduling.on_tulip import park, run
from tulip_sched import (
    TaskGroup,
    call_in_thread,
    create_task,
    current_context,
    fail_after,
    sleep,
)

__all__ = [
    "lock",
    "park",
    "queue",
    "run",
    "spawn_many",
    "spawn_one",
    "switch",
    "threadsafe",
    "timeout",
]


async def switch(meter: Meter) -> None:
    """Take turns among 100 tasks."""

    async def turns(count: int) -> None:
        for _ in range(count):
            await sleep(0)

    for count in meter:
        async with TaskGroup() as group:
            for _ in range(100):
                group.start_soon(turns(count // 100))


async def spawn_one(meter: Meter) -> None:
    """Start a task and wait for it, one at a time."""
    for count in meter:
        for _ in range(count):
            await create_task(nothing())


async def spawn_many(meter: Meter) -> None:
    """Start tasks in a group, 100 at a time."""
    for count in meter:
        for _ in range(count // 100):
            async with TaskGroup() as group:
                for _ in range(100):
                    group.start_soon(nothing())


async def timeout(meter: Meter) -> None:
    """Enter and leave a timeout."""
    for count in meter:
        for _ in range(count):
            with fail_after(10):
                pass


async def threadsafe(meter: Meter) -> None:
    """Call into the loop from another thread."""
    loop = current_context().eventloop
    await call_in_thread(bursts, meter, loop.call_soon_threadsafe)


async def lock(meter: Meter) -> None:
    """Take and give back a lock that nobody else wants."""
    from tulip_sched import Lock

    mutex = Lock()
    for count in meter:
        for _ in range(count):
            await mutex.acquire()
            mutex.release()


async def queue(meter: Meter) -> None:
    """Put an item into a queue and take it out."""
    from tulip_sched import Queue

    items: Queue[int] = Queue(10)
    for count in meter:
        for item in range(count):
            await items.put(item)
            await items.get()


async def nothing() -> None:
    """Do nothing, as a coroutine."""
