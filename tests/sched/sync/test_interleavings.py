"""Random programs over each primitive: tasks, timeouts, cancellations, in a random order.

Times are small whole numbers, so that much happens in the same moment. What Hypothesis finds
replays: the program and the seed of the order are in its report.
"""

import contextlib
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tulip_sched import (
    Barrier,
    BoundedSemaphore,
    Condition,
    Event,
    LifoQueue,
    Lock,
    PriorityQueue,
    Queue,
    QueueShutDown,
    RLock,
    Semaphore,
    Task,
    create_task,
    move_on_after,
    run,
    sleep,
    wait_all,
)
from tulip_sched.testing import virtual_time

MOMENTS = st.integers(0, 3)


@dataclass(frozen=True)
class Step:
    """One use of the primitive: how long before it, how long to wait for it, how long in it."""

    before: int
    patience: int | None
    inside: int


@dataclass(frozen=True)
class Program:
    """What each task does, when which task is cancelled, and the order among the runnable."""

    tasks: tuple[tuple[Step, ...], ...]
    cancels: tuple[tuple[int, int], ...]
    seed: int


STEPS = st.builds(Step, MOMENTS, st.none() | MOMENTS, MOMENTS)
PROGRAMS = st.builds(
    Program,
    st.lists(st.lists(STEPS, min_size=1, max_size=4).map(tuple), min_size=2, max_size=5).map(tuple),
    st.lists(st.tuples(MOMENTS, st.integers(0, 4)), max_size=4).map(tuple),
    st.integers(0, 2**16),
)

Use = Callable[[int, Step], Awaitable[None]]


def execute(program: Program, use: Use, after: Callable[[], Awaitable[None]]) -> None:
    """Run the program: ``use`` is one step of a task, ``after`` checks what remains."""

    async def body(number: int) -> None:
        for step in program.tasks[number]:
            await sleep(step.before)
            await use(number, step)

    async def cancel(tasks: list[Task[None]]) -> None:
        now = 0
        for when, number in sorted(program.cancels):
            await sleep(when - now)
            now = when
            tasks[number % len(tasks)].cancel()

    async def main() -> None:
        tasks = [create_task(body(number), f"t{number}") for number in range(len(program.tasks))]
        await cancel(tasks)
        await after()
        await wait_all(tasks)
        for task in tasks:
            assert task.cancelled() or task.exception() is None, repr(task.exception())

    with virtual_time(seed=program.seed):
        run(main())


async def nothing() -> None:
    """Check nothing."""


class Inside:
    """Counts who is inside, and knows how many there may be."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.now = 0

    async def stay(self, lock: AbstractAsyncContextManager[None], step: Step) -> None:
        with move_on_after(step.patience):
            async with lock:
                self.now += 1
                try:
                    assert self.now <= self.most
                    await sleep(step.inside)
                finally:
                    self.now -= 1


@pytest.mark.parametrize("make", [Lock, RLock, Condition])
@given(program=PROGRAMS)
def test_one_at_a_time_and_the_lock_is_free_at_the_end(
    make: Callable[[], Lock | RLock | Condition], program: Program
) -> None:
    lock, inside = make(), Inside(1)
    execute(program, lambda _, step: inside.stay(lock, step), nothing)
    assert not lock.locked()


@pytest.mark.parametrize("make", [Semaphore, BoundedSemaphore])
@given(program=PROGRAMS, permits=st.integers(1, 3))
def test_as_many_as_there_are_permits_and_all_are_back_at_the_end(
    make: type[Semaphore], program: Program, permits: int
) -> None:
    semaphore, inside = make(permits), Inside(permits)
    execute(program, lambda _, step: inside.stay(semaphore, step), nothing)
    assert semaphore.value == permits


@given(program=PROGRAMS)
def test_everybody_passes_an_event_that_is_set(program: Program) -> None:
    event = Event()

    async def use(number: int, step: Step) -> None:
        with move_on_after(step.patience) as scope:
            await event.wait()
        assert event.is_set() or scope.cancelled_caught
        if number == 0:
            event.set()

    async def after() -> None:
        event.set()

    execute(program, use, after)
    assert "waiting" not in repr(event)


@pytest.mark.parametrize("make", [Queue, PriorityQueue, LifoQueue])
@given(program=PROGRAMS, maxsize=st.integers(0, 2))
def test_every_item_put_is_got_once_or_still_there(
    make: Callable[[int], Queue[int]], program: Program, maxsize: int
) -> None:
    queue = make(maxsize)
    accepted: list[int] = []
    got: list[int] = []

    async def use(number: int, step: Step) -> None:
        with move_on_after(step.patience):
            if number % 2:
                got.append(await queue.get())
                queue.task_done()
            else:
                item = len(accepted) + 100 * number + 1000 * step.inside
                await queue.put(item)
                accepted.append(item)

    async def after() -> None:
        await sleep(20)
        queue.shutdown()

    def use_until_shut(number: int, step: Step) -> Awaitable[None]:
        async def guarded() -> None:
            with contextlib.suppress(QueueShutDown):
                await use(number, step)

        return guarded()

    execute(program, use_until_shut, after)
    left = [queue.get_nowait() for _ in range(queue.qsize())]
    assert sorted(got + left) == sorted(accepted)
    assert queue._unfinished == len(left)


@given(program=PROGRAMS)
def test_no_notification_is_lost(program: Program) -> None:
    """Even tasks put tokens, odd ones take them: nobody waits at the end while there is one."""
    condition = Condition()
    tokens = 0

    async def use(number: int, step: Step) -> None:
        nonlocal tokens
        with move_on_after(step.patience):
            async with condition:
                if number % 2 == 0:
                    tokens += 1
                    condition.notify()
                    await sleep(step.inside)
                else:
                    await condition.wait_for(lambda: tokens)
                    tokens -= 1

    async def after() -> None:
        await sleep(100)
        async with condition:
            assert tokens == 0 or not condition._line
            tokens_missing = len(condition._line)
        for _ in range(10 * tokens_missing):
            await use(0, Step(0, None, 0))

    execute(program, use, after)
    assert not condition.locked()


@given(program=PROGRAMS, parties=st.integers(1, 3))
def test_those_that_pass_a_barrier_together_have_numbers_of_their_own(
    program: Program, parties: int
) -> None:
    barrier = Barrier(parties)
    positions: list[int] = []

    async def use(_: int, step: Step) -> None:
        with move_on_after(3 if step.patience is None else step.patience):
            positions.append(await barrier.wait())

    execute(program, use, nothing)
    passed = len(positions) // parties
    assert sorted(positions) == sorted(list(range(parties)) * passed)
    assert barrier.n_waiting == 0
