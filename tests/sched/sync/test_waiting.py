"""What holds for every wait: order, cancelling at every position, and what was handed over."""

import itertools
from collections.abc import Callable

import pytest

from tests.sched.sync.kinds import ALL, Kind
from tulip_sched import (
    AnyCoroutine,
    Cancelled,
    Gen,
    Task,
    create_task,
    current_context,
    move_on_after,
    run,
    sleep,
    wait_all,
)
from tulip_sched.testing import virtual_time

WAITERS = 4
SETS = [
    leaving
    for size in range(WAITERS + 1)
    for leaving in itertools.combinations(range(WAITERS), size)
]


def in_generator(kind: Kind, number: int, log: list[int]) -> Gen[None]:
    yield from kind.wait(number)
    log.append(number)
    kind.done()


async def in_async_def(kind: Kind, number: int, log: list[int]) -> None:
    await kind.wait(number)
    log.append(number)
    kind.done()


Style = Callable[[Kind, int, list[int]], AnyCoroutine[None]]
pytestmark = [
    pytest.mark.parametrize("make", ALL),
    pytest.mark.parametrize("style", [in_generator, in_async_def]),
]


async def start(kind: Kind, style: Style, log: list[int]) -> list[Task[None]]:
    """Start tasks that wait, and see to it that they do."""
    await kind.close()
    tasks = [create_task(style(kind, number, log), f"w{number}") for number in range(WAITERS)]
    await sleep(0)
    assert kind.waiting() == WAITERS
    assert not log
    return tasks


@pytest.mark.parametrize("leaving", SETS)
def test_those_cancelled_leave_and_the_others_keep_their_order(
    make: type[Kind], style: Style, leaving: tuple[int, ...]
) -> None:
    staying = [number for number in range(WAITERS) if number not in leaving]

    async def main() -> None:
        kind, log = make(len(staying)), list[int]()
        tasks = await start(kind, style, log)
        for number in leaving:
            tasks[number].cancel()
        assert kind.waiting() == len(staying)
        await sleep(0)
        await sleep(0)
        await kind.let_go()
        await wait_all(tasks)
        assert log == staying
        assert [task.cancelled() for task in tasks] == [n in leaving for n in range(WAITERS)]
        assert kind.waiting() == 0

    with virtual_time():
        run(main())


@pytest.mark.parametrize("first", range(WAITERS))
def test_those_cancelled_in_the_moment_before_are_passed_over(
    make: type[Kind], style: Style, first: int
) -> None:
    """Nothing runs between the cancellation and what the others wait for."""

    async def main() -> None:
        kind, log = make(WAITERS - 1), list[int]()
        tasks = await start(kind, style, log)
        tasks[first].cancel()
        await kind.let_go()
        await wait_all(tasks)
        assert log == [number for number in range(WAITERS) if number != first]

    with virtual_time():
        run(main())


def test_what_was_handed_over_is_not_lost_to_a_cancellation(make: type[Kind], style: Style) -> None:
    async def main() -> None:
        kind, log = make(WAITERS), list[int]()
        tasks = await start(kind, style, log)
        await kind.let_go()
        for task in tasks:
            task.cancel()
        await wait_all(tasks)
        served = range(1) if kind.in_turn else range(WAITERS)
        assert log == list(served)
        assert [task.cancelled() for task in tasks] == [n not in served for n in range(WAITERS)]
        assert kind.waiting() == 0

    with virtual_time():
        run(main())


def test_a_timeout_ends_the_wait_and_not_what_comes_after(make: type[Kind], style: Style) -> None:
    async def main() -> None:
        kind, log = make(1), list[int]()
        await kind.close()
        late = create_task(style(kind, 0, log), timeout=2)
        await late.wait()
        assert isinstance(late.exception(), TimeoutError)
        assert current_context().eventloop.time() == 2
        assert kind.waiting() == 0
        task = create_task(style(kind, 1, log))
        await sleep(1)
        await kind.let_go()
        await task
        assert log == [1]

    with virtual_time():
        run(main())


def test_a_cancelled_scope_lets_nobody_begin_to_wait(make: type[Kind], style: Style) -> None:
    async def waiter(kind: Kind) -> None:
        with move_on_after(0) as scope:
            scope.cancel()
            await kind.wait(0)
        assert scope.cancelled_caught

    async def main() -> None:
        kind = make(1)
        await kind.close()
        await create_task(waiter(kind))
        assert kind.waiting() == 0

    with virtual_time():
        run(main())


def test_a_task_that_waits_tells_what_for(make: type[Kind], style: Style) -> None:
    async def main() -> None:
        kind = make(0)
        tasks = await start(kind, style, [])
        told = [repr(task._undo) for task in tasks]
        assert all(f"number {n} of {WAITERS} in line" in told[n - 1] for n in (1, 2, 3, 4))
        for task in tasks:
            task.cancel()
        await wait_all(tasks)

    with virtual_time():
        run(main())


def test_cancelling_raises_in_the_waiting_coroutine(make: type[Kind], style: Style) -> None:
    seen: list[str] = []

    async def waiter(kind: Kind) -> None:
        try:
            await kind.wait(0)
        except Cancelled:
            seen.append("cancelled")
            raise

    async def main() -> None:
        kind = make(0)
        await kind.close()
        task = create_task(waiter(kind))
        await sleep(0)
        task.cancel()
        await task.wait()
        assert task.cancelled()

    with virtual_time():
        run(main())
    assert seen == ["cancelled"]
