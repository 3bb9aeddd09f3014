"""Tulip, in generators."""

from collections.abc import Callable

from benchmarks.harness.meter import Meter
from benchmarks.scheduling.bursts import bursts
from tulip_sched import (
    Coroutine,
    Gen,
    TaskGroup,
    call_in_thread,
    coroutine,
    create_task,
    current_context,
    fail_after,
    sleep,
)
from tulip_sched import run as run_tulip


def run(case: Callable[[Meter], Coroutine[None]], meter: Meter) -> None:
    """Run a case."""
    run_tulip(case(meter))


@coroutine
def switch(meter: Meter) -> Gen[None]:
    """Take turns among 100 tasks."""

    @coroutine
    def turns(count: int) -> Gen[None]:
        for _ in range(count):
            yield from sleep(0)

    for count in meter:

        def start(group: TaskGroup, count: int = count) -> None:
            for _ in range(100):
                group.start_soon(turns(count // 100))

        yield from TaskGroup().run(start)


@coroutine
def spawn_one(meter: Meter) -> Gen[None]:
    """Start a task and wait for it, one at a time."""
    for count in meter:
        for _ in range(count):
            yield from create_task(nothing())


@coroutine
def spawn_many(meter: Meter) -> Gen[None]:
    """Start tasks in a group, 100 at a time."""

    def start(group: TaskGroup) -> None:
        for _ in range(100):
            group.start_soon(nothing())

    for count in meter:
        for _ in range(count // 100):
            yield from TaskGroup().run(start)


@coroutine
def timeout(meter: Meter) -> Gen[None]:
    """Enter and leave a timeout."""
    for count in meter:
        for _ in range(count):
            with fail_after(10):
                pass
    yield from sleep(0)


@coroutine
def threadsafe(meter: Meter) -> Gen[None]:
    """Call into the loop from another thread."""
    loop = current_context().eventloop
    yield from call_in_thread(bursts, meter, loop.call_soon_threadsafe)


@coroutine
def lock(meter: Meter) -> Gen[None]:
    """Take and give back a lock that nobody else wants."""
    from tulip_sched import Lock

    mutex = Lock()
    for count in meter:
        for _ in range(count):
            yield from mutex.acquire()
            mutex.release()


@coroutine
def queue(meter: Meter) -> Gen[None]:
    """Put an item into a queue and take it out."""
    from tulip_sched import Queue

    items: Queue[int] = Queue(10)
    for count in meter:
        for item in range(count):
            yield from items.put(item)
            yield from items.get()


@coroutine
def park(meter: Meter) -> Gen[None]:
    """Start tasks that wait for an event, and keep them."""
    from tulip_sched import Event

    @coroutine
    def body(group: TaskGroup) -> Gen[None]:
        event = Event()
        for count in meter:
            for _ in range(count):
                group.start_soon(event.wait())
            yield from sleep(0)
        event.set()

    yield from TaskGroup().run(body)


@coroutine
def nothing() -> Gen[None]:
    """Do nothing, as a coroutine."""
    yield from ()
